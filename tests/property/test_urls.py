"""Hrefs are read as browsers read them, and at once as in separate steps."""

from __future__ import annotations

import ada_url
from hypothesis import example, given, settings
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


SCRIPTS = st.sampled_from(
    [
        *("a", "Z", "0", "9", "-", "_", ".", "xn--", "0x", "ß", "ς", "Σ", "ü", "u\u0308", "İ"),
        *("。", "．", "ｅ", "⁴", "№", "㎏", "א", "ش", "۷", "٣", "क", "\u094d", "\u200c", "\u200d"),
        *("日", "ア", "🎉", "\ufe0f", "\U000e0100", "\u00ad", "\u0301", "\u2024", "⒈", "／", "："),
    ]
)
NAME = st.lists(st.one_of(SCRIPTS, st.characters(codec="utf-8")), min_size=1, max_size=10).map(
    "".join
)
NUMERIC_NAME = st.text("0123456789.xXaf", min_size=1, max_size=14)
ADDRESS = st.text("0123456789abf:.", min_size=1, max_size=14).map("[{}]".format)
WEB_HREF = st.builds(
    "https://{}{}{}".format,
    st.one_of(NAME, NUMERIC_NAME, ADDRESS, st.just("e.com")),
    st.sampled_from(["", ":443", ":8080", ":0080"]),
    HREF.map(lambda href: "/" + href),
)


def read_as_browser(href: str) -> str | None:
    """Return the URL in the normal form of the WHATWG standard; None if it is no URL."""
    try:
        return ada_url.URL(href).href
    except ValueError:
        return None


@settings(max_examples=5 * settings().max_examples)
@given(st.one_of(WEB_HREF, HREF, HREF.map("https://e.com".__add__)))
@example("https://e.com\U0003d000")
@example("https://ΟΔΟΣ.example/x")
@example("https://葛\U000e0100城.example/")
@example("https://نامه\u200cای.example/")
def test_destination_is_the_url_that_a_browser_reads(href):
    destination = at_once(href)
    if destination is not None and destination.startswith(("http:", "https:")):
        assert read_as_browser(destination) == read_as_browser(href)
