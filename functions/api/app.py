"""Reports, settings, tracking domains and share links as JSON, for callers that IAM lets in."""

from __future__ import annotations

import time
from functools import cache
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query
from aws_lambda_powertools.utilities.typing import LambdaContext

from waypost.domains.requests import AddDomain, ChangeDomain
from waypost.domains.status import DomainList, DomainStatus
from waypost.management.configuring import SettingsChange
from waypost.management.description import described, file_described
from waypost.management.routing import Event, Name, file_response, resolved, resolver
from waypost.management.services import Services
from waypost.observability import logger
from waypost.reporting.answers import (
    Activity,
    CampaignReport,
    Grouping,
    People,
    Series,
    Step,
    TopLinks,
)
from waypost.reporting.people import MOST_CLICKS, MOST_PEOPLE
from waypost.reporting.segments import TYPES, Format, Segments
from waypost.reporting.series import Span
from waypost.reporting.sharing import ShareAnswer, ShareRequest
from waypost.validation import IsoDate

WORKSPACE = "/v1/workspaces/<workspace>"
CAMPAIGN = f"{WORKSPACE}/campaigns/<campaign>"
LINK = f"{WORKSPACE}/links/<link>"
DOMAINS = f"{WORKSPACE}/domains"

Cursor = Annotated[str | None, Query(max_length=2_000, description="As the answer before said.")]
From = Annotated[IsoDate | None, Query(alias="from", description="A local date, included.")]
To = Annotated[IsoDate | None, Query(alias="to", description="A local date, included.")]
LinkCode = Annotated[str, Path(pattern="^[0-9a-f]{26}$")]
Host = Annotated[str, Path(min_length=1, max_length=253)]

app = resolver()
log = logger("api")
services = Services()


@app.get(CAMPAIGN, summary="A campaign's figures", tags=["reports"])
def campaign_report(workspace: Name, campaign: Name) -> CampaignReport:
    return services.campaigns.report(workspace, campaign)


@app.get(f"{CAMPAIGN}/links", summary="A campaign's most clicked links", tags=["reports"])
def top_links(
    workspace: Name,
    campaign: Name,
    by: Annotated[Grouping, Query()] = "link",
    limit: Annotated[int, Query(ge=1, le=1_000)] = 10,
) -> TopLinks:
    return services.campaigns.top_links(workspace, campaign, by, limit)


@app.get(f"{CAMPAIGN}/series", summary="A campaign's clicks over time", tags=["reports"])
def series(
    workspace: Name,
    campaign: Name,
    by: Annotated[Step, Query()] = "hour",
    zone: Annotated[str, Query(max_length=100, description="Of the IANA database.")] = "UTC",
    first: From = None,
    last: To = None,
) -> Series:
    return services.campaigns.series(workspace, campaign, by, zone, Span(first, last))


@app.get(f"{LINK}/people", summary="Who clicked a link", tags=["reports"])
def people_of_link(
    workspace: Name,
    link: LinkCode,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=MOST_PEOPLE)] = 100,
) -> People:
    return services.people.of_link(workspace, link, cursor, limit)


@app.get(
    f"{LINK}/people.csv",
    summary="Who clicked a link, as CSV",
    tags=["reports"],
    responses=file_described(TYPES["csv"]),
)
def people_as_csv(workspace: Name, link: LinkCode, cursor: Cursor = None) -> Response[str]:
    return segment(workspace, link, "csv", cursor)


@app.get(
    f"{LINK}/people.ndjson",
    summary="Who clicked a link, as NDJSON",
    tags=["reports"],
    responses=file_described(TYPES["ndjson"]),
)
def people_as_ndjson(workspace: Name, link: LinkCode, cursor: Cursor = None) -> Response[str]:
    return segment(workspace, link, "ndjson", cursor)


def segment(workspace: str, link: str, written: Format, cursor: str | None) -> Response[str]:
    part = Segments(services.people, time.monotonic).part(workspace, link, written, cursor)
    return file_response(f"{link}.{written}", TYPES[written], part, app.current_event.path)


@app.get(f"{WORKSPACE}/people/<person>/activity", summary="A person's clicks", tags=["reports"])
def activity(
    workspace: Name,
    person: Name,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=MOST_CLICKS)] = 50,
) -> Activity:
    return services.people.activity(workspace, person, cursor, limit)


@app.post(f"{WORKSPACE}/shares", summary="Make a share link", tags=["sharing"], status_code=201)
def share(workspace: Name, request: Annotated[ShareRequest, Body()]) -> ShareAnswer:
    return services.sharing.share(workspace, request)


@app.get(f"{WORKSPACE}/settings", summary="A workspace's settings", tags=["settings"])
def read_settings(workspace: Name) -> SettingsChange:
    return services.configuration.told(workspace)


@app.put(f"{WORKSPACE}/settings", summary="Change the settings given", tags=["settings"])
def change_settings(workspace: Name, change: Annotated[SettingsChange, Body()]) -> SettingsChange:
    return services.configuration.changed(workspace, change)


@app.get(DOMAINS, summary="A workspace's tracking domains", tags=["domains"])
def list_domains(workspace: Name) -> DomainList:
    return services.domains.list(workspace)


@app.post(DOMAINS, summary="Add a tracking domain", tags=["domains"], status_code=201)
def add_domain(workspace: Name, domain: Annotated[AddDomain, Body()]) -> DomainStatus:
    return services.domains.add(workspace, domain)


@app.get(f"{DOMAINS}/<host>", summary="A tracking domain's status", tags=["domains"])
def show_domain(workspace: Name, host: Host) -> DomainStatus:
    return services.domains.show(workspace, host)


@app.post(f"{DOMAINS}/<host>", summary="Change a tracking domain", tags=["domains"])
def change_domain(
    workspace: Name, host: Host, change: Annotated[ChangeDomain, Body()]
) -> DomainStatus:
    return services.domains.change(workspace, host, change)


@app.delete(f"{DOMAINS}/<host>", summary="Stop using a tracking domain", tags=["domains"])
def remove_domain(workspace: Name, host: Host) -> DomainStatus:
    return services.domains.remove(workspace, host)


@app.get("/v1/openapi.json", include_in_schema=False)
def description() -> dict[str, Any]:
    return document()


@cache
def document() -> dict[str, Any]:
    return described(app)


@log.inject_lambda_context
def handler(event: Event, context: LambdaContext) -> Event:
    """Answer one request."""
    return resolved(app, event, context)
