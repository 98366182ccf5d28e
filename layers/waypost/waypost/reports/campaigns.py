"""The figures of a campaign: what it came to, which links were clicked, and when.

Which links were clicked most, each by itself or several under one name.

How much fits into one answer of a function, which is 6 MB at most.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from typing import Final, Protocol, TypeVar

from pydantic import BaseModel

from waypost.errors import CorruptItem, NotFound
from waypost.ids import CampaignId, LinkId, WorkspaceId, derive_campaign_id, derive_workspace_id
from waypost.models.attributes import format_rfc3339
from waypost.models.campaign import Campaign, Link
from waypost.models.counters import CampaignCounts, ClickCounts
from waypost.reports.schemas import (
    CampaignHeadline,
    CampaignList,
    CampaignReport,
    ClickFigures,
    GroupFigures,
    Grouping,
    LinkFigures,
    OpenFigures,
    Series,
    SeriesStep,
    TopLinks,
)
from waypost.reports.time_series import FULL_RANGE, DateRange, build_points, parse_time_zone
from waypost.repositories.corrupt_items import log_corrupt_item
from waypost.repositories.pagination import Page


def compute_ratio(part: int, whole: int) -> float:
    """A part of a whole, rounded to a hundredth of a percent. At most 1: a click may be counted
    while its delivery is not yet.
    """
    return round(min(part / whole, 1), 4) if whole else 0.0


def rank_links(links: Iterable[Link], counts: CampaignCounts) -> list[LinkFigures]:
    """Links with their figures, most clicked first, equals as the message has them."""
    figures = [
        build_link_figures(link, counts.links.get(link.id, ClickCounts()), counts.total.total)
        for link in links
    ]
    return sorted(figures, key=lambda link: (-link.total, link.position, link.link))


def build_link_figures(link: Link, counts: ClickCounts, campaign_clicks: int) -> LinkFigures:
    """One link's figures. ``clicks``: all of its campaign."""
    return LinkFigures(
        link=link.id,
        url=link.definition.url,
        tag=link.definition.tag,
        position=link.definition.position,
        total=counts.total,
        unique=counts.people,
        human=counts.human,
        machine=counts.machine,
        share=compute_ratio(counts.total, campaign_clicks),
    )


def group_links(links: Sequence[LinkFigures], grouping: Grouping) -> list[GroupFigures]:
    """Links taken together by a name, most clicked first; those without one are left out."""
    names = {link.link: _group_name(link, grouping) for link in links}
    named = sorted((link for link in links if names[link.link]), key=lambda k: names[k.link])
    groups = [
        _build_group(name, list(group))
        for name, group in groupby(named, key=lambda k: names[k.link])
    ]
    return sorted(groups, key=lambda group: -group.total)


def _group_name(link: LinkFigures, grouping: Grouping) -> str:
    match grouping:
        case "tag":
            return link.tag or ""
        case "url":
            return link.url
    return link.link


def _build_group(name: str, links: Sequence[LinkFigures]) -> GroupFigures:
    return GroupFigures(
        name=name,
        links=[link.link for link in links],
        total=sum(link.total for link in links),
        unique=links[0].unique if len(links) == 1 else None,
        human=sum(link.human for link in links),
        machine=sum(link.machine for link in links),
        share=min(1.0, round(sum(link.share for link in links), 4)),
    )


MAX_RESPONSE_BYTES: Final = 4_000_000
"""Of what is listed in an answer; the rest of it comes on top."""

Listed = TypeVar("Listed", bound=BaseModel)


def measure_response_bytes(model: BaseModel) -> int:
    """What it takes in an answer: as JSON in the JSON in which a function answers, the inner one in
    ASCII.
    """
    return len(json.dumps(json.dumps(model.model_dump())))


def limit_to_response_size(items: Sequence[Listed], limit: int) -> list[Listed]:
    """As many from the beginning as are asked for, and as an answer has room for."""
    size = 0
    for at, each in enumerate(items[:limit]):
        size += measure_response_bytes(each)
        if size > MAX_RESPONSE_BYTES:
            return list(items[:at])
    return list(items[:limit])


MAX_CAMPAIGNS: Final = 100
"""Of a page of the list."""
MAX_REPORT_LINKS: Final = 1_000
"""Of a report. A campaign has more only where every recipient has links of their own."""


class CampaignReader(Protocol):
    """What is read of campaigns (``waypost.repositories.campaigns``)."""

    def get(self, campaign: CampaignId) -> Campaign | None: ...
    def list_by_workspace(
        self, workspace: WorkspaceId, *, cursor: str | None, limit: int
    ) -> Page[Campaign]: ...
    def get_headline_counts(
        self, campaigns: Collection[CampaignId]
    ) -> Mapping[CampaignId, CampaignCounts]: ...
    def list_links(self, campaign: CampaignId) -> list[Link]: ...
    def find_links(self, link_ids: Collection[LinkId]) -> dict[LinkId, Link]: ...
    def get_counts(self, campaign: CampaignId) -> CampaignCounts: ...


