"""Unsafe destinations are refused when a link is signed, and when it is clicked."""

from __future__ import annotations

import re
from dataclasses import replace
from html import escape
from random import Random

import pytest

from tests.redirect_harness import RedirectHarness, make_request
from tests.rewrite_harness import RewriteHarness
from tests.trust.attempts import count_attempts
from waypost.errors import MalformedToken, UnsafeDestination
from waypost.ids import extract_campaign_id
from waypost.tokens import ClickToken
from waypost.urls import check_destination, clean_href, get_host, get_scheme, to_ascii_url

NEVER = {
    "scheme that runs": "javascript:alert(1)",
    "scheme that runs, in capitals": "JaVaScRiPt:alert(1)",
    "scheme that runs, as a host": "javascript://example.com/%0aalert(1)",
    "scheme that shows": "data:text/html,<script>alert(1)</script>",
    "scheme that reads": "file:///etc/passwd",
    "scheme of a viewer": "view-source:https://example.com/",
    "scheme of a diagnostic tool": "ms-msdt:/id PCWDiagnostic /param IT_BrowseForFile=x",
    "scheme that starts an app": "intent://evil.example#Intent;scheme=https;end",
    "scheme of old scripts": "livescript:alert(1)",
    "scheme of an internal page": "chrome://settings",
    "scheme nobody listed": "otherapp://open",
    "no scheme": "//evil.example/",
    "no scheme, three slashes": "///evil.example/",
    "no scheme, backslashes": "\\\\evil.example/",
    "a path": "/evil",
    "nothing": "",
    "no host": "https:///evil.example",
    "one slash": "https:/evil.example",
    "backslashes for slashes": "https:\\\\evil.example",
    "backslash in the host": "https://example.com\\@evil.example/",
    "wide backslash in the host": "https://example.com\uff3c.evil.example/",
    "user name": "https://example.com@evil.example/",
    "user and password": "https://example.com:443@evil.example/",
    "wide at sign": "https://example.com\uff20evil.example/",
    "encoded at sign": "https://example.com%40evil.example/",
    "wide slash": "https://evil.example\uff0f.example.com/",
    "wide question mark": "https://evil.example\uff1f.example.com/",
    "wide number sign": "https://evil.example\uff03.example.com/",
    "account-of sign": "https://evil.example\u2100.example.com/",
    "number with a full stop": "https://\u2488evil.example/",
    "two full stops in one": "https://example\u2025com/",
    "wide full stop beside a sharp s": "https://stra\u00dfe\u2024evil.example/",
    "number with a full stop beside a sharp s": "https://\u00df\u2488evil.example/",
    "wide colon": "https://example.com\uff1a8080/",
    "wide digits of a port": "https://example.com:\uff18\uff10/",
    "zero-width space in the host": "https://exam\u200bple.com/",
    "joiner in the host": "https://exam\u200dple.com/",
    "soft hyphen in the host": "https://exam\u00adple.com/",
    "text turned round in the host": "https://exam\u202eple.com/",
    "port that does not exist": "https://example.com:65536/",
    "new line": "https://example.com/\nlocation: https://evil.example/",
    "carriage return": "https://example.com/\rset-cookie: a=b",
    "CRLF": "https://example.com/\r\n\r\n<script>alert(1)</script>",
    "null": "https://example.com/\x00.evil.example",
    "tab in the host": "https://exam\tple.com/",
    "delete": "https://example.com/\x7f",
    "space in the host": "https://example.com .evil.example/",
    "new line in another scheme": "mailto:a@example.com\r\nbcc: b@example.com",
}
ENCODED = {
    "line separator": ("https://example.com/\u2028", "https://example.com/%E2%80%A8"),
    "next line": ("https://example.com/\x85a: b", "https://example.com/%C2%85a:%20b"),
    "text turned round": ("https://example.com/\u202etxt", "https://example.com/%E2%80%AEtxt"),
}
LOOKALIKES = {
    "Cyrillic": ("https://аррӏе.com/", "https://xn--80ak6aa92e.com/"),
    "wide letters": ("https://ｅｘａｍｐｌｅ.com/", "https://example.com/"),
    "letters in circles": ("https://ⓔxample.com/", "https://example.com/"),
    "wide dot": ("https://evil。example/", "https://evil.example/"),
    "sharp s": ("https://straße.example/", "https://xn--strae-oqa.example/"),
    "capital sharp s": ("https://STRAẞE.example/", "https://xn--strae-oqa.example/"),
    "final sigma": ("https://ελλάς.example/", "https://xn--hxarsa0b.example/"),
    "with a port": ("https://bücher.example:8443/ü", "https://xn--bcher-kva.example:8443/%C3%BC"),
}
READ_AS_SAFE = {"new line", "carriage return", "CRLF", "tab in the host", "null"}
"""What HTML and browsers read without the character that is refused."""
HEADER = frozenset(map(chr, range(0x21, 0x7F)))
"""What may stand in a Location header: visible ASCII."""


