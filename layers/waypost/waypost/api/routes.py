"""Routes of the JSON API, ordered by resource: campaigns, links, people, domains and settings.

A route declares the types of its path, query and body, calls one service and returns the result.
``InjectedServices`` provides the services (``waypost.api.app``). Operation ids are published in the
OpenAPI document and never change.
"""

from __future__ import annotations

import time
from typing import Annotated, Final

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.depends import Depends
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from waypost.api.app import (
    OPERATOR_ROUTE,
    WORKSPACE_ROUTE,
    Cursor,
    InjectedServices,
    PathHost,
    PathName,
    RouteServices,
    build_route_path,
    check_name_repetition,
    create_router,
    describe_file,
    describe_partial_result,
    file_response,
)
from waypost.api.audit import RequestAudit, create_request_audit
from waypost.api.workspace_settings import SettingsChange
from waypost.domains.schemas import (
    AddDomainRequest,
    ChangeDomainRequest,
    ConfirmSendingRequest,
)
from waypost.domains.status import DomainList, DomainStatus
from waypost.privacy.requests import ErasureAnswer, OptOutAnswer
from waypost.reports.campaigns import MAX_CAMPAIGNS
from waypost.reports.people import (
    EXPORT_CONTENT_TYPES,
    MAX_ACTIVITY_CLICKS,
    MAX_PEOPLE,
    ExportFormat,
    PeopleExport,
)
from waypost.reports.schemas import (
    Activity,
    CampaignList,
    CampaignReport,
    Grouping,
    People,
    Series,
    SeriesStep,
    TopLinks,
)
from waypost.reports.share_links import ShareAnswer, ShareRequest
from waypost.reports.time_series import DateRange
from waypost.validation import IsoDate

CAMPAIGNS_ROUTE: Final = f"{WORKSPACE_ROUTE}/campaigns"
CAMPAIGN_ROUTE: Final = f"{CAMPAIGNS_ROUTE}/<campaign>"
LINK_PEOPLE_ROUTE: Final = f"{WORKSPACE_ROUTE}/links/<link>/people"
PERSON_ROUTE: Final = f"{WORKSPACE_ROUTE}/people/<person>"
OPT_OUT_ROUTE: Final = f"{PERSON_ROUTE}/opt-out"
DOMAINS_ROUTE: Final = f"{WORKSPACE_ROUTE}/domains"
DOMAIN_ROUTE: Final = f"{DOMAINS_ROUTE}/<host>"
OPERATOR_DOMAIN_ROUTE: Final = f"{OPERATOR_ROUTE}/domains/<host>"
SETTINGS_ROUTE: Final = f"{WORKSPACE_ROUTE}/settings"
SHARES_ROUTE: Final = f"{WORKSPACE_ROUTE}/shares"

FromDate = Annotated[IsoDate | None, Query(alias="from", description="First local date.")]
ToDate = Annotated[IsoDate | None, Query(alias="to", description="Last local date.")]
PathLinkId = Annotated[str, Path(pattern="^[0-9a-f]{26}$")]
RepeatedPerson = Annotated[
    str, Query(alias="person", description="The person again, not encoded as in the path.")
]
RepeatedHost = Annotated[str, Query(alias="host", description="The host again.")]
InjectedAudit = Annotated[RequestAudit, Depends(create_request_audit)]

router = create_router()


@router.get(CAMPAIGNS_ROUTE, summary="List a workspace's campaigns, newest first", tags=["reports"])
def list_campaigns(
    services: InjectedServices,
    workspace: PathName,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=MAX_CAMPAIGNS)] = 25,
) -> CampaignList:
    return services.campaign_reports.list_campaigns(workspace, cursor, limit)


@router.get(
    CAMPAIGN_ROUTE,
    summary="Get a campaign's figures",
    tags=["reports"],
    operation_id="campaign_report",
)
def get_campaign_report(
    services: InjectedServices, workspace: PathName, campaign: PathName
) -> CampaignReport:
    return services.campaign_reports.get_report(workspace, campaign)


@router.get(
    f"{CAMPAIGN_ROUTE}/links",
    summary="List a campaign's most clicked links",
    tags=["reports"],
    operation_id="top_links",
)
def list_top_links(
    services: InjectedServices,
    workspace: PathName,
    campaign: PathName,
    by: Annotated[Grouping, Query()] = "link",
    limit: Annotated[int, Query(ge=1, le=1_000)] = 10,
) -> TopLinks:
    return services.campaign_reports.list_top_links(workspace, campaign, by, limit)


