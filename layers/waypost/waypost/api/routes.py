"""Who clicked a link, a page at a time or as a file.

Reports of campaigns.

A workspace's tracking domains; checking one at once is a function of its own.

What a person clicked; and that nobody knows it any more, where the person wishes so.

What a workspace decided, and share links to its report pages.
"""

from __future__ import annotations

import time
from typing import Annotated, Final

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.depends import Depends
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from waypost.api.app import (
    WORKSPACE,
    Cursor,
    Given,
    Name,
    address,
    file_described,
    file_response,
    part_described,
    routes,
)
from waypost.api.audit import Auditing, audit_of
from waypost.api.dependencies import Services
from waypost.api.workspace_settings import SettingsChange
from waypost.domains.schemas import AddDomain, ChangeDomain
from waypost.domains.status import DomainList, DomainStatus
from waypost.privacy.requests import ErasureAnswer, OptOutAnswer
from waypost.reports.campaigns import MOST_CAMPAIGNS
from waypost.reports.people import MOST_CLICKS, MOST_PEOPLE, TYPES, Format, Segments
from waypost.reports.schemas import (
    Activity,
    CampaignList,
    CampaignReport,
    Grouping,
    People,
    Series,
    Step,
    TopLinks,
)
from waypost.reports.share_links import ShareAnswer, ShareRequest
from waypost.reports.time_series import Span
from waypost.validation import IsoDate

PEOPLE: Final = f"{WORKSPACE}/links/<link>/people"

LinkCode = Annotated[str, Path(pattern="^[0-9a-f]{26}$")]

router = routes()


@router.get(PEOPLE, summary="Who clicked a link", tags=["reports"])
def people_of_link(
    services: Given,
    workspace: Name,
    link: LinkCode,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=MOST_PEOPLE)] = 100,
) -> People:
    return services.people.of_link(workspace, link, cursor, limit)


@router.get(
    f"{PEOPLE}.csv",
    summary="Who clicked a link, as CSV",
    tags=["reports"],
    responses=file_described(TYPES["csv"]),
)
def people_as_csv(
    services: Given, workspace: Name, link: LinkCode, cursor: Cursor = None
) -> Response[str]:
    return _segment(services, workspace, link, "csv", cursor)


@router.get(
    f"{PEOPLE}.ndjson",
    summary="Who clicked a link, as NDJSON",
    tags=["reports"],
    responses=file_described(TYPES["ndjson"]),
)
def people_as_ndjson(
    services: Given, workspace: Name, link: LinkCode, cursor: Cursor = None
) -> Response[str]:
    return _segment(services, workspace, link, "ndjson", cursor)


def _segment(
    services: Services, workspace: str, link: str, written: Format, cursor: str | None
) -> Response[str]:
    part = Segments(services.people, time.monotonic).part(workspace, link, written, cursor)
    following = address(f"{PEOPLE}.{written}", workspace=workspace, link=link)
    return file_response(f"{link}.{written}", TYPES[written], part, following)


CAMPAIGNS: Final = f"{WORKSPACE}/campaigns"
CAMPAIGN: Final = f"{CAMPAIGNS}/<campaign>"

From = Annotated[IsoDate | None, Query(alias="from", description="A local date, included.")]
To = Annotated[IsoDate | None, Query(alias="to", description="A local date, included.")]


@router.get(CAMPAIGNS, summary="A workspace's campaigns, newest first", tags=["reports"])
def list_campaigns(
    services: Given,
    workspace: Name,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=MOST_CAMPAIGNS)] = 25,
) -> CampaignList:
    return services.campaigns.listed(workspace, cursor, limit)


@router.get(CAMPAIGN, summary="A campaign's figures", tags=["reports"])
def campaign_report(services: Given, workspace: Name, campaign: Name) -> CampaignReport:
    return services.campaigns.report(workspace, campaign)


@router.get(f"{CAMPAIGN}/links", summary="A campaign's most clicked links", tags=["reports"])
def top_links(
    services: Given,
    workspace: Name,
    campaign: Name,
    by: Annotated[Grouping, Query()] = "link",
    limit: Annotated[int, Query(ge=1, le=1_000)] = 10,
) -> TopLinks:
    return services.campaigns.top_links(workspace, campaign, by, limit)


