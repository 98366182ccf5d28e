"""Links in plain text as people write them."""

import pytest

from waypost.rewrite.links.extractor import TEXT_LINKS, find_links
from waypost.rewrite.links.plain_text import MAX_TEXT_URL_LENGTH


def list_hrefs(text: str) -> list[str]:
    return [link.href for link in find_links(TEXT_LINKS, text)]


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("see https://e.com/a.", ["https://e.com/a"]),
        (
            "https://e.com/a, https://e.com/b; https://e.com/c!",
            ["https://e.com/a", "https://e.com/b", "https://e.com/c"],
        ),
        ("is it https://e.com/a?", ["https://e.com/a"]),
        ("wait... https://e.com/a...", ["https://e.com/a"]),
        ("(https://e.com/a_(b))", ["https://e.com/a_(b)"]),
        ("[text](https://e.com/a)", ["https://e.com/a"]),
        ("<https://e.com/?a=1&b=2>", ["https://e.com/?a=1&b=2"]),
        ('"https://e.com/q"', ["https://e.com/q"]),
        ("'https://e.com/q'", ["https://e.com/q"]),
        ("it's https://e.com/it's", ["https://e.com/it's"]),
        ("„https://e.com/q“", ["https://e.com/q"]),
        ("HTTPS://E.COM/A", ["HTTPS://E.COM/A"]),
        (
            "http://localhost:8080/x http://192.0.2.1/",
            ["http://localhost:8080/x", "http://192.0.2.1/"],
        ),
        ("https://e.com/#/route?x=1", ["https://e.com/#/route?x=1"]),
        ("https://例え.jp/パス?x=é", ["https://例え.jp/パス?x=é"]),
        ("请看https://e.com/a。谢谢", ["https://e.com/a"]),
        ("https://e.com\r\nhttps://f.com\r\n", ["https://e.com", "https://f.com"]),
        ("\u200fhttps://e.com/a\u200e \u05d5\u05e2\u05d5\u05d3", ["https://e.com/a"]),
        ("https://e.com/a\u200b\u2060https://f.com\ufeff", ["https://e.com/a", "https://f.com"]),
        ("read on: https://e.com/a…", ["https://e.com/a"]),
        ("https://e.com/\u0645\u06cc\u200c\u0634", ["https://e.com/\u0645\u06cc\u200c\u0634"]),
        ("https://e.com/{{ token }}?x", ["https://e.com/{{ token }}?x"]),
        ("www.e.com e.com a@e.com ftp://e.com mailto:a@e.com", []),
        ("xhttps://e.com _https://e.com https: //e.com http://", []),
        ("https://user:pw@e.com/", ["https://user:pw@e.com/"]),
    ],
)
def test_plain_text_url_ends_as_a_reader_expects(text, links):
    assert list_hrefs(text) == links


def test_plain_text_url_over_the_length_limit_is_not_tracked():
    assert list_hrefs("https://e.com/" + "a" * MAX_TEXT_URL_LENGTH) == []


@pytest.mark.heavy
@pytest.mark.parametrize(
    "unit", ["http://", "http://a.b/'", 'http://a.b/"', "http://a.b/([{", "a@", "'", ".."]
)
def test_megabyte_of_url_starts_is_searched_to_the_end(unit):
    text = unit * (1_000_000 // len(unit)) + " https://e.com/last"
    assert list_hrefs(text)[-1] == "https://e.com/last"
