"""Destinations too long for a link: stored once, restored whole."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import pytest

from tests.rewrite_harness import BASE, RewriteHarness, list_texts
from waypost.errors import StoreUnavailable
from waypost.redirect.service import LinkResolver

OUTLOOK = 2048


def random_text(length: int) -> str:
    """Characters that deflate to hardly less."""
    blocks = (hashlib.sha256(str(n).encode()).hexdigest() for n in range(length // 64 + 1))
    return "".join(blocks)[:length]


def tracked(office: RewriteHarness, href: str, **more: Any) -> list[str]:
    html = f'<a href="{href}">x</a>'
    answer = office.rewrite(content={"html": html}, track_opens=False, **more)
    assert all(link["round_trip"] for link in answer["links"])
    assert not [warning for warning in answer["warnings"] if "characters" in warning]
    found = [re.findall(r'href="([^"]+)"', text)[0] for text in list_texts(answer, "html")]
    assert all(link.startswith(f"{BASE}/e/c/") for link in found)
    return found


def lead(office: RewriteHarness, link: str) -> str:
    return LinkResolver(office.short_links).resolve_destination(
        office.sealer.open(link.partition("/e/c/")[2])
    )


@pytest.mark.parametrize("length", [100, 1500, 2500, 4900])
def test_a_link_stays_within_what_outlook_opens_and_leads_to_the_whole(
    office: RewriteHarness, length: int
) -> None:
    href = "https://example.com/?q=" + random_text(length)
    [link] = tracked(office, href)
    assert len(link) < OUTLOOK
    assert lead(office, link) == href


def test_ordinary_destinations_are_in_the_link_itself(office: RewriteHarness) -> None:
    tracked(office, "https://example.com/?q=" + "a=1;" * 200)
    assert office.short_links._destinations == {}


def test_recipients_share_one_stored_destination_and_keep_their_parameter(
    office: RewriteHarness,
) -> None:
    office.save_settings(cio_id=True)
    href = "https://example.com/?q=" + random_text(3000)
    links = tracked(office, href, recipient_count=5)
    assert len(office.short_links._destinations) == 1
    for number, link in enumerate(links):
        assert f"_cio_id=p{number}" in lead(office, link)


def test_nothing_is_handed_over_while_a_destination_cannot_be_stored(
    office: RewriteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: object) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(office.short_links, "add_destinations", away)
    with pytest.raises(StoreUnavailable):
        tracked(office, "https://example.com/?q=" + random_text(3000))


def test_a_dry_run_stores_no_destination(office: RewriteHarness) -> None:
    html = f'<a href="https://example.com/?q={random_text(3000)}">x</a>'
    answer = office.rewrite(content={"html": html}, dry_run=True)
    assert answer["links"][0]["round_trip"] is True
    assert office.short_links._destinations == {}