@router.get(
    f"{CAMPAIGN_ROUTE}/series",
    summary="Get a campaign's clicks over time",
    tags=["reports"],
    operation_id="series",
)
def get_series(
    services: InjectedServices,
    workspace: PathName,
    campaign: PathName,
    by: Annotated[SeriesStep, Query()] = "hour",
    zone: Annotated[str, Query(max_length=100, description="IANA time zone.")] = "UTC",
    first: FromDate = None,
    last: ToDate = None,
) -> Series:
    return services.campaign_reports.get_series(
        workspace, campaign, by, zone, DateRange(first, last)
    )


@router.get(
    LINK_PEOPLE_ROUTE,
    summary="List the people who clicked a link",
    tags=["reports"],
    operation_id="people_of_link",
)
def list_link_people(
    services: InjectedServices,
    workspace: PathName,
    link: PathLinkId,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PEOPLE)] = 100,
) -> People:
    return services.people_reports.list_link_people(workspace, link, cursor, limit)


@router.get(
    f"{LINK_PEOPLE_ROUTE}.csv",
    summary="Export the people who clicked a link, as CSV",
    tags=["reports"],
    responses=describe_file(EXPORT_CONTENT_TYPES["csv"]),
    operation_id="people_as_csv",
)
def export_link_people_csv(
    services: InjectedServices, workspace: PathName, link: PathLinkId, cursor: Cursor = None
) -> Response[str]:
    return _export_response(services, workspace, link, "csv", cursor)


@router.get(
    f"{LINK_PEOPLE_ROUTE}.ndjson",
    summary="Export the people who clicked a link, as NDJSON",
    tags=["reports"],
    responses=describe_file(EXPORT_CONTENT_TYPES["ndjson"]),
    operation_id="people_as_ndjson",
)
def export_link_people_ndjson(
    services: InjectedServices, workspace: PathName, link: PathLinkId, cursor: Cursor = None
) -> Response[str]:
    return _export_response(services, workspace, link, "ndjson", cursor)


def _export_response(
    services: RouteServices,
    workspace: str,
    link: str,
    file_format: ExportFormat,
    cursor: str | None,
) -> Response[str]:
    part = PeopleExport(services.people_reports.list_link_people, time.monotonic).read_part(
        workspace, link, file_format, cursor
    )
    next_page = build_route_path(
        f"{LINK_PEOPLE_ROUTE}.{file_format}", workspace=workspace, link=link
    )
    return file_response(
        f"{link}.{file_format}", EXPORT_CONTENT_TYPES[file_format], part, next_page
    )


@router.get(
    f"{PERSON_ROUTE}/activity",
    summary="List a person's clicks, newest first",
    tags=["reports"],
    operation_id="activity",
)
def get_activity(
    services: InjectedServices,
    workspace: PathName,
    person: PathName,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=MAX_ACTIVITY_CLICKS)] = 50,
) -> Activity:
    return services.people_reports.get_activity(workspace, person, cursor, limit)


@router.get(
    OPT_OUT_ROUTE, summary="Get a person's opt-out", tags=["people"], operation_id="read_opt_out"
)
def get_opt_out(services: InjectedServices, workspace: PathName, person: PathName) -> OptOutAnswer:
    return services.privacy_requests.get_opt_out(workspace, person)


@router.put(
    OPT_OUT_ROUTE, summary="Count a person's clicks without identity from now on", tags=["people"]
)
def opt_out(
    services: InjectedServices, audit: InjectedAudit, workspace: PathName, person: PathName
) -> OptOutAnswer:
    return services.privacy_requests.opt_out(workspace, person, audit)


@router.delete(OPT_OUT_ROUTE, summary="Remove a person's opt-out", tags=["people"])
def opt_in(
    services: InjectedServices,
    audit: InjectedAudit,
    workspace: PathName,
    person: PathName,
    repeated: RepeatedPerson,
) -> OptOutAnswer:
    check_name_repetition("person", person, repeated)
    return services.privacy_requests.opt_in(workspace, person, audit)


