"""Clicks for tests, with ordinary values for all other fields."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from waypost.ids import CampaignId, LinkId, derive_campaign_id, derive_link_id
from waypost.models.click import Click

CAMPAIGN = derive_campaign_id("acme", "spring-sale")
SENT = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1"
)
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 "
    "(KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0"


def make_link_id(name: str, campaign: CampaignId = CAMPAIGN) -> LinkId:
    return derive_link_id(campaign, name)


def make_click(
    id_: str = "click-1",
    *,
    person: str | None = "p1",
    name: str = "home",
    after: float = 0.0,
    campaign: CampaignId = CAMPAIGN,
    **changes: object,
) -> Click:
    """Build a click ``after`` seconds after noon; ``name`` is the link's."""
    click = Click(
        id=id_,
        time=NOON + timedelta(seconds=after),
        link=make_link_id(name, campaign),
        position=1,
        delivery=f"d-{person}",
        person=person,
        href=f"https://example.com/{name}",
        agent=SAFARI,
        ip="203.0.113.0",
        country="DE",
        asn=3320,
        sent=int(SENT.timestamp()),
        expires=int(NOON.timestamp()) + 400 * 86_400,
    )
    return replace(click, **changes)  # type: ignore[arg-type]
