"""Safe and unsafe destinations, and parameters added to URLs."""

import pytest

from tests.forbidden_schemes import FORBIDDEN_SCHEMES
from waypost.errors import UnsafeDestination
from waypost.rewrite.url_parameters import add_parameters
from waypost.urls import (
    check_destination,
    clean_href,
    get_authority,
    get_common_url,
    get_host,
    get_scheme,
    normalize_url,
    to_ascii_url,
)

UTM = [("utm_source", "a b"), ("x", "é&=")]
ADDED = "utm_source=a+b&x=%C3%A9%26%3D"


@pytest.mark.parametrize(
    ("href", "expected"),
    [
        ("https://e.com", f"https://e.com?{ADDED}"),
        ("https://e.com/", f"https://e.com/?{ADDED}"),
        ("https://e.com/#top", f"https://e.com/?{ADDED}#top"),
        ("https://e.com/?", f"https://e.com/?{ADDED}"),
        ("https://e.com/?#", f"https://e.com/?{ADDED}#"),
        ("https://e.com/?a=1", f"https://e.com/?a=1&{ADDED}"),
        ("https://e.com/?a=1&", f"https://e.com/?a=1&{ADDED}"),
        ("https://e.com/?a=1;b=2", f"https://e.com/?a=1;b=2&{ADDED}"),
        ("https://e.com/?a=1;", f"https://e.com/?a=1;&{ADDED}"),
        ("https://e.com/?;", f"https://e.com/?;&{ADDED}"),
        ("https://e.com/?a=1;#b;", f"https://e.com/?a=1;&{ADDED}#b;"),
        ("https://e.com/?a[]=1&a[]=2", f"https://e.com/?a[]=1&a[]=2&{ADDED}"),
        ("https://e.com/#/route?y=1", f"https://e.com/?{ADDED}#/route?y=1"),
        ("https://e.com/a%2Fb+c?q=%20+", f"https://e.com/a%2Fb+c?q=%20+&{ADDED}"),
        ("https://u:p@e.com:8443/x", f"https://u:p@e.com:8443/x?{ADDED}"),
        ("https://例え.jp/é", f"https://例え.jp/é?{ADDED}"),
        ("https://e.com/?utm_source=mine", "https://e.com/?utm_source=mine&x=%C3%A9%26%3D"),
        ("https://e.com/?a=1;utm_source", f"https://e.com/?a=1;utm_source&{ADDED}"),
        ("https://e.com/?utm_source;a=1", f"https://e.com/?utm_source;a=1&{ADDED}"),
        ("https://e.com/?a&utm_source;a=1&x", "https://e.com/?a&utm_source;a=1&x&utm_source=a+b"),
        ("https://e.com/?utm%5Fsource=1&x=", "https://e.com/?utm%5Fsource=1&x="),
        ("https://e.com/#utm_source=1", f"https://e.com/?{ADDED}#utm_source=1"),
    ],
)
def test_parameters_precede_the_fragment_and_keep_present_keys(href, expected):
    assert add_parameters(href, UTM) == expected


def test_no_parameters_leave_the_url_unchanged():
    assert add_parameters("https://e.com/?", []) == "https://e.com/?"


def test_brackets_in_added_names_are_not_encoded():
    assert add_parameters("https://e.com/", [("tag[]", "1")]) == "https://e.com/?tag[]=1"


@pytest.mark.parametrize(
    "href",
    [
        "https://example.com",
        "HTTP://EXAMPLE.COM:8080/a?b#c",
        "http://[2001:db8::1]:80/",
        "http://192.0.2.1/",
        "https://xn--r8jz45g.jp/%E3%81%82",
        "https://例え.jp/あ",
        "mailto:a@example.com?subject=x",
        "tel:+49-30-123",
        "sms:+4930123",
        "myapp://open/7",
    ],
)
def test_safe_destination_is_accepted(href):
    check_destination(href, {"myapp"})


@pytest.mark.parametrize(
    ("href", "reason"),
    [
        ("javascript:alert(1)", "scheme javascript"),
        ("JavaScript://example.com/%0aalert(1)", "scheme javascript"),
        ("data:text/html,x", "scheme data"),
        ("vbscript:x", "scheme vbscript"),
        ("file:///etc/passwd", "scheme file"),
        ("ftp://example.com", "scheme ftp"),
        ("otherapp://x", "scheme otherapp"),
        ("//example.com", "no scheme"),
        ("example.com", "no scheme"),
        ("", "no scheme"),
        ("https:", "no host"),
        ("https://", "no host"),
        ("https:///x", "no host"),
        ("https:example.com", "no host"),
        ("https://?x", "no host"),
        ("https://:80/", "host name"),
        ("https://a b.com/", "host name"),
        ("https://a%62.com/", "host name"),
        ("https://example.com\\@evil.example/", "backslash"),
        ("https://example.com\\.evil.example/", "backslash"),
        ("https://example.com@evil.example/", "user name"),
        ("https://user:pw@example.com/", "user name"),
        ("https://example.com:99999/", "port"),
        ("https://example.com/\r\nSet-Cookie: x", "U+000D"),
        ("https://example.com/\x00", "U+0000"),
        ("https://example.com/\x85", "U+0085"),
        ("https://example.com/\u2028", "U+2028"),
        ("\thttps://example.com/", "U+0009"),
        ("https://example.com\t.evil.example", "U+0009"),
        ("mailto:", "nothing after"),
    ],
)
def test_unsafe_destination_is_rejected(href, reason):
    with pytest.raises(UnsafeDestination) as caught:
        check_destination(href)
    assert reason in caught.value.reason


