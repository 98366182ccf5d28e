"""Whatever the message, a click map changes where its links lead and nothing else."""

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


def figures(html: str) -> list[LinkFigures]:
    """Figures as if every link of a message had been tracked and clicked as often as it stands."""
    places = {place.identity: place for place in links_of(html)}
    return [
        LinkFigures(
            link=f"{n:026x}", url=place.url, tag=place.tag, position=n, share=0.5,
            total=n, unique=n, human=n, machine=0,
        )
        for n, place in enumerate(places.values(), 1)
    ]  # fmt: skip


def links_of(html: str) -> list[LinkOccurrence]:
    return [place for place in find_links(HTML_LINKS, html, "html") if not place.find_pixel]


def without_links(html: str) -> str:
    """The text around the destinations."""
    pieces, at = [], 0
    for place in links_of(html):
        pieces.append(html[at : place.start])
        at = place.end
    return "·".join([*pieces, html[at:]])


def check(html: str) -> None:
    shown = render_click_map(html, build_map_links(figures(html)))
    style, end, message = shown.partition("</style>")
    assert (style.startswith("<!doctype html><style>"), end) == (True, "</style>")
    assert without_links(message) == without_links(html)
    for place in links_of(message):
        assert re.fullmatch(r"|#|#waypost-[0-4]-\d+", place.href), place.href


@given(MESSAGES)
def test_only_destinations_change(html):
    check(html)


@requires_emails
@pytest.mark.parametrize("email", EMAILS, ids=lambda path: path.name)
def test_only_destinations_change_in_real_messages(email):
    check(email.read_text("utf-8", "replace"))
