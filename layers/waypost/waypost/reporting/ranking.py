"""Which links were clicked most, each by itself or several under one name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from waypost.model.link import Link
from waypost.models.counters import CampaignCounts, Counts
from waypost.reports.schemas import GroupFigures, Grouping, LinkFigures


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
