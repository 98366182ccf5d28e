"""Parsing an href at once gives the same result as the separate steps."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from waypost.errors import UnsafeDestination
from waypost.urls import (
    check_destination,
    clean_href,
    get_authority,
    get_scheme,
    parse_href,
    to_ascii_url,
)

PIECE = st.one_of(
    st.sampled_from(
        [
            *("http", "HTTPS", "https", "mailto", "javascript", "app", ":", "://", "//", "/", "\\"),
            *("e.com", "-", ".", "[::1]", "u:p@", "@", ":8080", ":99999", "?", "#", "&", "%2F"),
            *(" ", "\t", "\r\n", "\x00", "\x7f", "\x85", "\u2028", "é", "ſ", "／", "\u202e"),
        ]
    ),
    st.text(max_size=3),
)
HREF = st.lists(PIECE, max_size=8).map("".join)
REST = st.text("a!~ \t\n\x00\x7f\x85\u2028é", max_size=4)


def step_by_step(href: str) -> str | None:
    try:
        destination = to_ascii_url(href)
        check_destination(destination, {"app"})
    except UnsafeDestination:
        return None
    return destination


def at_once(href: str) -> str | None:
    try:
        return parse_href(href).to_destination({"app"})
    except UnsafeDestination:
        return None


@settings(max_examples=5 * settings().max_examples)
@given(st.one_of(HREF, HREF.map("https://e.com".__add__), REST.map("https://e.com/".__add__)))
def test_parsed_href_equals_the_separate_steps(href):
    text = clean_href(href)
    found = parse_href(href)
    assert (found.text, found.scheme) == (text, get_scheme(text))
    assert found.authority == get_authority(text)
    assert at_once(href) == step_by_step(text)
