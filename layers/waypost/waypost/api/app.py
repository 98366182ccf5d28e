"""Route HTTP requests, map errors to problem+json and build the OpenAPI document.

Powertools' resolver matches routes, validates parameters and bodies against their types, and
describes them as OpenAPI. This module adds two things. It rebuilds the path from API Gateway's
route and its decoded parameters, and ignores the raw path, which a proxy may have changed; names in
it have the format of ``waypost.path_names``. Every error, including the resolver's own, becomes
problem+json, in responses and in the OpenAPI document.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
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
from waypost.observability import create_logger, log_server_error
from waypost.path_names import NAME_FORMAT, decode_path_name, encode_path_name
from waypost.privacy.export import PersonExport
from waypost.privacy.requests import PrivacyRequests
from waypost.reports.campaigns import CampaignReportService
from waypost.reports.people import ExportPart, PeopleReportService
from waypost.reports.share_links import ShareLinkService
from waypost.validation import build_invalid_request

HttpApiEvent = dict[str, Any]  # API Gateway's payload format 2.0

MAX_NAME_LENGTH: Final = 255


def _decode_path_parameter(parameter: str) -> str:
    return decode_path_name(unquote(parameter))


PathName = Annotated[
    str,
    Path(
        min_length=1,
        max_length=MAX_NAME_LENGTH,
        description=f"A name, as a segment of the path: {NAME_FORMAT}.",
    ),
    BeforeValidator(_decode_path_parameter),
]
"""A name in a path; routes get it exactly as the sender spelled it."""

PathHost = Annotated[
    str,
    Path(min_length=1, max_length=253, description="A host name."),
    BeforeValidator(_decode_path_parameter),
]

Cursor = Annotated[
    str | None, Query(max_length=2_000, description="Cursor of the previous response.")
]

_LOGGER: Final = create_logger("api")

WORKSPACE_ROUTE: Final = "/v1/workspaces/<workspace>"
OPERATOR_ROUTE: Final = "/v1/operator/workspaces/<workspace>"
"""For changes that workspaces may not make themselves: IAM permits routes by their paths."""

_PATH_PARAMETER: Final = re.compile(r"\{(\w+)\+?\}")
_ROUTE_PARAMETER: Final = re.compile(r"<(\w+)>")


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
    def person_export(self) -> PersonExport: ...

    @property
    def domain_service(self) -> DomainService: ...

    @property
    def share_links(self) -> ShareLinkService: ...


def get_services() -> RouteServices:
    """Fail outside a resolver: ``create_resolver`` replaces this dependency."""
    raise LookupError("route: no services; call it through create_resolver")


InjectedServices = Annotated[RouteServices, Depends(get_services)]
"""Type of the parameter through which a route gets the services."""


def create_router() -> APIGatewayHttpRouter:
    """Create an empty router, typed for mypy."""
    return APIGatewayHttpRouter()  # type: ignore[no-untyped-call]


def create_resolver(
    router: APIGatewayHttpRouter, services: Callable[[], RouteServices]
) -> APIGatewayHttpResolver:
    """Create a resolver of a router's routes that returns errors as problem+json."""
    app = APIGatewayHttpResolver(enable_validation=True)
    app.dependency_overrides[get_services] = services
    app.include_router(router)
    app.exception_handler(WaypostError)(_problem_response)
    app.exception_handler(RequestValidationError)(_validation_problem)
    app.exception_handler(UnicodeDecodeError)(_encoding_problem)
    app.not_found(_route_not_found)
    return app


def resolve_request(
    app: APIGatewayHttpResolver, event: HttpApiEvent, context: LambdaContext
) -> HttpApiEvent:
    """Return the response to a request.

    The body is read as JSON even if the content type differs: ``curl -d`` sends a form type.
    """
    headers = {name: value for name, value in event["headers"].items() if name != "content-type"}
    return app.resolve(
        event | {"rawPath": build_canonical_path(event), "headers": headers}, context
    )


