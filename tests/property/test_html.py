"""Links of real and generated HTML, compared with independent parsers."""

from __future__ import annotations

import html as entities
import re

import html5lib
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from tests.email_corpus import EMAILS, requires_emails
from tests.message_harness import LINK, SEALER, MessageHarness
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
    # Every href is different, because parsers repeat an <a> that is closed too late.
    lambda pieces: "".join(piece.replace("§", f"u{n}") for n, piece in enumerate(pieces))
)


@pytest.fixture
def messages() -> MessageHarness:
    harness = MessageHarness()
    harness.workspaces.save_settings("acme", WorkspaceSettings(cio_id=False, track_opens=False))
    return harness


def list_hrefs(html: str) -> list[str]:
    return [link.href for link in find_links(HTML_LINKS, html) if not link.find_pixel]


def list_html5lib_hrefs(html: str) -> list[str]:
    tree = html5lib.parse(html, namespaceHTMLElements=False)
    names = ("a", "area", "{http://www.w3.org/2000/svg}a")
    return [e.get("href") for e in tree.iter() if e.tag in names and e.get("href") is not None]


def list_lexbor_hrefs(html: str) -> list[str]:
    nodes = LexborHTMLParser(html).css("a[href], area[href]")
    return [node.attributes["href"] or "" for node in nodes]


@requires_emails
def test_links_of_real_emails_equal_those_of_other_parsers():
    for path in EMAILS:
        source = OUTLOOK.sub("", path.read_text("utf-8", "replace"))
        expected = list_lexbor_hrefs(source)
        assert sorted(list_hrefs(source)) == sorted(expected), path
        # html5lib lists elements that it moved out of tables elsewhere, so order is ignored
        assert sorted(set(list_html5lib_hrefs(source))) == sorted(set(expected)), path


@requires_emails
def test_only_link_values_of_a_real_email_change(messages: MessageHarness):
    for path in EMAILS:
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            source = file.read()
        first, *rest = LINK.split(messages.rewrite_content("html", source))
        assert source.startswith(first)
        position = len(first)
        for token, piece in zip(rest[::2], rest[1::2], strict=True):
            end = source.index(piece, position)
            destination = entities.unescape(source[position:end])
            assert to_ascii_url(clean_href(destination)) == SEALER.open(token).href, path
            position = end + len(piece)
        assert position == len(source), path


@settings(max_examples=3 * settings().max_examples)
@given(HTML)
def test_links_of_generated_html_equal_those_of_another_parser(html):
    note(repr(html))
    assert set(list_hrefs(html)) == set(list_lexbor_hrefs(html))


@settings(max_examples=3 * settings().max_examples)
@given(st.lists(st.tuples(HTML, st.sampled_from("\"' "), st.text(max_size=8)), max_size=4))
def test_link_value_never_contains_its_quote(parts):
    html = "".join(f"{before}<a href={q}{entities.escape(value)}{q}>" for before, q, value in parts)
    for link in find_links(HTML_LINKS, html):
        if link.find_pixel:
            continue
        quote = html[link.end : link.end + 1]
        if quote in ("'", '"') and html[link.start - 1 : link.start] == quote:
            assert quote not in html[link.start : link.end]
