"""How a request over HTTP reaches its route, and how what goes wrong is answered.

Routes are those of Powertools' resolver, which checks parameters and bodies against their types and
describes them as OpenAPI. Two things are decided here. Names in a path may hold any character, so
the path is put together anew from the route that API Gateway chose and the parameters it decoded:
what it, or a proxy before it, made of ``%2F`` in the raw path plays no part. And every error,
those of the resolver included, is problem+json.

The API's description: an OpenAPI document made from the routes and their types.

What routes cannot say of themselves is put in here: that errors are problem+json, and that a
request that is not valid gets 400.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Final, Protocol
from urllib.parse import quote, unquote

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.depends import Depends
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.event_handler.openapi.params import Path, Query
from aws_lambda_powertools.event_handler.openapi.types import OpenAPIResponse
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, BeforeValidator

from waypost import responses
from waypost.api.workspace_settings import WorkspaceSettingsService
from waypost.domains.service import DomainService
from waypost.errors import InvalidRequest, NotFound, WaypostError
from waypost.privacy.requests import PrivacyRequests
from waypost.reports.campaigns import CampaignReportService
from waypost.reports.people import ExportPart, PeopleReportService
from waypost.reports.share_links import ShareLinkService
from waypost.validation import build_invalid_request

HttpApiEvent = dict[str, Any]  # API Gateway's payload format 2.0

PathName = Annotated[str, Path(min_length=1, max_length=255), BeforeValidator(unquote)]
"""A name in a path, as its caller gave it to us first."""

Cursor = Annotated[str | None, Query(max_length=2_000, description="As the answer before said.")]

WORKSPACE_ROUTE: Final = "/v1/workspaces/<workspace>"

_PATH_PARAMETER: Final = re.compile(r"\{(\w+)\+?\}")


class RouteServices(Protocol):
    """The services that routes call; the composition root creates each when it is first used."""

    @property
    def campaign_reports(self) -> CampaignReportService: ...

    @property
    def people_reports(self) -> PeopleReportService: ...

    @property
    def workspace_settings(self) -> WorkspaceSettingsService: ...

    @property
    def privacy_requests(self) -> PrivacyRequests: ...

    @property
    def domain_service(self) -> DomainService: ...

    @property
    def share_links(self) -> ShareLinkService: ...


def get_services() -> RouteServices:
    """The use cases that routes stand on; ``resolver`` puts those of the function in its place."""
    raise LookupError("routes are asked through a resolver")


InjectedServices = Annotated[RouteServices, Depends(get_services)]
"""What a route asks for as a parameter to get the use cases."""


def create_router() -> APIGatewayHttpRouter:
    """Where a module notes its routes."""
    return APIGatewayHttpRouter()  # type: ignore[no-untyped-call]


def create_resolver(
    routers: Iterable[APIGatewayHttpRouter], services: Callable[[], RouteServices]
) -> APIGatewayHttpResolver:
    """A resolver of some routes that answers errors as problem+json."""
    app = APIGatewayHttpResolver(enable_validation=True)
    app.dependency_overrides[get_services] = services
    for router in routers:
        app.include_router(router)
    app.exception_handler(WaypostError)(_problem_response)
    app.exception_handler(RequestValidationError)(_validation_problem)
    app.exception_handler(UnicodeDecodeError)(_encoding_problem)
    app.not_found(_route_not_found)
    return app


def resolve_request(
    app: APIGatewayHttpResolver, event: HttpApiEvent, context: LambdaContext
) -> HttpApiEvent:
    """The answer to a request. Its body is JSON whatever its type says, as ``curl -d`` sends it."""
    headers = {name: value for name, value in event["headers"].items() if name != "content-type"}
    return app.resolve(event | {"rawPath": canonical_path(event), "headers": headers}, context)


def canonical_path(event: HttpApiEvent) -> str:
    """The path with its parameters encoded in the one way that routes understand."""
    method, _, route = str(event.get("routeKey", "")).partition(" ")
    if not route or method.startswith("$"):
        return str(event["rawPath"])
    parameters: Mapping[str, str] = event.get("pathParameters") or {}
    return _PATH_PARAMETER.sub(lambda match: quote(parameters[match[1]], safe=""), route)


def build_route_path(route: str, **names: str) -> str:
    """The path of a route with names in it."""
    return re.sub(r"<(\w+)>", lambda match: quote(names[match[1]], safe=""), route)


def file_response(
    name: str, content_type: str, export_part: ExportPart, next_page: str
) -> Response[str]:
    """A file to be kept; ``next_page`` is the address without cursor of its further parts."""
    headers = {
        "cache-control": "no-store",
        "content-disposition": f'attachment; filename="{name}"',
    }
    if export_part.cursor is not None:
        headers["link"] = f'<{next_page}?cursor={quote(export_part.cursor, safe="")}>; rel="next"'
    return Response(200, content_type, export_part.text, headers=headers)


def _problem_response(error: WaypostError) -> Response[str]:
    answer = responses.problem_response(error)
    headers = {name: value for name, value in answer["headers"].items() if name != "content-type"}
    return Response(
        answer["statusCode"], answer["headers"]["content-type"], answer["body"], headers=headers
    )


def _validation_problem(error: RequestValidationError) -> Response[str]:
    return _problem_response(
        build_invalid_request([e | {"loc": _error_location(e)} for e in error.errors()])
    )


def _error_location(error: Mapping[str, Any]) -> tuple[int | str, ...]:
    """Where the error lies within path, query or body; of the body itself, where it is no JSON."""
    location: tuple[int | str, ...] = tuple(error["loc"])
    return () if error["type"] == "json_invalid" else location[1:]


def _encoding_problem(_: UnicodeDecodeError) -> Response[str]:
    return _problem_response(InvalidRequest.from_field("body", "is not UTF-8"))


def _route_not_found(_: NotFoundError) -> Response[str]:
    return _problem_response(NotFound("route", "of this path and method"))


_PROBLEM_SCHEMA: Final = {
    "title": "Problem",
    "description": "What went wrong (RFC 9457); `errors` by field where a request is not valid.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "reason"],
                "properties": {"field": {"type": "string"}, "reason": {"type": "string"}},
            },
        },
    },
}
_ERROR_DESCRIPTIONS: Final = {
    "400": "The request is not valid",
    "404": "Something that was never seen",
    "409": "A name that cannot be taken, or a change that others kept overtaking",
    "503": "The store did not answer or is busy: try again",
}


def build_openapi_document(app: APIGatewayHttpResolver) -> dict[str, Any]:
    """The OpenAPI document of an app's routes, as plain values."""
    document: dict[str, Any] = json.loads(
        app.get_openapi_json_schema(
            title="Waypost",
            version="1",
            description="Reports and settings of link tracking. Requests are signed (AWS SigV4).",
        )
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError", "ResponseValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = _PROBLEM_SCHEMA
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["operationId"] = operation["operationId"].partition("_v1_")[0]
            operation["responses"].pop("422", None)
            operation["responses"] |= {
                status: _error_response(text) for status, text in _ERROR_DESCRIPTIONS.items()
            }
    return document


def describe_partial_result(model: type[BaseModel]) -> dict[int, OpenAPIResponse]:
    """What a route says that does what fits into a request: all of it, or a part."""
    said = {200: "All is done", 202: "A part is done: ask again"}
    return {
        status: {"description": text, "content": {"application/json": {"model": model}}}
        for status, text in said.items()
    }


def describe_file(content_type: str) -> dict[int, OpenAPIResponse]:
    """What a route that answers with a file says of it."""
    schema = {"type": "string"}
    return {
        200: {
            "description": "The file, or a part of it",
            "headers": {
                "link": {"description": "The next part; missing on the last.", "schema": schema}
            },
            "content": {content_type: {"schema": schema}},
        }
    }


def _error_response(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": description,
        "content": {"application/problem+json": {"schema": schema}},
    }