@pytest.mark.parametrize("name", NEVER)
def test_unsafe_destination_is_not_signed(name: str) -> None:
    with pytest.raises(UnsafeDestination):
        check_destination(to_ascii_url(NEVER[name]))


@pytest.mark.parametrize(
    "name", sorted(NEVER.keys() - {"scheme nobody listed"})
)  # then, it was listed
def test_signed_unsafe_destination_does_not_redirect(
    harness: RedirectHarness, token: ClickToken, name: str
) -> None:
    text = harness.sealer.seal(_with(token, NEVER[name]))
    with pytest.raises(MalformedToken):
        harness.redirect_service.handle_click(text, make_request())
    assert list(harness.clicks.scan_by_campaign(extract_campaign_id(token.link))) == []


@pytest.mark.parametrize("name", LOOKALIKES)
def test_host_is_normalized_as_browsers_do(
    harness: RedirectHarness, token: ClickToken, name: str
) -> None:
    href, shown = LOOKALIKES[name]
    assert to_ascii_url(href) == shown
    arrival = harness.redirect_service.handle_click(
        harness.sealer.seal(_with(token, href)), make_request()
    )
    assert arrival.location == shown


def test_redirect_to_another_tracker_keeps_its_url(
    harness: RedirectHarness, token: ClickToken
) -> None:
    """A URL inside the query is text; it is not Waypost's destination."""
    inner = "https://other.example/r?to=javascript:alert(1)&u=//evil.example"
    arrival = harness.redirect_service.handle_click(
        harness.sealer.seal(_with(token, inner)), make_request()
    )
    assert arrival.location == inner


def test_location_header_is_one_line_for_any_signed_url(
    harness: RedirectHarness, token: ClickToken, random: Random
) -> None:
    pieces = [
        *(
            "https://",
            "http://",
            "example.com",
            "evil.example",
            "/",
            "\\",
            "@",
            ":",
            "#",
            "?",
            "%0d",
        ),
        *(
            "\r",
            "\n",
            "\t",
            "\x00",
            "\x0b",
            "\u2028",
            "\x85",
            "ü",
            "ß",
            "／",
            "＠",
            "。",
            " ",
            "🎈",
            "[",
        ),
        *("]", "80", "xn--", "-", ".", "\u200d", "\ud7ff", "javascript:", "mailto:", "data:", "%"),
    ]
    followed = 0
    for _ in range(count_attempts(short=3_000, long=300_000)):
        href = "".join(random.choices(pieces, k=random.randint(1, 8)))
        if random.random() < 0.7:
            href = "https://example.com" + href
        try:
            arrival = harness.redirect_service.handle_click(
                harness.sealer.seal(_with(token, href)), make_request("HEAD")
            )
        except MalformedToken:
            continue
        followed += 1
        assert set(arrival.location) <= HEADER, ascii(href)
        check_destination(arrival.location, {get_scheme(arrival.location) or ""})
    assert followed > 100


@pytest.mark.parametrize("name", NEVER)
def test_message_with_an_unsafe_destination_leaves_it_untracked(name: str) -> None:
    office = RewriteHarness()
    content = {"html": f'<a href="{escape(NEVER[name])}">x</a>'}
    answer = office.rewrite(kind="newsletter", channel="email", content=content)
    sent = str(answer["deliveries"][0]["content"]["html"])
    for text in re.findall(r"/e/c/([\w-]+/[\w-]+)", sent):
        href = office.sealer.open(text).href  # as browsers read it: line breaks taken out
        assert set(href) <= HEADER
        check_destination(href)
        assert (get_host(href) or "").startswith(("example.com", "evil.example"))
        assert get_host(href) == get_host(clean_href(NEVER[name]).replace("\\", "/"))
    assert name in READ_AS_SAFE or not any(link["tracked"] for link in answer["links"])


@pytest.mark.parametrize("name", ENCODED)
def test_line_breaks_in_a_destination_are_encoded(name: str) -> None:
    href, encoded = ENCODED[name]
    assert to_ascii_url(href) == encoded


def _with(token: ClickToken, href: str) -> ClickToken:
    return replace(token, href=href)