@router.get(
    f"{PERSON_ROUTE}/export",
    summary="Export what is stored about a person, as NDJSON",
    tags=["people"],
    responses=describe_file(EXPORT_CONTENT_TYPES["ndjson"]),
    operation_id="export_person",
)
def export_person(
    services: InjectedServices,
    audit: InjectedAudit,
    workspace: PathName,
    person: PathName,
    cursor: Cursor = None,
) -> Response[str]:
    part = services.person_export.read_part(workspace, person, cursor, audit)
    next_page = build_route_path(f"{PERSON_ROUTE}/export", workspace=workspace, person=person)
    return file_response("person.ndjson", EXPORT_CONTENT_TYPES["ndjson"], part, next_page)


@router.delete(
    PERSON_ROUTE,
    summary="Erase a person; repeat the request until it is done",
    tags=["people"],
    responses=describe_partial_result(ErasureAnswer),
    operation_id="erase",
)
def erase_person(
    services: InjectedServices,
    audit: InjectedAudit,
    workspace: PathName,
    person: PathName,
    repeated: RepeatedPerson,
) -> Response[ErasureAnswer]:
    check_name_repetition("person", person, repeated)
    answer = services.privacy_requests.erase(workspace, person, audit)
    if answer.done:
        return Response(200, "application/json", answer)
    headers = {"retry-after": str(answer.again_in)}
    return Response(202, "application/json", answer, headers=headers)


@router.get(DOMAINS_ROUTE, summary="List a workspace's tracking domains", tags=["domains"])
def list_domains(services: InjectedServices, workspace: PathName) -> DomainList:
    return services.domain_service.list_domains(workspace)


@router.post(DOMAINS_ROUTE, summary="Add a tracking domain", tags=["domains"], status_code=201)
def add_domain(
    services: InjectedServices, workspace: PathName, domain: Annotated[AddDomainRequest, Body()]
) -> DomainStatus:
    return services.domain_service.add_domain(workspace, domain)


@router.get(
    DOMAIN_ROUTE,
    summary="Get a tracking domain's status",
    tags=["domains"],
    operation_id="show_domain",
)
def get_domain(services: InjectedServices, workspace: PathName, host: PathHost) -> DomainStatus:
    return services.domain_service.get_domain(workspace, host)


@router.post(DOMAIN_ROUTE, summary="Change a tracking domain", tags=["domains"])
def change_domain(
    services: InjectedServices,
    workspace: PathName,
    host: PathHost,
    change: Annotated[ChangeDomainRequest, Body()],
) -> DomainStatus:
    return services.domain_service.change_domain(workspace, host, change)


@router.delete(DOMAIN_ROUTE, summary="Remove a tracking domain", tags=["domains"])
def remove_domain(
    services: InjectedServices,
    workspace: PathName,
    host: PathHost,
    repeated: RepeatedHost,
) -> DomainStatus:
    check_name_repetition("host", host, repeated)
    return services.domain_service.remove_domain(workspace, host)


@router.post(
    OPERATOR_DOMAIN_ROUTE,
    summary="Confirm the sending domain of a tracking domain, as an operator",
    tags=["domains"],
)
def confirm_sending(
    services: InjectedServices,
    workspace: PathName,
    host: PathHost,
    confirmation: Annotated[ConfirmSendingRequest, Body()],
) -> DomainStatus:
    return services.domain_service.confirm_sending(workspace, host, confirmation)


@router.get(
    SETTINGS_ROUTE,
    summary="Get a workspace's settings",
    tags=["settings"],
    operation_id="read_settings",
)
def get_settings(services: InjectedServices, workspace: PathName) -> SettingsChange:
    return services.workspace_settings.get_settings(workspace)


@router.put(SETTINGS_ROUTE, summary="Change the given settings", tags=["settings"])
def change_settings(
    services: InjectedServices, workspace: PathName, change: Annotated[SettingsChange, Body()]
) -> SettingsChange:
    return services.workspace_settings.change_settings(workspace, change)


@router.post(
    SHARES_ROUTE,
    summary="Create a share link to report pages",
    tags=["sharing"],
    status_code=201,
    operation_id="share",
)
def create_share_link(
    services: InjectedServices, workspace: PathName, request: Annotated[ShareRequest, Body()]
) -> ShareAnswer:
    return services.share_links.create_link(workspace, request)
