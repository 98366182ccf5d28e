"""Who clicked a link, a page at a time or as a file."""

from __future__ import annotations

import time
from typing import Annotated, Final

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from waypost.api.app import WORKSPACE, Cursor, Given, Name, address, file_response, routes
from waypost.api.dependencies import Services
from waypost.management.description import file_described
from waypost.reporting.segments import TYPES, Format, Segments
from waypost.reporting.visitors import People
from waypost.reports.people import MOST_PEOPLE

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
