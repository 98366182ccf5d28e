"""Campaigns, links and figures in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from waypost.errors import Clash
from waypost.ids import (
    CampaignCode,
    LinkCode,
    WorkspaceCode,
    campaign_code,
    campaign_of,
    link_code,
    workspace_of,
)
from waypost.model.link import Link, LinkDefinition
from waypost.models.campaign import Campaign
from waypost.models.counters import SENT, CampaignCounts, Increments
from waypost.repositories.campaigns import PLACES
from waypost.repositories.pagination import Page, read_place, write_cursor


class MemoryCampaigns:
    """``waypost.store.campaigns.CampaignStore``."""

    def __init__(self) -> None:
        self._campaigns: dict[CampaignCode, Campaign] = {}
        self._links: dict[LinkCode, Link] = {}
        self._keys: set[tuple[CampaignCode, str]] = set()
        self._sent: Counter[CampaignCode] = Counter()
        self._signed: dict[str, Counter[CampaignCode]] = {}
        self._counters: dict[CampaignCode, Increments] = {}

    def open(
        self, workspace: str, campaign: str, *, kind: str, channel: str, now: datetime
    ) -> CampaignCode:
        code = campaign_code(workspace, campaign)
        new = Campaign(
            workspace=workspace, name=campaign, kind=kind, channel=channel, first_seen=now
        )
        stored = self._campaigns.setdefault(code, new)
        if (stored.workspace, stored.name) != (workspace, campaign):
            raise Clash("campaign", campaign, "its code belongs to another name")
        return code

    def campaign(self, campaign: CampaignCode) -> Campaign | None:
        return self._campaigns.get(campaign)

    def define_links(
        self, campaign: CampaignCode, links: Sequence[LinkDefinition], now: datetime
    ) -> list[LinkCode]:
        return [self._define(campaign, link, now) for link in links]

    def add_sent(
        self,
        campaign: CampaignCode,
        deliveries: int,
        idempotency_key: str | None,
        signed: Mapping[str, int] | None = None,
    ) -> bool:
        if idempotency_key is not None:
            if (campaign, idempotency_key) in self._keys:
                return False
            self._keys.add((campaign, idempotency_key))
        self._sent[campaign] += deliveries
        for fingerprint, links in (signed or {}).items():
            self._signed.setdefault(fingerprint, Counter())[campaign] += links
        return True

    def signed(self, fingerprint: str) -> dict[CampaignCode, int]:
        return dict(self._signed.get(fingerprint, {}))

    def of_workspace(
        self, workspace: WorkspaceCode, *, cursor: str | None, limit: int
    ) -> Page[Campaign]:
        before = read_place(cursor, PLACES) if cursor is not None else "~"
        listed = [
            campaign
            for code, campaign in self._campaigns.items()
            if workspace_of(code) == workspace and campaign.place < before
        ]
        listed.sort(key=lambda campaign: campaign.place, reverse=True)
        found = listed[:limit]
        return Page(found, write_cursor(found[-1].place) if len(listed) > limit else None)

    def codes_of_workspace(
        self, workspace: WorkspaceCode, *, cursor: str | None, limit: int
    ) -> Page[CampaignCode]:
        page = self.of_workspace(workspace, cursor=cursor, limit=limit)
        return Page([campaign.code for campaign in page.items], page.cursor)

    def headlines(self, campaigns: Collection[CampaignCode]) -> dict[CampaignCode, CampaignCounts]:
        counts = {code: self.counts(code) for code in campaigns}
        return {code: CampaignCounts(sent=c.sent, total=c.total) for code, c in counts.items()}

    def list_known(self) -> int:
        return 0  # nothing here was noted before there was a list

    def links(self, campaign: CampaignCode) -> list[Link]:
        return [link for link in self._links.values() if campaign_of(link.code) == campaign]

    def find_links(self, codes: Collection[LinkCode]) -> dict[LinkCode, Link]:
        return {code: self._links[code] for code in codes if code in self._links}

    def counts(self, campaign: CampaignCode) -> CampaignCounts:
        figures: dict[str, dict[str, int]] = {SENT: {SENT: self._sent[campaign]}}
        for (counter, figure), value in self._counters.get(campaign, Counter()).items():
            figures.setdefault(counter, {})[figure] = value
        return CampaignCounts.of(figures.items())

    def add(self, campaign: CampaignCode, increments: Increments) -> None:
        """Move figures; what the transactions of ``MemoryRecipients`` do."""
        counters = self._counters.setdefault(campaign, Counter())
        for cell, value in increments.items():
            counters[cell] += value

    def _define(
        self, campaign: CampaignCode, definition: LinkDefinition, now: datetime
    ) -> LinkCode:
        attempt = 0
        while True:
            code = link_code(campaign, definition.identity, attempt)
            owner = self._links.setdefault(code, Link(code, definition, now))
            if owner.definition.identity == definition.identity:
                return code
            attempt += 1
