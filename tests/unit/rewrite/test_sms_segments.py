"""Test SMS segments against an independent library and the limits of the standard."""

from __future__ import annotations

import pytest
import smsutil
from hypothesis import given
from hypothesis import strategies as st

from waypost.rewrite.sms_segments import (
    GSM_BASIC,
    GSM_EXTENSION,
    cut_text,
    detect_sms_encoding,
    find_non_gsm_characters,
    segment_text,
    segment_text_around_links,
)

GSM = st.text(st.sampled_from(sorted(GSM_BASIC | GSM_EXTENSION)), max_size=700)
ANY = st.text(st.sampled_from("abc €{ążя中🍔👍\n"), max_size=400)
ROOM = {"gsm-7": (160, 153), "ucs-2": (70, 67)}


def units(text: str, encoding: str) -> int:
    wide = GSM_EXTENSION if encoding == "gsm-7" else {c for c in text if ord(c) > 0xFFFF}
    return sum(2 if c in wide else 1 for c in text)


@pytest.mark.parametrize(
    ("text", "encoding", "count"),
    [
        ("", "gsm-7", 1),
        ("a" * 160, "gsm-7", 1),
        ("a" * 161, "gsm-7", 2),
        ("a" * 306, "gsm-7", 2),
        ("a" * 307, "gsm-7", 3),
        ("€" * 80, "gsm-7", 1),
        ("€" * 81, "gsm-7", 2),
        ("a" + "€" * 152, "gsm-7", 2),  # 1 + 76 * 2 fills the first part exactly
        ("€" * 153, "gsm-7", 3),  # 306 septets, but no € is cut in half
        ("я" * 70, "ucs-2", 1),
        ("я" * 71, "ucs-2", 2),
        ("я" * 134, "ucs-2", 2),
        ("🍔" * 35, "ucs-2", 1),
        ("🍔" * 36, "ucs-2", 2),
        ("🍔" * 67, "ucs-2", 3),  # 134 units, but no pair is cut in half
        ("a" * 69 + "ą", "ucs-2", 1),
        ("`" * 71, "ucs-2", 2),  # not in GSM's alphabet, though in ASCII
    ],
)
def test_text_takes_the_number_of_segments_of_the_standard(
    text: str, encoding: str, count: int
) -> None:
    found = segment_text(text)
    assert (found.encoding, found.count) == (encoding, count)


@given(GSM | ANY)
def test_segments_fit_and_join_to_the_text(text: str) -> None:
    found = segment_text(text)
    pieces = cut_text(text, found.cuts)
    alone, several = ROOM[found.encoding]
    room = alone if len(pieces) == 1 else several
    assert "".join(pieces) == text
    assert all(units(piece, found.encoding) <= room for piece in pieces)


@given((GSM | ANY).filter(bool))
def test_segments_equal_those_of_an_independent_library(text: str) -> None:
    split = smsutil.split(text)
    found = segment_text(text)
    assert found.encoding == {"gsm0338": "gsm-7", "utf_16_be": "ucs-2"}[split.encoding]
    assert [part.content for part in split.parts] == cut_text(text, found.cuts)


@pytest.mark.heavy
def test_alphabet_equals_that_of_an_independent_library() -> None:
    every = [chr(n) for n in range(0x10000) if not 0xD800 <= n < 0xE000]
    assert [c for c in every if detect_sms_encoding(c) == "gsm-7"] == [
        c for c in every if smsutil.is_valid_gsm(c) and c != "\x1b"
    ]


@given(GSM, st.lists(st.tuples(st.integers(0, 600), st.integers(1, 120)), max_size=5))
def test_no_segment_begins_inside_a_link(text: str, drawn: list[tuple[int, int]]) -> None:
    links, at = [], 0
    for gap, length in sorted(drawn):
        start = max(at, gap)
        links.append((start, start + length))
        at = start + length
    found = segment_text_around_links(
        text, [(start, end) for start, end in links if end <= len(text)]
    )
    inside = [link for link in links if link[1] <= len(text)]
    for start, end in inside:
        if units(text[start:end], found.encoding) <= 153:
            assert not any(start < cut < end for cut in found.cuts)
    assert "".join(cut_text(text, found.cuts)) == text
    assert all(units(part, found.encoding) <= 160 for part in cut_text(text, found.cuts))


def test_link_at_a_boundary_moves_into_the_next_segment() -> None:
    link = "https://l.example.com/s/2568cdhjnrtw2568cdh"
    text = "a" * 140 + link + "a" * 60
    span = (140, 140 + len(link))
    assert segment_text(text).find_cut_link([span]) == span
    whole = segment_text_around_links(text, [span])
    assert whole.find_cut_link([span]) is None
    assert cut_text(text, whole.cuts) == ["a" * 140, link + "a" * 60]


def test_link_longer_than_a_segment_is_cut() -> None:
    text = "see " + "x" * 400
    assert segment_text_around_links(text, [(4, 404)]).count == 4
    assert segment_text_around_links(text, [(4, 404)]).cuts[0] == 4


def test_link_at_the_start_of_a_segment_is_not_cut() -> None:
    text = "a" * 153 + "b" * 20
    assert segment_text(text).find_cut_link([(153, 173)]) is None


def test_characters_outside_gsm_are_listed() -> None:
    assert find_non_gsm_characters("naïve “quotes” ok [x]") == ["ï", "“", "”"]
    assert find_non_gsm_characters("plain {€}") == []
