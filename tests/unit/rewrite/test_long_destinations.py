"""Test that destinations too long for a link are stored once and restored in full."""

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
    """Build text that hardly compresses."""
    blocks = (hashlib.sha256(str(n).encode()).hexdigest() for n in range(length // 64 + 1))
    return "".join(blocks)[:length]


def tracked(harness: RewriteHarness, href: str, **more: Any) -> list[str]:
    html = f'<a href="{href}">x</a>'
    answer = harness.rewrite(content={"html": html}, track_opens=False, **more)
    assert all(link["round_trip"] for link in answer["links"])
    assert not [warning for warning in answer["warnings"] if "characters" in warning]
    found = [re.findall(r'href="([^"]+)"', text)[0] for text in list_texts(answer, "html")]
    assert all(link.startswith(f"{BASE}/e/c/") for link in found)
    return found


def lead(harness: RewriteHarness, link: str) -> str:
    return LinkResolver(harness.short_links).resolve_destination(
        harness.sealer.open(link.partition("/e/c/")[2])
    )


@pytest.mark.parametrize("length", [100, 1500, 2500, 4900])
def test_a_link_stays_within_what_outlook_opens_and_leads_to_the_whole(
    harness: RewriteHarness, length: int
) -> None:
    href = "https://example.com/?q=" + random_text(length)
    [link] = tracked(harness, href)
    assert len(link) < OUTLOOK
    assert lead(harness, link) == href


def test_ordinary_destinations_are_in_the_link_itself(harness: RewriteHarness) -> None:
    tracked(harness, "https://example.com/?q=" + "a=1;" * 200)
    assert harness.short_links._destinations == {}


def test_recipients_share_one_stored_destination_and_keep_their_parameter(
    harness: RewriteHarness,
) -> None:
    harness.save_settings(cio_id=True)
    href = "https://example.com/?q=" + random_text(3000)
    links = tracked(harness, href, recipient_count=5)
    assert len(harness.short_links._destinations) == 1
    for number, link in enumerate(links):
        assert f"_cio_id=p{number}" in lead(harness, link)


def test_no_message_is_returned_if_a_destination_cannot_be_stored(
    harness: RewriteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: object) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(harness.short_links, "add_destinations", away)
    with pytest.raises(StoreUnavailable):
        tracked(harness, "https://example.com/?q=" + random_text(3000))


def test_a_dry_run_stores_no_destination(harness: RewriteHarness) -> None:
    html = f'<a href="https://example.com/?q={random_text(3000)}">x</a>'
    answer = harness.rewrite(content={"html": html}, dry_run=True)
    assert answer["links"][0]["round_trip"] is True
    assert harness.short_links._destinations == {}
