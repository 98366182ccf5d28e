"""Test that names become path segments that never stand for another name."""

from __future__ import annotations

import string
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waypost.path_names import decode_path_name, encode_path_name

PLAIN = set(string.ascii_letters + string.digits + "-._@")
TRICKY = st.text(alphabet="a.~/\\%2fe -@é\u202e", max_size=12)


@pytest.mark.parametrize("name", ["acme", "acme-2", "Acme_2.eu", "news@acme.com", "...", "-"])
def test_plain_name_appears_as_it_is(name: str) -> None:
    assert encode_path_name(name) == name


@pytest.mark.parametrize(
    ("name", "segment"),
    [
        (".", "~Lg"),
        ("..", "~Li4"),
        ("a/b", "~YS9i"),
        ("~YS9i", "~fllTOWk"),
        ("a%2Fb", "~YSUyRmI"),
        ("café", "~Y2Fmw6k"),
        ("", "~"),
    ],
)
def test_any_other_name_is_base64url_behind_a_tilde(name: str, segment: str) -> None:
    assert encode_path_name(name) == segment


@given(st.one_of(TRICKY, st.text(max_size=40)))
def test_segment_has_no_character_with_a_meaning_in_paths(name: str) -> None:
    segment = encode_path_name(name)
    assert set(segment.removeprefix("~")) <= PLAIN
    assert segment not in ("", ".", "..")


@given(st.one_of(TRICKY, st.text(min_size=1, max_size=40)))
def test_segment_is_decoded_to_its_name(name: str) -> None:
    assert not name or decode_path_name(encode_path_name(name)) == name


@given(
    st.one_of(
        st.text(alphabet="~.ab/%Yg_-=2", max_size=8),
        st.text(alphabet="ab_-YgQ=", max_size=8).map("~".__add__),
        st.text(max_size=8),
    )
)
def test_name_has_one_segment(segment: str) -> None:
    with suppress(ValueError):
        assert encode_path_name(decode_path_name(segment)) == segment


@given(st.lists(st.one_of(TRICKY, st.text(max_size=20)), unique=True, min_size=2, max_size=30))
def test_two_names_have_two_segments(names: list[str]) -> None:
    assert len({encode_path_name(name) for name in names}) == len(names)
