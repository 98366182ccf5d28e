"""What the pages of one campaign show, to whom.

What the pages of a whole workspace show, to whom.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from waypost.api.workspace_settings import WorkspaceSettingsService
from waypost.domains.service import DomainService
from waypost.errors import NotFound
from waypost.ids import CampaignId, derive_campaign_id
from waypost.models.campaign import SentMessage
from waypost.reports.campaigns import CampaignReportService
from waypost.reports.people import (
    EXPORT_CONTENT_TYPES,
    ExportFormat,
    PeopleExport,
    PeopleReportService,
)
from waypost.reports.schemas import LinkFigures, Series, SeriesStep
from waypost.reports.share_links import ShareScope
from waypost.repositories.messages import MessageRepository
from waypost.responses import Response
from waypost.web import click_map as maps
from waypost.web.access import PageQuery, ShareAccess
from waypost.web.charts import build_clicks_chart
from waypost.web.rendering import build_page_url, render_frame, render_page

_CAMPAIGNS_PER_PAGE: Final = 25
_CLICKS_PER_PAGE: Final = 50


@dataclass(frozen=True, slots=True)
class PageDependencies:
    """What pages are made of; nothing here writes."""

    campaigns: CampaignReportService
    people: PeopleReportService
    messages: MessageRepository
    workspace_settings: WorkspaceSettingsService
    domains: DomainService


def workspace_page(reports: PageDependencies, access: ShareAccess, query: PageQuery) -> Response:
    """Where a workspace's visitor starts: its campaigns, and what else to look up."""
    scope = access.authorize(query.workspace)
    listed = reports.campaigns.list_campaigns(query.workspace, query.cursor, _CAMPAIGNS_PER_PAGE)
    return render_page("workspace.html", scope=scope, listed=listed, first=query.cursor is None)


def person_page(reports: PageDependencies, access: ShareAccess, query: PageQuery) -> Response:
    """What a person clicked, over all campaigns: so only for who may see the whole workspace."""
    name = query.require("person")
    scope = access.authorize(query.workspace, people=True)
    activity = reports.people.get_activity(query.workspace, name, query.cursor, _CLICKS_PER_PAGE)
    return render_page("person.html", scope=scope, person=name, activity=activity)


def domains_page(reports: PageDependencies, access: ShareAccess, query: PageQuery) -> Response:
    """The tracking domains, each with its lights and the next step."""
    scope = access.authorize(query.workspace)
    listed = reports.domains.list_domains(query.workspace).domains
    return render_page("domains.html", scope=scope, domains=listed)


def settings_page(reports: PageDependencies, access: ShareAccess, query: PageQuery) -> Response:
    """What the workspace decided."""
    scope = access.authorize(query.workspace)
    told = reports.workspace_settings.get_settings(query.workspace).model_dump()
    return render_page("settings.html", scope=scope, settings=told)


MAX_HOUR_BARS: Final = 96
"""Beyond four days, hours are too many to read and days are drawn."""
VISIBLE_LINKS: Final = 20
"""At first sight; those less clicked are folded away."""
_PEOPLE_PER_PAGE: Final = 100


def campaign_page(reports: PageDependencies, access: ShareAccess, query: PageQuery) -> Response:
    """Headline figures, clicks over time, and the top links."""
    name = query.require("campaign")
    scope = access.authorize(query.workspace, name)
    series = _load_series(reports, query.workspace, name, query.by, query.zone)
    return render_page(
        "campaign.html",
        scope=scope,
        campaign=name,
        shown=VISIBLE_LINKS,
        report=reports.campaigns.get_report(query.workspace, name),
        series=series,
        chart=build_clicks_chart(series.points, series.by),
    )


def click_map_page(reports: PageDependencies, access: ShareAccess, query: PageQuery) -> Response:
    """The message with the heat of its links, and the links as a list."""
    name = query.require("campaign")
    scope = access.authorize(query.workspace, name)
    links = reports.campaigns.get_report(query.workspace, name).links
    return render_page(
        "map.html",
        scope=scope,
        campaign=name,
        spots=maps.build_map_links(links),
        message=reports.messages.get(derive_campaign_id(query.workspace, name)),
        images=query.images,
    )


def message_frame(reports: PageDependencies, access: ShareAccess, query: PageQuery) -> Response:
    """The message itself, for the frame of the click map."""
    name = query.require("campaign")
    access.authorize(query.workspace, name)
    sent = _load_message(reports, derive_campaign_id(query.workspace, name), name)
    if sent.rendered:
        access.authorize(query.workspace, name, people=True)
    links = reports.campaigns.get_report(query.workspace, name).links
    return render_frame(
        maps.render_click_map(sent.html, maps.build_map_links(links)), images=query.images
    )


def link_page(reports: PageDependencies, access: ShareAccess, query: PageQuery) -> Response:
    """A link's figures, and the people who clicked it where the share names them."""
    name = query.require("campaign")
    scope = access.authorize(query.workspace, name)
    figures = _load_link_figures(reports, query, name)
    people = (
        reports.people.list_link_people(
            query.workspace, figures.link, query.cursor, _PEOPLE_PER_PAGE
        )
        if scope.people
        else None
    )
    return render_page("link.html", scope=scope, campaign=name, link=figures, people=people)


def people_csv_file(reports: PageDependencies, access: ShareAccess, query: PageQuery) -> Response:
    """The segment as CSV."""
    return _export_response(reports, access, query, "csv")


def people_ndjson_file(
    reports: PageDependencies, access: ShareAccess, query: PageQuery
) -> Response:
    """The segment as newline-delimited JSON."""
    return _export_response(reports, access, query, "ndjson")


def _load_series(
    reports: PageDependencies, workspace: str, campaign: str, by: SeriesStep | None, zone: str
) -> Series:
    hours = reports.campaigns.get_series(workspace, campaign, by or "hour", zone)
    if by is None and len(hours.points) > MAX_HOUR_BARS:
        return reports.campaigns.get_series(workspace, campaign, "day", zone)
    return hours


def _load_message(reports: PageDependencies, campaign: CampaignId, name: str) -> SentMessage:
    sent = reports.messages.get(campaign)
    if sent is None:
        raise NotFound("message of campaign", name)
    return sent


def _load_link_figures(reports: PageDependencies, query: PageQuery, campaign: str) -> LinkFigures:
    return reports.campaigns.get_link(query.workspace, campaign, query.require("link"))


def _export_response(
    reports: PageDependencies, access: ShareAccess, query: PageQuery, file_format: ExportFormat
) -> Response:
    name = query.require("campaign")
    scope: ShareScope = access.authorize(query.workspace, name, people=True)
    code = _load_link_figures(reports, query, name).link
    part = PeopleExport(reports.people.list_link_people, time.monotonic).read_part(
        scope.workspace, code, file_format, query.cursor
    )
    headers = {
        "content-type": EXPORT_CONTENT_TYPES[file_format],
        "content-disposition": f'attachment; filename="{code}.{file_format}"',
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
    }
    if part.cursor is not None:
        names = {"workspace": scope.workspace, "campaign": name, "link": code}
        following = build_page_url(f"people.{file_format}", **names, cursor=part.cursor)
        headers["link"] = f'<{following}>; rel="next"'
    return Response(statusCode=200, headers=headers, body=part.text)