@dataclass(frozen=True, slots=True)
class CampaignReportService:
    """Every method but the list raises NotFound for a campaign that was never seen, and
    MalformedItem where its figures cannot be read or be true.
    """

    campaigns: CampaignReader

    def list_campaigns(self, workspace: str, cursor: str | None, limit: int) -> CampaignList:
        """Some of a workspace's campaigns, newest first, each with its headline figures; those are
        left out of which they cannot be read.

        Raises InvalidRequest for a cursor that no answer gave.
        """
        page = self.campaigns.list_by_workspace(
            derive_workspace_id(workspace), cursor=cursor, limit=limit
        )
        known = [campaign for campaign in page.items if campaign.workspace == workspace]
        counts = self.campaigns.get_headline_counts([campaign.id for campaign in known])
        told = []
        for campaign in (each for each in known if each.id in counts):
            with suppress(CorruptItem):  # the log has been told by then
                told.append(_build_headline(campaign, _check_counts(campaign, counts[campaign.id])))
        return CampaignList(campaigns=told, cursor=page.cursor)

    def get_report(self, workspace: str, campaign: str) -> CampaignReport:
        """All figures of a campaign, its links most clicked first and with those nobody clicked."""
        known = self._load_campaign(workspace, campaign)
        counts = self._load_counts(known)
        links = rank_links(self.campaigns.list_links(known.id), counts)
        shown, total = limit_to_response_size(links, MAX_REPORT_LINKS), counts.total
        return CampaignReport(
            campaign=known.name,
            kind=known.kind,
            channel=known.channel,
            first_seen=format_rfc3339(known.first_seen),
            deliveries=counts.sent,
            clicked=total.deliveries,
            clicked_share=compute_ratio(total.deliveries, counts.sent),
            clicked_human=total.deliveries_human,
            opened=total.opened,
            opened_share=compute_ratio(total.opened, counts.sent),
            opened_human=total.opened_human,
            probably_shared=total.shared,
            clicks=ClickFigures(
                total=total.total,
                unique=total.people,
                human=total.human,
                machine=total.machine,
                unique_human=total.people_human,
            ),
            opens=OpenFigures(
                total=total.opens, human=total.opens_human, machine=total.opens_machine
            ),
            links=shown,
            more_links=len(links) - len(shown),
        )

    def get_link(self, workspace: str, campaign: str, link: str) -> LinkFigures:
        """One link's figures. Raises NotFound for a link of another campaign, too."""
        known = self._load_campaign(workspace, campaign)
        code = LinkId(link)
        found = self.campaigns.find_links([code]) if code.startswith(known.id) else {}
        if code not in found:
            raise NotFound("link", link)
        counts = self._load_counts(known)
        return build_link_figures(
            found[code], counts.links.get(code, ClickCounts()), counts.total.total
        )

    def list_top_links(
        self, workspace: str, campaign: str, grouping: Grouping, limit: int
    ) -> TopLinks:
        """The most clicked links, those with the same tag or URL taken together if asked for.

        By tag, links without one are left out. Fewer than ``limit`` where an answer has no room.
        """
        known = self._load_campaign(workspace, campaign)
        links = rank_links(self.campaigns.list_links(known.id), self._load_counts(known))
        return TopLinks(
            campaign=known.name,
            by=grouping,
            links=limit_to_response_size(group_links(links, grouping), limit),
        )

    def get_series(
        self,
        workspace: str,
        campaign: str,
        step: SeriesStep,
        zone: str,
        date_range: DateRange = FULL_RANGE,
    ) -> Series:
        """Clicks over time in a named zone. Raises InvalidRequest for an unknown zone."""
        local = parse_time_zone(zone)
        known = self._load_campaign(workspace, campaign)
        hours = self._load_counts(known).hours
        return Series(
            campaign=known.name,
            zone=zone,
            by=step,
            points=build_points(hours, step, local, date_range),
        )

    def _load_counts(self, campaign: Campaign) -> CampaignCounts:
        return _check_counts(campaign, self.campaigns.get_counts(campaign.id))

    def _load_campaign(self, workspace: str, campaign: str) -> Campaign:
        known = self.campaigns.get(derive_campaign_id(workspace, campaign))
        if known is None or (known.workspace, known.name) != (workspace, campaign):
            raise NotFound("campaign", campaign)
        return known


def _check_counts(campaign: Campaign, counts: CampaignCounts) -> CampaignCounts:
    """Raises MalformedItem for figures below 0, and says so in the log."""
    if min(counts.sent, *counts.to_increments().values(), 0) < 0:
        why = CorruptItem(f"campaign {campaign.id} has figures below 0; a recount says which")
        log_corrupt_item("counter", why, campaign=campaign.id)
        raise why
    return counts


def _build_headline(campaign: Campaign, counts: CampaignCounts) -> CampaignHeadline:
    total = counts.total
    return CampaignHeadline(
        campaign=campaign.name,
        kind=campaign.kind,
        channel=campaign.channel,
        first_seen=format_rfc3339(campaign.first_seen),
        deliveries=counts.sent,
        opened=total.opened,
        opened_share=compute_ratio(total.opened, counts.sent),
        clicked=total.deliveries,
        clicked_share=compute_ratio(total.deliveries, counts.sent),
        clicks=total.total,
    )
