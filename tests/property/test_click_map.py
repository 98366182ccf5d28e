"""A click map changes only the destinations of links, in generated and real messages."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.email_corpus import EMAILS, requires_emails
from waypost.reports.schemas import LinkFigures
from waypost.rewrite.links.extractor import HTML_LINKS, find_links
from waypost.rewrite.links.occurrence import LinkOccurrence
from waypost.web.click_map import build_map_links, render_click_map

HREFS = st.sampled_from(
    ["https://example.com/a?b=1&amp;c=2", "www.example.com", "#top", "{{ url }}", "javascript:x"]
)
QUOTES = st.sampled_from(['"', "'", ""])
TEXTS = st.text("ab <>&\"'{}%=/!-\r\n", max_size=12)


@st.composite
def anchors(draw: st.DrawFn) -> str:
    quote = draw(QUOTES)
    return f"<a class=x href={quote}{draw(HREFS)}{quote} data-cio-tag=t>{draw(TEXTS)}</a>"


MESSAGES = st.lists(st.one_of(anchors(), TEXTS), max_size=8).map("".join)


def build_figures(html: str) -> list[LinkFigures]:
    """Build figures in which the n-th link of a message has n clicks."""
    links = {link.identity: link for link in find_message_links(html)}
    return [
        LinkFigures(
            link=f"{n:026x}", url=link.url, tag=link.tag, position=n, share=0.5,
            total=n, unique=n, human=n, machine=0,
        )
        for n, link in enumerate(links.values(), 1)
    ]  # fmt: skip


def find_message_links(html: str) -> list[LinkOccurrence]:
    return [link for link in find_links(HTML_LINKS, html) if not link.find_pixel]


def remove_destinations(html: str) -> str:
    """Return the text around the destinations."""
    pieces, position = [], 0
    for link in find_message_links(html):
        pieces.append(html[position : link.start])
        position = link.end
    return "·".join([*pieces, html[position:]])


def check_click_map(html: str) -> None:
    shown = render_click_map(html, build_map_links(build_figures(html)))
    style, end, message = shown.partition("</style>")
    assert (style.startswith("<!doctype html><style>"), end) == (True, "</style>")
    assert remove_destinations(message) == remove_destinations(html)
    for link in find_message_links(message):
        assert re.fullmatch(r"|#|#waypost-[0-4]-\d+", link.href), link.href


@given(MESSAGES)
def test_only_destinations_change(html):
    check_click_map(html)


@requires_emails
@pytest.mark.parametrize("email", EMAILS, ids=lambda path: path.name)
def test_only_destinations_change_in_real_messages(email):
    check_click_map(email.read_text("utf-8", "replace"))
