"""Links in plain text as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waypost.rewrite.links.extractor import FLOWED_TEXT_LINKS, TEXT_LINKS, find_links
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
        (
            "go https://my_shop.e.com/x http://[::1]/y",
            ["https://my_shop.e.com/x", "http://[::1]/y"],
        ),
        ("*https://e.com/a* **https://e.com/b**", ["https://e.com/a", "https://e.com/b"]),
        ("`https://e.com/a` |https://e.com/b|", ["https://e.com/a", "https://e.com/b"]),
        ("https://e.com/a_(b_(c_[d]))/ x", ["https://e.com/a_(b_(c_[d]))/"]),
        ("((https://e.com/a)) https://e.com/b(", ["https://e.com/a", "https://e.com/b"]),
        (
            "https://e.com/?ids='1','2' '3 'https://e.com/?x='a''",
            ["https://e.com/?ids='1','2'", "https://e.com/?x='a'"],
        ),
        ("Mehr: https://e.com/a:", ["https://e.com/a"]),
        (
            "https://e.com/col\u00b7leccio\u0301 https://e.com/a\u00b7 b",
            ["https://e.com/col\u00b7leccio\u0301", "https://e.com/a"],
        ),
        ("여기 https://e.com/sale에서", ["https://e.com/sale"]),
        ("詳細はhttps://e.comをご覧", ["https://e.com"]),
        (
            "https://e.com/一覧 https://e.com/a-店 https://e.com/?q=店a店",
            ["https://e.com/一覧", "https://e.com/a-店", "https://e.com/?q=店a店"],
        ),
        ("See <https://e.com/very/\r\n  long?x=1> now", ["https://e.com/very/long?x=1"]),
        ("See <https://e.com/very/\nlong and more> now", ["https://e.com/very/"]),
    ],
)
def test_plain_text_url_ends_as_a_reader_expects(text, links):
    assert list_hrefs(text) == links


@pytest.mark.parametrize("text", ["https://e.comをご覧", "https://e.com/sale에서"])
def test_url_that_a_word_follows_without_a_space_is_reported(text):
    (link,) = find_links(TEXT_LINKS, text)
    assert link.warning == f"it ends before {text[link.end]}, without a space"


def test_url_goes_on_in_the_next_line_of_flowed_text():
    text = "Read https://e.com/very/ \r\nlong?x=1 now.  \r\nhttps://e.com/b  \r\nEnd"
    links = find_links(FLOWED_TEXT_LINKS, text)
    assert [link.href for link in links] == ["https://e.com/very/long?x=1", "https://e.com/b"]
    assert text[links[0].start : links[0].end] == "https://e.com/very/ \r\nlong?x=1"


# Of ASCII, # % & @ and / after a URL belong to it.
EDGES = st.characters(codec="utf-8", categories=["Pe", "Pf", "Po", "So", "Zs"])


@given(
    st.text(EDGES, max_size=4),
    st.from_regex(
        r"https?://([a-z0-9]+\.){1,2}[a-z]{2,5}(/[A-Za-z0-9_~-]+){0,3}/?(\?[a-z]+=[a-z0-9%]+)?",
        fullmatch=True,
    ),
    st.text(EDGES.filter(lambda c: c not in "&%#@/"), max_size=4),
)
def test_url_between_punctuation_and_symbols_is_found_whole(before, url, after):
    assert list_hrefs(f"{before}{url}{after}")[:1] == [url]
    assert list_hrefs(f"{before}{url}{after} end")[:1] == [url]


def test_plain_text_url_over_the_length_limit_is_not_tracked():
    assert list_hrefs("https://e.com/" + "a" * MAX_TEXT_URL_LENGTH) == []


@pytest.mark.heavy
@pytest.mark.parametrize(
    "unit", ["http://", "http://a.b/'", 'http://a.b/"', "http://a.b/([{", "a@", "'", ".."]
)
def test_megabyte_of_url_starts_is_searched_to_the_end(unit):
    text = unit * (1_000_000 // len(unit)) + " https://e.com/last"
    assert list_hrefs(text)[-1] == "https://e.com/last"
