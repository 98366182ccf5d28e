"""Build each report page from its query, for visitors whose share covers it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from waypost.api.workspace_settings import WorkspaceSettingsService
from waypost.domains.service import DomainService
from waypost.errors import NotFound
from waypost.ids import derive_campaign_id
from waypost.models.campaign import MessageAbsence
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
from waypost.web.access import PageQuery, ShareAccess
from waypost.web.charts import build_clicks_chart
from waypost.web.click_map import build_map_links, render_click_map
from waypost.web.rendering import build_page_url, render_frame, render_page

MAX_HOUR_BARS: Final = 96
"""Above four days of hours, the default is one bar a day."""
VISIBLE_LINKS: Final = 20
"""The other links of a campaign are collapsed."""
_CAMPAIGNS_PER_PAGE: Final = 25
_PEOPLE_PER_PAGE: Final = 100
_CLICKS_PER_PAGE: Final = 50


@dataclass(frozen=True, slots=True)
class PageDependencies:
    """The services that pages call; pages only read."""

    campaigns: CampaignReportService
    people: PeopleReportService
    messages: MessageRepository
    workspace_settings: WorkspaceSettingsService
    domains: DomainService


def workspace_page(reports: PageDependencies, access: ShareAccess, query: PageQuery) -> Response:
    """Show the campaigns of a workspace, and search forms."""
    scope = access.authorize(query.workspace)
    page = reports.campaigns.list_campaigns(query.workspace, query.cursor, _CAMPAIGNS_PER_PAGE)
    is_first = query.cursor is None
    return render_page("workspace.html", scope=scope, page=page, is_first=is_first)


def person_page(reports: PageDependencies, access: ShareAccess, query: PageQuery) -> Response:
    """Show a person's clicks in all campaigns; requires a workspace share with people."""
    name = query.require("person")
    scope = access.authorize(query.workspace, people=True)
    activity = reports.people.get_activity(query.workspace, name, query.cursor, _CLICKS_PER_PAGE)
    return render_page("person.html", scope=scope, person=name, activity=activity)


def domains_page(reports: PageDependencies, access: ShareAccess, query: PageQuery) -> Response:
    """Show the tracking domains, each with its status lights and the next step."""
    scope = access.authorize(query.workspace)
    domains = reports.domains.list_domains(query.workspace).domains
    return render_page("domains.html", scope=scope, domains=domains)


def settings_page(reports: PageDependencies, access: ShareAccess, query: PageQuery) -> Response:
    """Show the settings of the workspace."""
    scope = access.authorize(query.workspace)
    settings = reports.workspace_settings.get_settings(query.workspace).model_dump()
    return render_page("settings.html", scope=scope, settings=settings)


def campaign_page(reports: PageDependencies, access: ShareAccess, query: PageQuery) -> Response:
    """Show a campaign's main figures, clicks over time and top links."""
    name = query.require("campaign")
    scope = access.authorize(query.workspace, name)
    series = _load_series(reports, query.workspace, name, query.by, query.zone)
    return render_page(
        "campaign.html",
        scope=scope,
        campaign=name,
        visible_links=VISIBLE_LINKS,
        report=reports.campaigns.get_report(query.workspace, name),
        series=series,
        chart=build_clicks_chart(series.points, series.by),
    )


def click_map_page(reports: PageDependencies, access: ShareAccess, query: PageQuery) -> Response:
    """Show the message with marked links, and the links as a list."""
    name = query.require("campaign")
    scope = access.authorize(query.workspace, name)
    links = reports.campaigns.get_report(query.workspace, name).links
    archived = reports.messages.get(derive_campaign_id(query.workspace, name))
    is_absent = isinstance(archived, MessageAbsence)
    return render_page(
        "map.html",
        scope=scope,
        campaign=name,
        map_links=build_map_links(links),
        message=None if is_absent else archived,
        absence=archived if is_absent else None,
        images=query.images,
    )


def message_frame(reports: PageDependencies, access: ShareAccess, query: PageQuery) -> Response:
    """Return the message for the frame of the click map."""
    name = query.require("campaign")
    access.authorize(query.workspace, name)
    links = reports.campaigns.get_report(query.workspace, name).links
    sent = reports.messages.get(derive_campaign_id(query.workspace, name))
    if isinstance(sent, MessageAbsence):
        raise NotFound("message of campaign", name)
    if sent.rendered:
        access.authorize(query.workspace, name, people=True)
    return render_frame(render_click_map(sent.html, build_map_links(links)), images=query.images)


def link_page(reports: PageDependencies, access: ShareAccess, query: PageQuery) -> Response:
    """Show a link's figures, and the people who clicked it if the share shows people."""
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
    """Return the people who clicked a link as CSV."""
    return _export_response(reports, access, query, "csv")


def people_ndjson_file(
    reports: PageDependencies, access: ShareAccess, query: PageQuery
) -> Response:
    """Return the people who clicked a link as newline-delimited JSON."""
    return _export_response(reports, access, query, "ndjson")


def _load_series(
    reports: PageDependencies, workspace: str, campaign: str, by: SeriesStep | None, zone: str
) -> Series:
    hours = reports.campaigns.get_series(workspace, campaign, by or "hour", zone)
    if by is None and len(hours.points) > MAX_HOUR_BARS:
        return reports.campaigns.get_series(workspace, campaign, "day", zone)
    return hours


def _load_link_figures(reports: PageDependencies, query: PageQuery, campaign: str) -> LinkFigures:
    return reports.campaigns.get_link(query.workspace, campaign, query.require("link"))


def _export_response(
    reports: PageDependencies, access: ShareAccess, query: PageQuery, file_format: ExportFormat
) -> Response:
    name = query.require("campaign")
    scope: ShareScope = access.authorize(query.workspace, name, people=True)
    link_id = _load_link_figures(reports, query, name).link
    part = PeopleExport(reports.people.list_link_people, time.monotonic).read_part(
        scope.workspace, link_id, file_format, query.cursor
    )
    headers = {
        "content-type": EXPORT_CONTENT_TYPES[file_format],
        "content-disposition": f'attachment; filename="{link_id}.{file_format}"',
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
    }
    if part.cursor is not None:
        names = {"workspace": scope.workspace, "campaign": name, "link": link_id}
        next_page = build_page_url(f"people.{file_format}", **names, cursor=part.cursor)
        headers["link"] = f'<{next_page}>; rel="next"'
    return Response(statusCode=200, headers=headers, body=part.text)
