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

from waypost.errors import MalformedItem, NotFound
from waypost.ids import CampaignCode, LinkCode, WorkspaceCode, campaign_code, workspace_code
from waypost.models.attributes import rfc3339
from waypost.models.campaign import Campaign, Link
from waypost.models.counters import CampaignCounts, Counts
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
    Step,
    TopLinks,
)
from waypost.reports.time_series import WHOLE, Span, named_zone, points
from waypost.repositories.corrupt_items import tell_damaged
from waypost.repositories.pagination import Page


def share(part: int, whole: int) -> float:
    """A part of a whole, rounded to a hundredth of a percent. At most 1: a click may be counted
    while its delivery is not yet.
    """
    return round(min(part / whole, 1), 4) if whole else 0.0


def ranked(links: Iterable[Link], counts: CampaignCounts) -> list[LinkFigures]:
    """Links with their figures, most clicked first, equals as the message has them."""
    figures = [
        figures_of(link, counts.links.get(link.code, Counts()), counts.total.total)
        for link in links
    ]
    return sorted(figures, key=lambda link: (-link.total, link.position, link.link))


def figures_of(link: Link, counts: Counts, clicks: int) -> LinkFigures:
    """One link's figures. ``clicks``: all of its campaign."""
    return LinkFigures(
        link=link.code,
        url=link.definition.url,
        tag=link.definition.tag,
        position=link.definition.position,
        total=counts.total,
        unique=counts.people,
        human=counts.human,
        machine=counts.machine,
        share=share(counts.total, clicks),
    )


def grouped(links: Sequence[LinkFigures], by: Grouping) -> list[GroupFigures]:
    """Links taken together by a name, most clicked first; those without one are left out."""
    names = {link.link: _name(link, by) for link in links}
    named = sorted((link for link in links if names[link.link]), key=lambda k: names[k.link])
    groups = [
        _group(name, list(group)) for name, group in groupby(named, key=lambda k: names[k.link])
    ]
    return sorted(groups, key=lambda group: -group.total)


def _name(link: LinkFigures, by: Grouping) -> str:
    match by:
        case "tag":
            return link.tag or ""
        case "url":
            return link.url
    return link.link


def _group(name: str, links: Sequence[LinkFigures]) -> GroupFigures:
    return GroupFigures(
        name=name,
        links=[link.link for link in links],
        total=sum(link.total for link in links),
        unique=links[0].unique if len(links) == 1 else None,
        human=sum(link.human for link in links),
        machine=sum(link.machine for link in links),
        share=min(1.0, round(sum(link.share for link in links), 4)),
    )


MOST_BYTES: Final = 4_000_000
"""Of what is listed in an answer; the rest of it comes on top."""

Listed = TypeVar("Listed", bound=BaseModel)


def bytes_of(part: BaseModel) -> int:
    """What it takes in an answer: as JSON in the JSON in which a function answers, the inner one in
    ASCII.
    """
    return len(json.dumps(json.dumps(part.model_dump())))


def with_room(listed: Sequence[Listed], limit: int) -> list[Listed]:
    """As many from the beginning as are asked for, and as an answer has room for."""
    size = 0
    for at, each in enumerate(listed[:limit]):
        size += bytes_of(each)
        if size > MOST_BYTES:
            return list(listed[:at])
    return list(listed[:limit])


MOST_CAMPAIGNS: Final = 100
"""Of a page of the list."""
MOST_LINKS: Final = 1_000
"""Of a report. A campaign has more only where every recipient has links of their own."""


class Campaigns(Protocol):
    """What is read of campaigns (``waypost.repositories.campaigns``)."""

    def campaign(self, campaign: CampaignCode) -> Campaign | None: ...
    def of_workspace(
        self, workspace: WorkspaceCode, *, cursor: str | None, limit: int
    ) -> Page[Campaign]: ...
    def headlines(
        self, campaigns: Collection[CampaignCode]
    ) -> Mapping[CampaignCode, CampaignCounts]: ...
    def links(self, campaign: CampaignCode) -> list[Link]: ...
    def find_links(self, codes: Collection[LinkCode]) -> dict[LinkCode, Link]: ...
    def counts(self, campaign: CampaignCode) -> CampaignCounts: ...


