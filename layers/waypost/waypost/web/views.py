"""What the pages of one campaign show, to whom.

What the pages of a whole workspace show, to whom.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from waypost.api.workspace_settings import Configuration
from waypost.domains.service import Manager
from waypost.errors import NotFound
from waypost.ids import CampaignCode, campaign_code
from waypost.models.campaign import SentMessage
from waypost.reports.campaigns import CampaignReports
from waypost.reports.people import TYPES, Format, PeopleReports, Segments
from waypost.reports.schemas import LinkFigures, Series, Step
from waypost.reports.share_links import Scope
from waypost.repositories.messages import MessageStore
from waypost.responses import Response
from waypost.web import charts
from waypost.web import click_map as maps
from waypost.web.access import Access, Asked
from waypost.web.rendering import address, framed, page

_CAMPAIGNS: Final = 25
_CLICKS: Final = 50


@dataclass(frozen=True, slots=True)
class Reports:
    """What pages are made of; nothing here writes."""

    campaigns: CampaignReports
    people: PeopleReports
    messages: MessageStore
    configuration: Configuration
    domains: Manager


def workspace(reports: Reports, access: Access, asked: Asked) -> Response:
    """Where a workspace's visitor starts: its campaigns, and what else to look up."""
    scope = access.to(asked.workspace)
    listed = reports.campaigns.listed(asked.workspace, asked.cursor, _CAMPAIGNS)
    return page("workspace.html", scope=scope, listed=listed, first=asked.cursor is None)


def person(reports: Reports, access: Access, asked: Asked) -> Response:
    """What a person clicked, over all campaigns: so only for who may see the whole workspace."""
    name = asked.named("person")
    scope = access.to(asked.workspace, people=True)
    activity = reports.people.activity(asked.workspace, name, asked.cursor, _CLICKS)
    return page("person.html", scope=scope, person=name, activity=activity)


def domains(reports: Reports, access: Access, asked: Asked) -> Response:
    """The tracking domains, each with its lights and the next step."""
    scope = access.to(asked.workspace)
    listed = reports.domains.list(asked.workspace).domains
    return page("domains.html", scope=scope, domains=listed)


def settings(reports: Reports, access: Access, asked: Asked) -> Response:
    """What the workspace decided."""
    scope = access.to(asked.workspace)
    told = reports.configuration.told(asked.workspace).model_dump()
    return page("settings.html", scope=scope, settings=told)


MOST_HOURS_DRAWN: Final = 96
"""Beyond four days, hours are too many to read and days are drawn."""
LINKS_SHOWN: Final = 20
"""At first sight; those less clicked are folded away."""
_PEOPLE: Final = 100


def campaign(reports: Reports, access: Access, asked: Asked) -> Response:
    """Headline figures, clicks over time, and the top links."""
    name = asked.named("campaign")
    scope = access.to(asked.workspace, name)
    series = _series(reports, asked.workspace, name, asked.by, asked.zone)
    return page(
        "campaign.html",
        scope=scope,
        campaign=name,
        shown=LINKS_SHOWN,
        report=reports.campaigns.report(asked.workspace, name),
        series=series,
        charts=_charts(series),
    )


def click_map(reports: Reports, access: Access, asked: Asked) -> Response:
    """The message with the heat of its links, and the links as a list."""
    name = asked.named("campaign")
    scope = access.to(asked.workspace, name)
    links = reports.campaigns.report(asked.workspace, name).links
    return page(
        "map.html",
        scope=scope,
        campaign=name,
        spots=maps.spots(links),
        message=reports.messages.message(campaign_code(asked.workspace, name)),
        images=asked.images,
    )


def message(reports: Reports, access: Access, asked: Asked) -> Response:
    """The message itself, for the frame of the click map."""
    name = asked.named("campaign")
    access.to(asked.workspace, name)
    sent = _message(reports, campaign_code(asked.workspace, name), name)
    if sent.rendered:
        access.to(asked.workspace, name, people=True)
    links = reports.campaigns.report(asked.workspace, name).links
    return framed(maps.mapped(sent.html, maps.spots(links)), images=asked.images)


def link(reports: Reports, access: Access, asked: Asked) -> Response:
    """A link's figures, and the people who clicked it where the share names them."""
    name = asked.named("campaign")
    scope = access.to(asked.workspace, name)
    figures = _figures(reports, asked, name)
    people = (
        reports.people.of_link(asked.workspace, figures.link, asked.cursor, _PEOPLE)
        if scope.people
        else None
    )
    return page("link.html", scope=scope, campaign=name, link=figures, people=people)


def people_as_csv(reports: Reports, access: Access, asked: Asked) -> Response:
    """The segment as CSV."""
    return _segment(reports, access, asked, "csv")


def people_as_ndjson(reports: Reports, access: Access, asked: Asked) -> Response:
    """The segment as newline-delimited JSON."""
    return _segment(reports, access, asked, "ndjson")


def _series(reports: Reports, workspace: str, campaign: str, by: Step | None, zone: str) -> Series:
    hours = reports.campaigns.series(workspace, campaign, by or "hour", zone)
    if by is None and len(hours.points) > MOST_HOURS_DRAWN:
        return reports.campaigns.series(workspace, campaign, "day", zone)
    return hours


def _charts(series: Series) -> dict[str, str] | None:
    """The picture of a series for wide and for narrow screens; None where there is nothing."""
    if not series.points:
        return None
    sizes = {"wide": charts.WIDE, "narrow": charts.NARROW}
    return {
        name: charts.clicks_over_time(series.points, series.by, size)
        for name, size in sizes.items()
    }


def _message(reports: Reports, campaign: CampaignCode, name: str) -> SentMessage:
    sent = reports.messages.message(campaign)
    if sent is None:
        raise NotFound("message of campaign", name)
    return sent


def _figures(reports: Reports, asked: Asked, campaign: str) -> LinkFigures:
    return reports.campaigns.link(asked.workspace, campaign, asked.named("link"))


def _segment(reports: Reports, access: Access, asked: Asked, written: Format) -> Response:
    name = asked.named("campaign")
    scope: Scope = access.to(asked.workspace, name, people=True)
    code = _figures(reports, asked, name).link
    part = Segments(reports.people, time.monotonic).part(
        scope.workspace, code, written, asked.cursor
    )
    headers = {
        "content-type": TYPES[written],
        "content-disposition": f'attachment; filename="{code}.{written}"',
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
    }
    if part.cursor is not None:
        names = {"workspace": scope.workspace, "campaign": name, "link": code}
        following = address(f"people.{written}", **names, cursor=part.cursor)
        headers["link"] = f'<{following}>; rel="next"'
    return Response(statusCode=200, headers=headers, body=part.text)
