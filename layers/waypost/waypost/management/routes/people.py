"""What a person clicked; and that nobody knows it any more, where the person wishes so."""

from __future__ import annotations

from typing import Annotated, Final

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.depends import Depends
from aws_lambda_powertools.event_handler.openapi.params import Query

from waypost.api.app import WORKSPACE, Cursor, Given, Name, routes
from waypost.api.audit import Auditing, audit_of
from waypost.management.description import part_described
from waypost.privacy.requests import ErasureAnswer, OptOutAnswer
from waypost.reporting.visitors import Activity
from waypost.reports.people import MOST_CLICKS

PERSON: Final = f"{WORKSPACE}/people/<person>"
OPT_OUT: Final = f"{PERSON}/opt-out"

Audited = Annotated[Auditing, Depends(audit_of)]

router = routes()


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