@pytest.mark.parametrize("scheme", FORBIDDEN_SCHEMES)
def test_workspace_cannot_allow_a_scheme_that_runs_code_or_starts_handlers(scheme):
    with pytest.raises(UnsafeDestination, match="not allowed"):
        check_destination(f"{scheme}:x", {scheme})
    with pytest.raises(UnsafeDestination, match="not allowed"):
        check_destination(f"{scheme.upper()}://x/y", {scheme})


@pytest.mark.parametrize(
    "scheme", ["myapp", "msteams", "slack", "zoommtg", "itms-apps", "com.acme.shop", "searchapp"]
)
def test_workspace_can_allow_the_scheme_of_an_app(scheme):
    check_destination(f"{scheme}://open/7", {scheme})


@pytest.mark.parametrize(
    ("href", "expected"),
    [
        ("https://e.com/a%2Fb?x=y+z#é", "https://e.com/a%2Fb?x=y+z#%C3%A9"),
        ("https://bücher.example/ü?q=ü", "https://xn--bcher-kva.example/%C3%BC?q=%C3%BC"),
        ("https://e.com/a b", "https://e.com/a%20b"),
        ('https://e.com/{a}|b^c"<>', 'https://e.com/{a}|b^c"<>'),
        ("mailto:a@b.c?subject=ü x", "mailto:a@b.c?subject=%C3%BC%20x"),
    ],
)
def test_destination_is_converted_to_header_characters(href, expected):
    assert to_ascii_url(href) == expected


def test_invalid_host_has_no_ascii_form():
    with pytest.raises(UnsafeDestination):
        to_ascii_url("https://" + "ü" * 70 + ".example/")


@pytest.mark.parametrize(
    "spelling",
    ["https://e.com", "HTTPS://E.com/", " https://e.com:443/", "https://ｅ.com", "ht\ntps://e.com"],
)
def test_spellings_of_a_url_have_one_normal_form(spelling):
    assert normalize_url(spelling) == "https://e.com/"


def test_normal_form_keeps_what_distinguishes_urls():
    assert normalize_url("https://e.com/é?x#A") == normalize_url("https://e.com/%c3%a9?x#A")
    urls = [
        "https://e.com/A",
        "https://e.com/a",
        "http://e.com/a",
        "https://e.com:8443/a",
        "mailto:a@e.com",
    ]
    assert len(set(map(normalize_url, urls))) == len(urls)


def test_href_is_read_as_browsers_read_it():
    assert clean_href(" \x00\thttps://e.c\nom/\r\n ") == "https://e.com/"


def test_scheme_and_host_are_in_lower_case():
    assert get_scheme("HTTPS://x") == "https"
    assert get_scheme("/x:y") is None
    assert get_authority("https://u@E.com:8080/x") == "e.com:8080"
    assert get_host("https://u@E.com:8080/x") == "e.com"
    assert get_host("mailto:a@b.c") is None


@pytest.mark.parametrize(
    ("first", "second", "common"),
    [
        ("https://e.com/u?email=ada", "https://e.com/u?email=ben", "https://e.com/u"),
        ("https://e.com/u?n=1&email=a", "https://e.com/u?n=1&email=b", "https://e.com/u?n=1"),
        ("https://e.com/u?n=1", "https://e.com/u?n=1&email=b", "https://e.com/u?n=1"),
        ("https://e.com/u?n=1", "https://e.com/u?n=12", "https://e.com/u"),
        ("https://e.com/ada/home", "https://e.com/anna/home", "https://e.com/"),
        ("https://e.com/u/ada", "https://e.com/u", "https://e.com/u"),
        ("https://e.com#ada", "https://e.com#ben", "https://e.com"),
        ("https://e.com", "https://e.com/x", "https://e.com"),
        ("https://ada.e.com/", "https://ben.e.com/", ""),
        ("https://e.com/", "https://e.com.evil/", ""),
        ("https://e.com/", "http://e.com/", ""),
        ("mailto:ada@e.com", "mailto:ada@f.com", ""),
        ("", "https://e.com/", ""),
        ("https://e.com/x", "https://e.com/x", "https://e.com/x"),
    ],
)
def test_common_part_of_two_urls_ends_with_a_whole_part(
    first: str, second: str, common: str
) -> None:
    assert get_common_url(first, second) == common
    assert get_common_url(second, first) == common
