"""International host names in the form that browsers request."""

import subprocess
import sys

import pytest

from waypost.errors import UnsafeDestination
from waypost.international_hosts import to_ascii_name
from waypost.urls import get_authority, parse_href


@pytest.mark.parametrize(
    ("name", "ascii_name"),
    [
        ("ΟΔΟΣ.example", "xn--pxavbq.example"),  # the last sigma of capitals is not final
        ("faß.example", "xn--fa-hia.example"),
        ("葛\U000e0100城.example", "xn--uisr05h.example"),  # a variation selector is ignored
        ("I♥NY.example", "xn--iny-zx5a.example"),
        ("🎉.example", "xn--dk8h.example"),
        ("my_größe.example", "xn--my_gre-fta7p.example"),
        ("نامه\u200cای.example", "xn--mgba3gch31f060k.example"),  # Persian needs the non-joiner
        ("क्\u200dष.example", "xn--11b2ezcw70k.example"),  # a joiner after a virama
        ("BÜCHER。example．com", "xn--bcher-kva.example.com"),
        ("ｅｘａｍｐｌｅ.com", "example.com"),
        ("bücher.xn--bcher-kva.example", "xn--bcher-kva.xn--bcher-kva.example"),
        ("bücher.example.", "xn--bcher-kva.example."),
        ("XN--A.example", "xn--a.example"),  # browsers do not decode names in ASCII
    ],
)
def test_name_has_the_form_that_browsers_request(name, ascii_name):
    assert to_ascii_name(name) == ascii_name


@pytest.mark.parametrize(
    "name",
    [
        "\u0301a.example",  # a combining mark without a letter
        "ex\u200damp.example",
        "ex\u200camp.example",
        "\u200dö.example",
        "اa.example",  # letters of both directions in one label
        "ö.א1a.example",
        "٠א۰.example",  # two kinds of digits in one label
        "ö.xn--a.example",
        "ö.xn--zzzzzzzzz9.example",
        "ö.xn--bcher-kva1.example",
        "xn--ü.example",
        "\u2488example.com",
        "example\u2025com",
        "\ufffd.example",
        "\U0001ffff.example",
        "e\U0003d000.example",  # of Unicode 18
        "ö..example",
        "。",
        "ü" * 70 + ".example",
    ],
)
def test_name_that_browsers_reject_has_no_form(name):
    with pytest.raises(UnicodeError):
        to_ascii_name(name)


@pytest.mark.parametrize(
    "href",
    [
        "https://256.256.256.256/",
        "https://1.2.3.4.5/",
        "https://shop.example.7/",
        "https://a.0x/",
        "https://127.0.0.09/",
        "https://" + "9" * 5_000 + "/",
        "https://4294967296/",
        "https://[::1.2.3]/",
        "https://[1:2:3:4:5:6:7:8:9]/",
        "https://[::1/",
    ],
)
def test_number_that_is_no_address_is_rejected(href):
    with pytest.raises(UnsafeDestination, match="host"):
        parse_href(href).to_destination()


@pytest.mark.parametrize(
    "href",
    [
        "https://192.0.2.7/x",
        "https://192.0.2.7./x",
        "https://0xc0.0.0x207/",
        "https://0300.0.2.7/",
        "https://3221225991/",
        "https://[2001:db8::192.0.2.7]:8443/",
        "https://7.shop.example/",
        "https://shop.example7/",
        "https://my_shop.example/",
    ],
)
def test_host_that_browsers_accept_is_kept(href):
    assert parse_href(href).to_destination() == href


def test_own_host_is_found_in_any_spelling():
    assert get_authority("https://Ｃlick．acme.com:8443/e/c/x") == "click.acme.com:8443"


def test_plain_hosts_do_not_load_the_tables():
    code = (
        "import sys; from waypost.urls import check_destination, parse_href, to_ascii_url\n"
        "for href in ('https://e.example/a', 'https://xn--bcher-kva.example/a b'):\n"
        "    parse_href(href).to_destination(); to_ascii_url(href)\n"
        "    check_destination(to_ascii_url(href))\n"
        "sys.exit('idna' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