@router.get(f"{CAMPAIGN}/series", summary="A campaign's clicks over time", tags=["reports"])
def series(
    services: Given,
    workspace: Name,
    campaign: Name,
    by: Annotated[Step, Query()] = "hour",
    zone: Annotated[str, Query(max_length=100, description="Of the IANA database.")] = "UTC",
    first: From = None,
    last: To = None,
) -> Series:
    return services.campaigns.series(workspace, campaign, by, zone, Span(first, last))


DOMAINS: Final = f"{WORKSPACE}/domains"
DOMAIN: Final = f"{DOMAINS}/<host>"

Host = Annotated[str, Path(min_length=1, max_length=253)]


@router.get(DOMAINS, summary="A workspace's tracking domains", tags=["domains"])
def list_domains(services: Given, workspace: Name) -> DomainList:
    return services.domains.list(workspace)


@router.post(DOMAINS, summary="Add a tracking domain", tags=["domains"], status_code=201)
def add_domain(
    services: Given, workspace: Name, domain: Annotated[AddDomain, Body()]
) -> DomainStatus:
    return services.domains.add(workspace, domain)


@router.get(DOMAIN, summary="A tracking domain's status", tags=["domains"])
def show_domain(services: Given, workspace: Name, host: Host) -> DomainStatus:
    return services.domains.show(workspace, host)


@router.post(DOMAIN, summary="Change a tracking domain", tags=["domains"])
def change_domain(
    services: Given, workspace: Name, host: Host, change: Annotated[ChangeDomain, Body()]
) -> DomainStatus:
    return services.domains.change(workspace, host, change)


@router.delete(DOMAIN, summary="Stop using a tracking domain", tags=["domains"])
def remove_domain(services: Given, workspace: Name, host: Host) -> DomainStatus:
    return services.domains.remove(workspace, host)


PERSON: Final = f"{WORKSPACE}/people/<person>"
OPT_OUT: Final = f"{PERSON}/opt-out"

Audited = Annotated[Auditing, Depends(audit_of)]


@router.get(f"{PERSON}/activity", summary="A person's clicks", tags=["reports"])
def activity(
    services: Given,
    workspace: Name,
    person: Name,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=MOST_CLICKS)] = 50,
) -> Activity:
    return services.people.activity(workspace, person, cursor, limit)


@router.get(OPT_OUT, summary="Whether a person opted out", tags=["people"])
def read_opt_out(services: Given, workspace: Name, person: Name) -> OptOutAnswer:
    return services.forgetting.told(workspace, person)


@router.put(OPT_OUT, summary="Count a person without identity from now on", tags=["people"])
def opt_out(services: Given, audit: Audited, workspace: Name, person: Name) -> OptOutAnswer:
    return services.forgetting.opt_out(workspace, person, audit)


@router.delete(OPT_OUT, summary="Take an opt-out back", tags=["people"])
def opt_in(services: Given, audit: Audited, workspace: Name, person: Name) -> OptOutAnswer:
    return services.forgetting.opt_in(workspace, person, audit)


@router.delete(
    PERSON,
    summary="Remove a person everywhere, in as many requests as it takes",
    tags=["people"],
    responses=part_described(ErasureAnswer),
)
def erase(
    services: Given, audit: Audited, workspace: Name, person: Name
) -> Response[ErasureAnswer]:
    answer = services.forgetting.erase(workspace, person, audit)
    if answer.done:
        return Response(200, "application/json", answer)
    headers = {"retry-after": str(answer.again_in)}
    return Response(202, "application/json", answer, headers=headers)


SETTINGS: Final = f"{WORKSPACE}/settings"


@router.get(SETTINGS, summary="A workspace's settings", tags=["settings"])
def read_settings(services: Given, workspace: Name) -> SettingsChange:
    return services.configuration.told(workspace)


@router.put(SETTINGS, summary="Change the settings given", tags=["settings"])
def change_settings(
    services: Given, workspace: Name, change: Annotated[SettingsChange, Body()]
) -> SettingsChange:
    return services.configuration.changed(workspace, change)


@router.post(f"{WORKSPACE}/shares", summary="Make a share link", tags=["sharing"], status_code=201)
def share(
    services: Given, workspace: Name, request: Annotated[ShareRequest, Body()]
) -> ShareAnswer:
    return services.sharing.share(workspace, request)
