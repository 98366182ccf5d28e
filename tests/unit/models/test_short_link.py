"""Short codes cannot be misread, spelled as words or guessed."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from importlib.resources import files
from itertools import product

import pytest

from waypost.ids import derive_workspace_id
from waypost.models.attributes import Item
from waypost.models.short_link import (
    CODE_ALPHABET,
    CODE_LENGTH,
    FORBIDDEN_PAIRS,
    LongDestination,
    ShortLink,
    generate_code,
    parse_code,
)
from waypost.rewrite.sms_segments import GSM_BASIC

LIVE_CODES = 1e9
REQUESTS_A_SECOND = 2_000  # the default of ShortLinkRate
DAY = 86_400

# Characters that are read as others: digits for letters, and letters for each other.
READ_AS = {
    "a": "4@", "b": "68", "e": "3", "g": "69", "i": "1l", "l": "1I", "o": "0", "q": "9",
    "s": "5$", "t": "7", "u": "vV", "v": "uU", "z": "2",
}  # fmt: skip
LOOK_ALIKE = (
    *("0oOQ", "1ilI", "2z", "2Z", "5s", "5S", "6b", "6G", "8b", "8B", "9gq"),
    *("uv", "UV", "nm", "3e", "4a"),
)


def unwanted_words() -> list[str]:
    text = (files("better_profanity") / "profanity_wordlist.txt").read_text("utf-8")
    return sorted({line.strip().lower() for line in text.splitlines() if line.strip()})


def iter_spellings(word: str, alphabet: str) -> Iterator[str]:
    """Yield the spellings of a word: its letters in either case, or read from other characters."""
    readings = [
        [c for c in letter + letter.upper() + READ_AS.get(letter, "") if c in alphabet]
        for letter in word
    ]
    if all(readings):
        yield from map("".join, product(*readings))


def find_codes_with_words(alphabet: str, forbidden_pairs: Collection[str]) -> list[str]:
    return [
        spelling
        for word in unwanted_words()
        for spelling in iter_spellings(word, alphabet)
        if not any(pair in spelling.lower() for pair in forbidden_pairs)
    ]


def test_no_code_spells_an_offensive_word() -> None:
    assert len(unwanted_words()) > 800
    assert find_codes_with_words(CODE_ALPHABET, FORBIDDEN_PAIRS) == []


def test_word_check_finds_words_of_other_alphabets() -> None:
    assert find_codes_with_words("bcdfghjkmnpqrstvwxz23456789", ())
    for pair in FORBIDDEN_PAIRS:  # none is superfluous
        others = [each for each in FORBIDDEN_PAIRS if each != pair]
        assert find_codes_with_words(CODE_ALPHABET, others), pair


def count_codes() -> int:
    """Count the codes without forbidden pairs, character by character."""
    ending_with = dict.fromkeys(CODE_ALPHABET, 1)
    for _ in range(CODE_LENGTH - 1):
        ending_with = {
            c: sum(
                n for last, n in ending_with.items() if (last + c).lower() not in FORBIDDEN_PAIRS
            )
            for c in CODE_ALPHABET
        }
    return sum(ending_with.values())


def test_no_two_characters_of_the_alphabet_look_alike() -> None:
    assert len(set(CODE_ALPHABET)) == len(CODE_ALPHABET)
    assert not set(CODE_ALPHABET.lower()) & set("aeiouy")
    for group in LOOK_ALIKE:
        assert len(set(group) & set(CODE_ALPHABET)) <= 1, group


def test_every_character_takes_one_septet_of_a_text_message() -> None:
    assert set(CODE_ALPHABET) <= GSM_BASIC


def test_guessing_one_of_a_billion_codes_takes_weeks_at_the_limit_of_the_stack() -> None:
    guesses = count_codes() / LIVE_CODES
    assert guesses / REQUESTS_A_SECOND / DAY > 21


def test_few_of_a_billion_random_codes_are_drawn_twice() -> None:
    """A code drawn twice is replaced before its message is returned."""
    pairs = LIVE_CODES * LIVE_CODES / 2
    assert pairs / count_codes() < 1


def test_codes_are_of_one_length_and_use_the_whole_alphabet() -> None:
    codes = [generate_code() for _ in range(5000)]
    assert {len(code) for code in codes} == {CODE_LENGTH}
    assert len(set(codes)) == len(codes)
    for place in range(CODE_LENGTH):  # each expected 129 to 141 times; 60 is six deviations off
        counts = [sum(code[place] == c for code in codes) for c in CODE_ALPHABET]
        assert min(counts) > 60
        assert math.isclose(sum(counts), len(codes))


def test_code_with_a_forbidden_pair_is_drawn_again() -> None:
    drawn = iter("7BCDFGHJKLcK" + "7BCDFGHJKLMN")
    assert generate_code(lambda _: next(drawn)) == "7BCDFGHJKLMN"


def test_case_of_a_code_matters() -> None:
    code = "7BCDFGHJKLmn".replace("m", "c")
    assert parse_code(code) == code
    assert parse_code(code.upper()) != code


def test_an_old_code_in_capitals_is_the_same_code() -> None:
    code = "256789cdhjnrtw25678"
    assert parse_code(code) == parse_code(code.upper()) == code


@pytest.mark.parametrize(
    "text", ["", "7", "7" * 11, "7" * 13, "a" * 12, "7" * 11 + "/", "7" * 11 + "٧", "7" * 11 + "ſ"]
)
def test_text_that_is_no_new_code_is_none(text: str) -> None:
    assert parse_code(text) is None


@pytest.mark.parametrize(
    "text", ["", "2", "2" * 18, "2" * 20, "a" * 19, "2" * 18 + "/", "2" * 18 + "٢", "ı" * 19]
)
def test_text_that_is_no_old_code_is_none(text: str) -> None:
    assert parse_code(text) is None


def test_link_expires_at_its_second_or_never() -> None:
    link = ShortLink("2" * 19, "p/s", expires=100)
    assert [link.is_expired(99.9), link.is_expired(100)] == [False, True]
    assert not ShortLink("2" * 19, "p/s", None).is_expired(1e12)


def test_links_and_destinations_share_no_key() -> None:
    kept = LongDestination(derive_workspace_id("acme"), "https://example.com/")
    keys = [ShortLink(c * 19, "p/s", None).to_item()["pk"]["S"] for c in "29"]
    assert len({*map(str, keys), str(kept.to_item()["pk"]["S"])}) == 3


def test_a_digest_differs_by_workspace_and_destination() -> None:
    digests = {
        LongDestination(derive_workspace_id(name), href).digest
        for name, href in product(("acme", "other"), ("https://a.example/", "https://b.example/"))
    }
    assert len(digests) == 4


def test_short_link_items_of_version_1_are_read() -> None:
    stored: Item = {
        "pk": {"S": "S#2568cdhjnrtw2568cdh"},
        "token": {"S": "AQgAAAAAAmQx/sAHti4iI4F5m4I"},
        "expires": {"N": "1800000000"},
    }
    read = ShortLink.from_item(stored)
    assert read == ShortLink("2568cdhjnrtw2568cdh", "AQgAAAAAAmQx/sAHti4iI4F5m4I", 1_800_000_000)
    assert read.to_item() == stored


def test_a_destinations_digest_never_changes() -> None:
    kept = LongDestination(derive_workspace_id("acme"), "https://example.com/?\x01&q=é")
    assert kept.digest == "1a331d19b4ccdfefa23fe1472b35eca9"
    assert kept.to_item()["pk"] == {"S": "D#24aba755#1a331d19b4ccdfefa23fe1472b35eca9"}
