"""A link that nobody sees: whoever follows it reads markup, and is a machine."""

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


def html(office: RewriteHarness, **more: bool) -> str:
    return list_texts(office.rewrite(content={"html": PAGE}, **more), "html")[0]


def test_a_message_that_asks_for_it_has_one_before_the_end_of_its_body(
    office: RewriteHarness,
) -> None:
    text = html(office, honeypot=True, track_opens=False)
    [token] = TRAP.findall(text)
    assert TRAP.sub("", text).endswith("</a></body></html>")
    opened = office.sealer.open(token)
    assert is_honeypot(opened.link)
    assert (opened.delivery, opened.person, opened.href) == ("d0", "p0", f"{BASE}/")


def test_it_stands_beside_the_pixel(office: RewriteHarness) -> None:
    text = html(office, honeypot=True)
    assert len(TRAP.findall(text)) == text.count("/e/o/") == 1


def test_each_recipient_has_their_own(office: RewriteHarness) -> None:
    answer = office.rewrite(recipient_count=2, content={"html": PAGE}, honeypot=True)
    tokens = [TRAP.findall(text)[0] for text in list_texts(answer, "html")]
    assert [office.sealer.open(token).person for token in tokens] == ["p0", "p1"]


def test_it_is_not_among_the_links_that_are_reported(office: RewriteHarness) -> None:
    answer = office.rewrite(content={"html": PAGE}, honeypot=True)
    assert [link["url"] for link in answer["links"]] == ["https://a.example/"]


@pytest.mark.parametrize("more", [{}, {"honeypot": True, "track": False}])
def test_a_message_that_does_not_want_it_has_none(
    office: RewriteHarness, more: dict[str, bool]
) -> None:
    assert TRAP.findall(html(office, track_opens=False, **more)) == []


def test_other_links_are_no_honeypots(office: RewriteHarness) -> None:
    [token] = re.findall(r"/e/c/([^\"]+)", html(office, track_opens=False))
    assert not is_honeypot(office.sealer.open(token).link)
