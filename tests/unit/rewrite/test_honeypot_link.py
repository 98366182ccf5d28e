"""Test the hidden link that only bots follow, since they read the markup."""

from __future__ import annotations

import re

import pytest

from tests.rewrite_harness import BASE, RewriteHarness, list_texts
from waypost.bot_detection.honeypot import is_honeypot

PAGE = '<html><body><a href="https://a.example/">a</a></body></html>'
TRAP = re.compile(
    r'<a href="' + re.escape(BASE) + r'/e/c/([^"]+)" rel="nofollow" tabindex="-1" '
    r'aria-hidden="true" style="display:none;mso-hide:all"></a>'
)


def html(harness: RewriteHarness, **more: bool) -> str:
    return list_texts(harness.rewrite(content={"html": PAGE}, **more), "html")[0]


def test_requested_honeypot_is_inserted_before_the_end_of_the_body(
    harness: RewriteHarness,
) -> None:
    text = html(harness, honeypot=True, track_opens=False)
    [token] = TRAP.findall(text)
    assert TRAP.sub("", text).endswith("</a></body></html>")
    opened = harness.sealer.open(token)
    assert is_honeypot(opened.link)
    assert (opened.delivery, opened.person, opened.href) == ("d0", "p0", f"{BASE}/")


def test_honeypot_is_inserted_beside_the_pixel(harness: RewriteHarness) -> None:
    text = html(harness, honeypot=True)
    assert len(TRAP.findall(text)) == text.count("/e/o/") == 1


def test_each_recipient_has_their_own_honeypot_token(harness: RewriteHarness) -> None:
    answer = harness.rewrite(recipient_count=2, content={"html": PAGE}, honeypot=True)
    tokens = [TRAP.findall(text)[0] for text in list_texts(answer, "html")]
    assert [harness.sealer.open(token).person for token in tokens] == ["p0", "p1"]


def test_honeypot_is_not_in_the_link_report(harness: RewriteHarness) -> None:
    answer = harness.rewrite(content={"html": PAGE}, honeypot=True)
    assert [link["url"] for link in answer["links"]] == ["https://a.example/"]


@pytest.mark.parametrize("more", [{}, {"honeypot": True, "track": False}])
def test_message_without_the_option_has_no_honeypot(
    harness: RewriteHarness, more: dict[str, bool]
) -> None:
    assert TRAP.findall(html(harness, track_opens=False, **more)) == []


def test_other_links_are_not_honeypots(harness: RewriteHarness) -> None:
    [token] = re.findall(r"/e/c/([^\"]+)", html(harness, track_opens=False))
    assert not is_honeypot(harness.sealer.open(token).link)
