"""Short codes cannot be misread, spelled as words or guessed."""

from __future__ import annotations

import math
from importlib.resources import files
from itertools import product

import pytest

from waypost.ids import derive_workspace_id
from waypost.models.attributes import Item
from waypost.models.short_link import (
    CODE_ALPHABET,
    CODE_LENGTH,
    LongDestination,
    ShortLink,
    generate_code,
    parse_code,
)
from waypost.rewrite.sms_segments import GSM_BASIC

LIVE_CODES = 1e9
REQUESTS_A_SECOND = 10_000  # API Gateway's quota for an account and a region
YEAR = 365 * 86_400

# Characters that are read as others: digits for letters, and letters for each other.
READ_AS = {
    "a": "a4@", "b": "b68", "e": "e3", "g": "g69", "i": "i1l", "l": "l1", "o": "o0", "q": "q9",
    "s": "s5$", "t": "t7", "u": "uv", "v": "vu", "z": "z2",
}  # fmt: skip
LOOK_ALIKE = ["0o", "1il", "2z", "5s", "6b", "8b", "9gq", "uv", "nm", "3e", "4a"]


def unwanted_words() -> list[str]:
    text = (files("better_profanity") / "profanity_wordlist.txt").read_text("utf-8")
    return sorted({line.strip().lower() for line in text.splitlines() if line.strip()})


def can_be_spelled(word: str, alphabet: str) -> bool:
    return all(set(READ_AS.get(letter, letter)) & set(alphabet) for letter in word)


def test_code_alphabet_spells_no_offensive_word() -> None:
    words = unwanted_words()
    assert len(words) > 800
    assert [word for word in words if can_be_spelled(word, CODE_ALPHABET)] == []


def test_word_check_finds_words_of_other_alphabets() -> None:
    words = unwanted_words()
    assert any(can_be_spelled(word, "bcdfghjkmnpqrstvwxz23456789") for word in words)
    assert can_be_spelled("wtf", CODE_ALPHABET + "f")


def test_no_two_characters_of_the_alphabet_look_alike() -> None:
    assert len(set(CODE_ALPHABET)) == len(CODE_ALPHABET)
    assert not set(CODE_ALPHABET) & set("aeiouy")
    for group in LOOK_ALIKE:
        assert len(set(group) & set(CODE_ALPHABET)) <= 1, group


def test_every_character_takes_one_septet_of_a_text_message() -> None:
    assert set(CODE_ALPHABET) <= GSM_BASIC


def test_guessing_one_of_a_billion_codes_takes_years() -> None:
    guesses = len(CODE_ALPHABET) ** CODE_LENGTH / LIVE_CODES
    assert guesses / REQUESTS_A_SECOND / YEAR > 15


def test_a_billion_random_codes_hardly_collide() -> None:
    pairs = LIVE_CODES * LIVE_CODES / 2
    assert pairs / len(CODE_ALPHABET) ** CODE_LENGTH < 1e-3


def test_codes_are_of_one_length_and_use_the_whole_alphabet() -> None:
    codes = [generate_code() for _ in range(2000)]
    assert {len(code) for code in codes} == {CODE_LENGTH}
    assert len(set(codes)) == len(codes)
    for place in range(CODE_LENGTH):  # each expected 143 times; 60 is seven deviations off
        counts = [sum(code[place] == c for code in codes) for c in CODE_ALPHABET]
        assert min(counts) > 60
        assert math.isclose(sum(counts), len(codes))


def test_a_code_in_capitals_is_the_same_code() -> None:
    code = generate_code()
    assert parse_code(code) == parse_code(code.upper()) == code


@pytest.mark.parametrize(
    "text", ["", "2", "2" * 18, "2" * 20, "a" * 19, "2" * 18 + "/", "2" * 18 + "٢", "ı" * 19]
)
def test_text_that_is_no_code_is_none(text: str) -> None:
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
