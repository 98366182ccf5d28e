"""The figures of a campaign: what it came to, which links were clicked, and when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

from waypost.codes import CampaignCode, campaign_code
from waypost.errors import NotFound
from waypost.model.campaign import Campaign
from waypost.model.click import rfc3339
from waypost.model.counters import CampaignCounts, Counts
from waypost.model.link import Link
from waypost.reporting.answers import (
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
from waypost.reporting.series import WHOLE, Span, named_zone, points


class Campaigns(Protocol):
    """What is read of campaigns (``waypost.store.campaigns``)."""

    def campaign(self, campaign: CampaignCode) -> Campaign | None: ...
    def links(self, campaign: CampaignCode) -> list[Link]: ...
    def counts(self, campaign: CampaignCode) -> CampaignCounts: ...


@dataclass(frozen=True, slots=True)
class CampaignReports:
    """Every method raises NotFound for a campaign that was never seen."""

    campaigns: Campaigns

    def report(self, workspace: str, campaign: str) -> CampaignReport:
        """All figures of a campaign, its links most clicked first and with those nobody clicked."""
        known = self._known(workspace, campaign)
        counts = self.campaigns.counts(known.code)
        total = counts.total
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
            links=_ranked(self.campaigns.links(known.code), counts),
        )

    def top_links(self, workspace: str, campaign: str, by: Grouping, limit: int) -> TopLinks:
        """The most clicked links, those with the same tag or URL taken together if asked for.

        By tag, links without one are left out.
        """
        links = self.report(workspace, campaign).links
        return TopLinks(campaign=campaign, by=by, links=_grouped(links, by)[:limit])

    def series(
        self, workspace: str, campaign: str, step: Step, zone: str, span: Span = WHOLE
    ) -> Series:
        """Clicks over time in a named zone. Raises InvalidRequest for an unknown zone."""
        local = named_zone(zone)
        known = self._known(workspace, campaign)
        hours = self.campaigns.counts(known.code).hours
        return Series(
            campaign=known.name, zone=zone, by=step, points=points(hours, step, local, span)
        )

    def _known(self, workspace: str, campaign: str) -> Campaign:
        known = self.campaigns.campaign(campaign_code(workspace, campaign))
        if known is None or (known.workspace, known.name) != (workspace, campaign):
            raise NotFound("campaign", campaign)
        return known


def share(part: int, whole: int) -> float:
    """A part of a whole, rounded to a hundredth of a percent. At most 1: a click may be counted
    while its delivery is not yet.
    """
    return round(min(part / whole, 1), 4) if whole else 0.0


def _ranked(links: Iterable[Link], counts: CampaignCounts) -> list[LinkFigures]:
    figures = [
        _figures(link, counts.links.get(link.code, Counts()), counts.total.total) for link in links
    ]
    return sorted(figures, key=lambda link: (-link.total, link.position, link.link))


def _figures(link: Link, counts: Counts, clicks: int) -> LinkFigures:
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


def _grouped(links: Sequence[LinkFigures], by: Grouping) -> list[GroupFigures]:
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