def check_name_repetition(field: str, name: str, repeated: str) -> None:
    """Check that path and query of a destructive request name the same person or host.

    API Gateway decodes a path before it finds the route, so a path that is encoded wrongly can name
    another person. Raises InvalidRequest.
    """
    if name != repeated:
        raise InvalidRequest.from_field(
            field, f"differs in path and query; repeat the name of the path as ?{field}=…"
        )


def build_canonical_path(event: HttpApiEvent) -> str:
    """Rebuild a request's path with percent-encoded parameters, as routes match it."""
    method, _, route = str(event.get("routeKey", "")).partition(" ")
    if not route or method.startswith("$"):
        return str(event["rawPath"])
    parameters: Mapping[str, str] = event.get("pathParameters") or {}
    return _PATH_PARAMETER.sub(lambda match: quote(parameters[match[1]], safe=""), route)


def build_route_path(route: str, **names: str) -> str:
    """Fill a route's placeholders with names."""
    return _ROUTE_PARAMETER.sub(lambda match: encode_path_name(names[match[1]]), route)


def file_response(
    name: str, content_type: str, export_part: ExportPart, next_page: str
) -> Response[str]:
    """Return a part of an export as a download. ``next_page``: the next part's URL, no cursor."""
    headers = {
        "cache-control": "no-store",
        "content-disposition": f'attachment; filename="{name}"',
    }
    if export_part.cursor is not None:
        headers["link"] = f'<{next_page}?cursor={quote(export_part.cursor, safe="")}>; rel="next"'
    return Response(200, content_type, export_part.text, headers=headers)


def _problem_response(error: WaypostError) -> Response[str]:
    response = responses.problem_response(error)
    log_server_error(_LOGGER, response["statusCode"], error)
    headers = {name: value for name, value in response["headers"].items() if name != "content-type"}
    return Response(
        response["statusCode"],
        response["headers"]["content-type"],
        response["body"],
        headers=headers,
    )


def _validation_problem(error: RequestValidationError) -> Response[str]:
    return _problem_response(
        build_invalid_request([e | {"loc": _get_error_location(e)} for e in error.errors()])
    )


def _get_error_location(error: Mapping[str, Any]) -> tuple[int | str, ...]:
    """Return an error's location inside the path, query or body; empty for invalid JSON."""
    location: tuple[int | str, ...] = tuple(error["loc"])
    return () if error["type"] == "json_invalid" else location[1:]


def _encoding_problem(_: UnicodeDecodeError) -> Response[str]:
    return _problem_response(InvalidRequest.from_field("body", "is not UTF-8"))


def _route_not_found(_: NotFoundError) -> Response[str]:
    return _problem_response(NotFound("route", "of this path and method"))


_PROBLEM_SCHEMA: Final = {
    "title": "Problem",
    "description": "An error (RFC 9457). `errors` lists the fields of an invalid request.",
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
    "400": "The request is invalid",
    "403": "The caller has no permission, or only operators have it",
    "404": "The resource does not exist",
    "409": "The name or its id is taken, or concurrent changes won every attempt",
    "503": "The store is unavailable or busy; retry later",
}


def build_openapi_document(app: APIGatewayHttpResolver) -> dict[str, Any]:
    """Build the OpenAPI document of a resolver's routes."""
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
    """Describe a route that may need several requests to finish."""
    descriptions = {200: "All is done", 202: "A part is done; repeat the request"}
    return {
        status: {"description": text, "content": {"application/json": {"model": model}}}
        for status, text in descriptions.items()
    }


def describe_file(content_type: str) -> dict[int, OpenAPIResponse]:
    """Describe a route that returns a file in one or more parts."""
    schema = {"type": "string"}
    return {
        200: {
            "description": "The file, or one part of it",
            "headers": {
                "link": {
                    "description": "URL of the next part; absent from the last.",
                    "schema": schema,
                }
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
