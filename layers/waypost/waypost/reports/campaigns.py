"""Report a campaign's figures, its most clicked links and its clicks over time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from typing import Final, TypeVar

from pydantic import BaseModel

from waypost.errors import CorruptItem, NotFound
from waypost.ids import LinkId, derive_campaign_id
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
from waypost.repositories.campaigns import CampaignRepository
from waypost.repositories.corrupt_items import log_corrupt_item
from waypost.repositories.workspaces import WorkspaceRepository

MAX_CAMPAIGNS: Final = 100
"""Maximum number of campaigns in one page of the list."""
MAX_REPORT_LINKS: Final = 1_000
"""Maximum number of links in a report. A campaign has more if each recipient has other links."""
MAX_RESPONSE_BYTES: Final = 4_000_000
"""Limit for the listed items. A Lambda response has 6 MB; other fields need the difference."""

ListedItem = TypeVar("ListedItem", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class CampaignReportService:
    """Reports of campaigns.

    Methods raise AlreadyExists if the workspace's id belongs to another name. Those for one
    campaign raise NotFound for an unknown campaign and CorruptItem for figures that cannot be read
    or are negative.
    """

    campaigns: CampaignRepository
    workspaces: WorkspaceRepository

    def list_campaigns(self, workspace: str, cursor: str | None, limit: int) -> CampaignList:
        """List a page of campaigns with their headline figures, newest first.

        Campaigns with corrupt figures are omitted and logged.

        :raises InvalidRequest: when the cursor is not from an earlier response.
        """
        page = self.campaigns.list_by_workspace(
            self.workspaces.resolve_id(workspace), cursor=cursor, limit=limit
        )
        campaigns = [campaign for campaign in page.items if campaign.workspace == workspace]
        counts = self.campaigns.get_headline_counts([campaign.id for campaign in campaigns])
        headlines = []
        for campaign in campaigns:
            if campaign.id in counts:
                with suppress(CorruptItem):  # _check_counts has logged it
                    checked = _check_counts(campaign, counts[campaign.id])
                    headlines.append(_build_headline(campaign, checked))
        return CampaignList(campaigns=headlines, cursor=page.cursor)

    def get_report(self, workspace: str, campaign: str) -> CampaignReport:
        """Return all figures of a campaign and its links, most clicked first."""
        known = self._load_campaign(workspace, campaign)
        counts = self._load_counts(known)
        links = rank_links(self.campaigns.list_links(known.id), counts)
        listed, total = limit_to_response_size(links, MAX_REPORT_LINKS), counts.total
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
            links=listed,
            more_links=len(links) - len(listed),
        )

    def get_link(self, workspace: str, campaign: str, link: str) -> LinkFigures:
        """Return a link's figures.

        :raises NotFound: also when the link belongs to another campaign.
        """
        known = self._load_campaign(workspace, campaign)
        link_id = LinkId(link)
        links = self.campaigns.find_links([link_id]) if link_id.startswith(known.id) else {}
        if link_id not in links:
            raise NotFound("link", link)
        counts = self._load_counts(known)
        return build_link_figures(
            links[link_id], counts.links.get(link_id, ClickCounts()), counts.total.total
        )

    def list_top_links(
        self, workspace: str, campaign: str, grouping: Grouping, limit: int
    ) -> TopLinks:
        """List the most clicked links, or groups of links with the same tag or URL.

        By tag, links without a tag are omitted. Fewer than ``limit`` if the response is full.
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
        """Return clicks over time in a time zone.

        :raises InvalidRequest: when the zone is unknown or the range is invalid.
        """
        time_zone = parse_time_zone(zone)
        known = self._load_campaign(workspace, campaign)
        hours = self._load_counts(known).hours
        return Series(
            campaign=known.name,
            zone=zone,
            by=step,
            points=build_points(hours, step, time_zone, date_range),
        )

    def _load_counts(self, campaign: Campaign) -> CampaignCounts:
        return _check_counts(campaign, self.campaigns.get_counts(campaign.id))

    def _load_campaign(self, workspace: str, campaign: str) -> Campaign:
        self.workspaces.resolve_id(workspace)
        known = self.campaigns.get(derive_campaign_id(workspace, campaign))
        if known is None or (known.workspace, known.name) != (workspace, campaign):
            raise NotFound("campaign", campaign)
        return known


def _check_counts(campaign: Campaign, counts: CampaignCounts) -> CampaignCounts:
    """Return the counts, or raise CorruptItem and log it if a figure is negative."""
    if min(counts.sent, *counts.to_increments().values(), 0) < 0:
        error = CorruptItem(f"campaign {campaign.id}: negative figures; run a recount")
        log_corrupt_item("counter", error, campaign=campaign.id)
        raise error
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


def compute_ratio(part: int, whole: int) -> float:
    """Return a part of a whole, rounded to a hundredth of a percent.

    At most 1: a click may be counted before its delivery.
    """
    return round(min(part / whole, 1), 4) if whole else 0.0


def rank_links(links: Iterable[Link], counts: CampaignCounts) -> list[LinkFigures]:
    """Return the figures of links, most clicked first, then in the order of the message."""
    figures = [
        build_link_figures(link, counts.links.get(link.id, ClickCounts()), counts.total.total)
        for link in links
    ]
    return sorted(figures, key=lambda link: (-link.total, link.position, link.link))


def build_link_figures(link: Link, counts: ClickCounts, campaign_clicks: int) -> LinkFigures:
    """Return a link's figures. ``campaign_clicks``: all clicks of its campaign."""
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
    """Group links by tag, URL or id, most clicked first. By tag, omit links without a tag."""
    names = {link.link: _get_group_name(link, grouping) for link in links}
    named_links = sorted(
        (link for link in links if names[link.link]), key=lambda link: names[link.link]
    )
    groups = [
        _build_group(name, list(group))
        for name, group in groupby(named_links, key=lambda link: names[link.link])
    ]
    return sorted(groups, key=lambda group: -group.total)


def _get_group_name(link: LinkFigures, grouping: Grouping) -> str:
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


def measure_response_bytes(model: BaseModel) -> int:
    """Return a model's size in a Lambda response: ASCII JSON inside a JSON string."""
    return len(json.dumps(json.dumps(model.model_dump())))


def limit_to_response_size(items: Sequence[ListedItem], limit: int) -> list[ListedItem]:
    """Return the first ``limit`` items, or as many as fit into a response."""
    size = 0
    for index, item in enumerate(items[:limit]):
        size += measure_response_bytes(item)
        if size > MAX_RESPONSE_BYTES:
            return list(items[:index])
    return list(items[:limit])
