"""The figures of a campaign: what it came to, which links were clicked, and when."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

from waypost.errors import MalformedItem, NotFound
from waypost.ids import CampaignCode, LinkCode, WorkspaceCode, campaign_code, workspace_code
from waypost.model.link import Link
from waypost.model.times import rfc3339
from waypost.models.campaign import Campaign
from waypost.models.counters import CampaignCounts, Counts
from waypost.reporting.ranking import figures_of, grouped, ranked, share
from waypost.reporting.room import with_room
from waypost.reports.schemas import (
    CampaignHeadline,
    CampaignList,
    CampaignReport,
    ClickFigures,
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

MOST_CAMPAIGNS: Final = 100
"""Of a page of the list."""
MOST_LINKS: Final = 1_000
"""Of a report. A campaign has more only where every recipient has links of their own."""


class Campaigns(Protocol):
    """What is read of campaigns (``waypost.store.campaigns``)."""

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
