"""Links of HTML are those that independent parsers find, on real e-mails and on generated ones."""

from __future__ import annotations

import html as entities
import re

import html5lib
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from tests.corpus import EMAILS, requires_emails
from tests.unit.rewrite.conftest import LINK, SEALER, MessageHarness
from waypost.models.workspace import WorkspaceSettings
from waypost.rewrite.links.extractor import HTML_LINKS, find_links
from waypost.urls import clean_href, to_ascii_url

OUTLOOK = re.compile(r"<!--\[if.*?-->", re.DOTALL)

PIECES = st.sampled_from(
    [
        *(
            "x",
            " ",
            "\n",
            "\r\n",
            "\r",
            "\x00",
            "é",
            "<",
            ">",
            "/",
            "=",
            '"',
            "'",
            "&",
            "!",
            "?",
            "-",
        ),
        *(
            "<a ",
            "<A HREF=",
            "<area ",
            "href",
            "href=",
            ' href="',
            " HREF = '",
            "https://e.example/§",
        ),
        *(
            "?a=1&amp;b=2",
            "&copy",
            "&copy=",
            "&#x26;",
            "</a>",
            "<p>",
            "</p>",
            "<b>",
            "<table>",
            "<td>",
        ),
        *("<!--", "-->", "--!>", "<!", "<?", "</", "<style>", "</style>", "<script>", "</script>"),
        *("<title>", "</title>", "<textarea>", "</textarea>", "<xmp>", "<noscript>", "</noscript>"),
        *("<svg>", "</svg>", "<math>", "<![CDATA[", "]]>", "<iframe>"),
        *(
            "<div title='",
            '<div title="',
            "<a href=§>",
            '<a title=">" href="§">',
            "<form>",
            "<nobr>",
        ),
        *("<head>", "</head>", "<body>", "</body>", "</html>", "<!doctype html>", "<plaintext>"),
    ]
)
HTML = st.lists(PIECES, max_size=30).map(
    # No two hrefs alike: parsers repeat an <a> that is closed too late, and that is no second link.
    lambda pieces: "".join(piece.replace("§", f"u{at}") for at, piece in enumerate(pieces))
)


@pytest.fixture
def desk() -> MessageHarness:
    made = MessageHarness()
    made.workspaces.save_settings("acme", WorkspaceSettings(cio_id=False, track_opens=False))
    return made


def ours(html: str) -> list[str]:
    return [place.href for place in find_links(HTML_LINKS, html, "html") if not place.find_pixel]


def of_html5lib(html: str) -> list[str]:
    tree = html5lib.parse(html, namespaceHTMLElements=False)
    names = ("a", "area", "{http://www.w3.org/2000/svg}a")
    return [e.get("href") for e in tree.iter() if e.tag in names and e.get("href") is not None]


def of_lexbor(html: str) -> list[str]:
    found = LexborHTMLParser(html).css("a[href], area[href]")
    return [node.attributes["href"] or "" for node in found]


@requires_emails
def test_links_of_real_emails_are_those_that_other_parsers_find():
    for path in EMAILS:
        source = OUTLOOK.sub("", path.read_text("utf-8", "replace"))
        expected = of_lexbor(source)
        assert sorted(ours(source)) == sorted(expected), path
        # html5lib lists elements that were moved out of tables elsewhere, hence in order of value
        assert sorted(set(of_html5lib(source))) == sorted(set(expected)), path


@requires_emails
def test_nothing_of_a_real_email_is_touched_but_the_values(desk: MessageHarness):
    for path in EMAILS:
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            source = file.read()
        first, *rest = LINK.split(desk.rewrite_content("html", source))
        assert source.startswith(first)
        at = len(first)
        for token, piece in zip(rest[::2], rest[1::2], strict=True):
            end = source.index(piece, at)
            written = entities.unescape(source[at:end])
            assert to_ascii_url(clean_href(written)) == SEALER.open(token).href, path
            at = end + len(piece)
        assert at == len(source), path


@settings(max_examples=3 * settings().max_examples)
@given(HTML)
def test_links_of_generated_html_are_those_that_another_parser_finds(html):
    note(repr(html))
    assert set(ours(html)) == set(of_lexbor(html))


@settings(max_examples=3 * settings().max_examples)
@given(st.lists(st.tuples(HTML, st.sampled_from("\"' "), st.text(max_size=8)), max_size=4))
def test_values_are_what_stands_between_the_quotes(parts):
    html = "".join(f"{before}<a href={q}{entities.escape(value)}{q}>" for before, q, value in parts)
    for place in find_links(HTML_LINKS, html, "html"):
        if place.find_pixel:
            continue
        quote = html[place.end : place.end + 1]
        if quote in ("'", '"') and html[place.start - 1 : place.start] == quote:
            assert quote not in html[place.start : place.end]
