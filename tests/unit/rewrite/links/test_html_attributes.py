"""Attribute values, decoded and encoded as the HTML standard defines."""

import pytest
from html5lib import parse
from hypothesis import given
from hypothesis import strategies as st

from waypost.rewrite.links.html import decode_attribute, encode_attribute


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("?a=1&amp;b=2", "?a=1&b=2"),
        ("?a=1&#38;b=2", "?a=1&b=2"),
        ("?a=1&#x26;b=2", "?a=1&b=2"),
        ("?a=1&#X26;b=2", "?a=1&b=2"),
        ("?a=1&b=2", "?a=1&b=2"),
        ("?a=1&copy=2", "?a=1&copy=2"),
        ("?a=1&copy2", "?a=1&copy2"),
        ("?a=1&copy;=2", "?a=1©=2"),
        ("?a=1&copy", "?a=1©"),
        ("?a=1&copy&reg", "?a=1©®"),
        ("?a=1&amp", "?a=1&"),
        ("?a=1&ampx=2", "?a=1&ampx=2"),
        ("?a=1&amp;amp;b", "?a=1&amp;b"),
        ("?a=1&amp;copy=2", "?a=1&copy=2"),
        ("&lt;&gt;&quot;&apos;", "<>\"'"),
        ("&notit;", "&notit;"),
        ("&not it", "¬ it"),
        ("&#0;&#xD800;&#x110000;", "\ufffd\ufffd\ufffd"),
        ("&#128;", "€"),
        ("x\x00y", "x\ufffdy"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("&", "&"),
        ("&&amp;&", "&&&"),
    ],
)
def test_character_references_are_decoded_as_in_an_attribute(raw, value):
    assert decode_attribute(raw, '"') == value


@given(st.text(st.characters(codec="utf-8")))
def test_encoded_attribute_decodes_to_the_same_value_in_any_quotes(value):
    value = value.replace("\r", "").replace("\x00", "").replace("\x0c", "")
    encoded = encode_attribute(value)
    for quote in "\"'":
        link = parse(f"<a href={quote}{encoded}{quote}>", namespaceHTMLElements=False).find(".//a")
        assert link.get("href") == value


@given(st.text(alphabet="&ampcoylt;#x26=1 \"'éb", max_size=12))
def test_attribute_value_equals_that_of_html5lib(raw):
    quote = "'" if '"' in raw else '"'
    if quote in raw:
        return
    link = parse(f"<a href={quote}{raw}{quote}>", namespaceHTMLElements=False).find(".//a")
    assert decode_attribute(raw, quote) == link.get("href")