@dataclass(frozen=True, slots=True)
class CampaignReports:
    """Every method but the list raises NotFound for a campaign that was never seen, and
    MalformedItem where its figures cannot be read or be true.
    """

    campaigns: Campaigns

    def listed(self, workspace: str, cursor: str | None, limit: int) -> CampaignList:
        """Some of a workspace's campaigns, newest first, each with its headline figures; those are
        left out of which they cannot be read.

        Raises InvalidRequest for a cursor that no answer gave.
        """
        page = self.campaigns.of_workspace(workspace_code(workspace), cursor=cursor, limit=limit)
        known = [campaign for campaign in page.items if campaign.workspace == workspace]
        counts = self.campaigns.headlines([campaign.code for campaign in known])
        told = []
        for campaign in (each for each in known if each.code in counts):
            with suppress(MalformedItem):  # the log has been told by then
                told.append(_headline(campaign, _possible(campaign, counts[campaign.code])))
        return CampaignList(campaigns=told, cursor=page.cursor)

    def report(self, workspace: str, campaign: str) -> CampaignReport:
        """All figures of a campaign, its links most clicked first and with those nobody clicked."""
        known = self._known(workspace, campaign)
        counts = self._counts(known)
        links = ranked(self.campaigns.links(known.code), counts)
        shown, total = with_room(links, MOST_LINKS), counts.total
        return CampaignReport(
            campaign=known.name,
            kind=known.kind,
            channel=known.channel,
            first_seen=rfc3339(known.first_seen),
            deliveries=counts.sent,
            clicked=total.deliveries,
            clicked_share=share(total.deliveries, counts.sent),
            clicked_human=total.deliveries_human,
            opened=total.opened,
            opened_share=share(total.opened, counts.sent),
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

    def link(self, workspace: str, campaign: str, link: str) -> LinkFigures:
        """One link's figures. Raises NotFound for a link of another campaign, too."""
        known = self._known(workspace, campaign)
        code = LinkCode(link)
        found = self.campaigns.find_links([code]) if code.startswith(known.code) else {}
        if code not in found:
            raise NotFound("link", link)
        counts = self._counts(known)
        return figures_of(found[code], counts.links.get(code, Counts()), counts.total.total)

    def top_links(self, workspace: str, campaign: str, by: Grouping, limit: int) -> TopLinks:
        """The most clicked links, those with the same tag or URL taken together if asked for.

        By tag, links without one are left out. Fewer than ``limit`` where an answer has no room.
        """
        known = self._known(workspace, campaign)
        links = ranked(self.campaigns.links(known.code), self._counts(known))
        return TopLinks(campaign=known.name, by=by, links=with_room(grouped(links, by), limit))

    def series(
        self, workspace: str, campaign: str, step: Step, zone: str, span: Span = WHOLE
    ) -> Series:
        """Clicks over time in a named zone. Raises InvalidRequest for an unknown zone."""
        local = named_zone(zone)
        known = self._known(workspace, campaign)
        hours = self._counts(known).hours
        return Series(
            campaign=known.name, zone=zone, by=step, points=points(hours, step, local, span)
        )

    def _counts(self, campaign: Campaign) -> CampaignCounts:
        return _possible(campaign, self.campaigns.counts(campaign.code))

    def _known(self, workspace: str, campaign: str) -> Campaign:
        known = self.campaigns.campaign(campaign_code(workspace, campaign))
        if known is None or (known.workspace, known.name) != (workspace, campaign):
            raise NotFound("campaign", campaign)
        return known


def _possible(campaign: Campaign, counts: CampaignCounts) -> CampaignCounts:
    """Raises MalformedItem for figures below 0, and says so in the log."""
    if min(counts.sent, *counts.cells().values(), 0) < 0:
        why = MalformedItem(f"campaign {campaign.code} has figures below 0; a recount says which")
        tell_damaged("counter", why, campaign=campaign.code)
        raise why
    return counts


def _headline(campaign: Campaign, counts: CampaignCounts) -> CampaignHeadline:
    total = counts.total
    return CampaignHeadline(
        campaign=campaign.name,
        kind=campaign.kind,
        channel=campaign.channel,
        first_seen=rfc3339(campaign.first_seen),
        deliveries=counts.sent,
        opened=total.opened,
        opened_share=share(total.opened, counts.sent),
        clicked=total.deliveries,
        clicked_share=share(total.deliveries, counts.sent),
        clicks=total.total,
    )
