"""Reports of campaigns."""

from __future__ import annotations

from typing import Annotated, Final

from aws_lambda_powertools.event_handler.openapi.params import Query

from waypost.api.app import WORKSPACE, Cursor, Given, Name, routes
from waypost.reports.campaigns import MOST_CAMPAIGNS
from waypost.reports.schemas import CampaignList, CampaignReport, Grouping, Series, Step, TopLinks
from waypost.reports.time_series import Span
from waypost.validation import IsoDate

CAMPAIGNS: Final = f"{WORKSPACE}/campaigns"
CAMPAIGN: Final = f"{CAMPAIGNS}/<campaign>"

From = Annotated[IsoDate | None, Query(alias="from", description="A local date, included.")]
To = Annotated[IsoDate | None, Query(alias="to", description="A local date, included.")]

router = routes()


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
