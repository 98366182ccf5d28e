"""HTTP APIs: routes, events for functions (payload format 2.0), and responses.

A path is decoded before routes match it, as by an HTTP API: an encoded slash separates segments,
and an encoded question mark ends the path (captured events: fastify/aws-lambda-fastify#169,
middleapi/standard-server#93).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

from local.account import ACCOUNT_ID, REGION
from local.errors import TemplateError
from local.functions import LambdaFunction, Trigger, list_triggers
from local.intrinsics import IntrinsicResolver
from local.template import Template, Value, as_mapping

DEFAULT_ROUTE: Final = "$default"
_IMPLICIT_API: Final = "ServerlessHttpApi"  # SAM's API for events without ApiId
_TEXT_TYPES: Final = re.compile(
    r"text/|application/(json|xml|javascript)\b|application/[\w.-]+\+(json|xml)\b"
)
_PATH_PARAMETER: Final = re.compile(r"\{([A-Za-z0-9_]+)(\+?)\}")
_COOKIE_SEPARATOR: Final = re.compile(r";\s*")
_IAM_IDENTITY: Final = {
    "accessKey": "testing",
    "accountId": ACCOUNT_ID,
    "callerId": "local",
    "cognitoIdentity": None,
    "principalOrgId": None,
    "userArn": f"arn:aws:iam::{ACCOUNT_ID}:user/local",
    "userId": "local",
}


@dataclass(frozen=True, slots=True)
class Route:
    """A route; ``key`` is API Gateway's route key (``GET /s/{code+}``)."""

    key: str
    api_id: str
    function_id: str
    requires_iam: bool

    def match(self, method: str, path: str) -> dict[str, str] | None:
        """Return the parameters of a decoded path, or None if the route does not match."""
        if self.key == DEFAULT_ROUTE:
            return {}
        route_method, pattern = self.key.split(" ", 1)
        match = _compile_path(pattern).fullmatch(path) if route_method in ("ANY", method) else None
        if match is None:
            return None
        return match.groupdict()

    @property
    def precedence(self) -> tuple[bool, bool, int, bool]:
        """The sort key of routes: the greatest matching one wins.

        Lowest is $default, then greedy paths, then paths with fewer literal segments, then ANY.
        """
        literals = sum("{" not in part for part in self.key.split("/"))
        return (
            self.key != DEFAULT_ROUTE,
            "+}" not in self.key,
            literals,
            not self.key.startswith("ANY "),
        )


def load_routes(
    template: Template, resolver: IntrinsicResolver, functions: Sequence[LambdaFunction]
) -> list[Route]:
    """Load the routes of all HTTP APIs in the template, highest precedence first."""
    routes = [
        _load_route(template, resolver, function, trigger)
        for function, trigger in list_triggers(functions, "HttpApi")
    ]
    return sorted(routes, key=lambda route: route.precedence, reverse=True)


def match_route(
    routes: Iterable[Route], method: str, path: str
) -> tuple[Route, dict[str, str]] | None:
    """Return the first route that matches a decoded path, with its path parameters."""
    for route in routes:
        parameters = route.match(method, path)
        if parameters is not None:
            return route, parameters
    return None


def _load_route(
    template: Template, resolver: IntrinsicResolver, function: LambdaFunction, trigger: Trigger
) -> Route:
    properties, where = trigger.properties, trigger.where
    method, path = properties.get("Method"), properties.get("Path")
    if (method is None) != (path is None):
        raise TemplateError(where, "Method and Path: one is missing; give both or none")
    if str(properties.get("PayloadFormatVersion", "2.0")) != "2.0":
        raise TemplateError(where, "only payload format 2.0 is emulated")
    api = str(properties.get("ApiId", _IMPLICIT_API))
    auth = as_mapping(properties.get("Auth"), f"{where}.Auth")
    authorizer = auth.get("Authorizer", _find_default_authorizer(template, resolver, api))
    if authorizer not in (None, "NONE", "AWS_IAM"):
        raise TemplateError(where, f"authorizer {authorizer!r} is not emulated")
    key = DEFAULT_ROUTE if path is None else f"{str(method).upper().replace('*', 'ANY')} {path}"
    return Route(key, api, function.logical_id, authorizer == "AWS_IAM")


def _find_default_authorizer(template: Template, resolver: IntrinsicResolver, api: str) -> Value:
    if api == _IMPLICIT_API:
        return None
    for name, resource in template.resources.items():
        if (
            resource.type == "AWS::Serverless::HttpApi"
            and resolver.resolve_text({"Ref": name}, api) == api
        ):
            auth = resolver.resolve_properties(resource.properties.get("Auth"), f"{name}.Auth")
            return auth.get("DefaultAuthorizer")
    raise TemplateError(f"ApiId {api}", "not an HTTP API of this template")


@cache
def _compile_path(path: str) -> re.Pattern[str]:
    parts = _PATH_PARAMETER.split(path)
    expression = re.escape(parts[0])
    for name, greedy, after in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        expression += f"(?P<{name}>{'.+' if greedy else '[^/]+'}){re.escape(after)}"
    return re.compile(expression)


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request; ``path`` and ``query`` undecoded, header names in lower case."""

    method: str
    path: str
    query: str
    headers: Sequence[tuple[str, str]]
    body: bytes
    source_ip: str
    time_ms: int
    protocol: str = "HTTP/1.1"
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:15] + "=")

    @property
    def decoded_path(self) -> str:
        return unquote(self.path).partition("?")[0]

    def get_header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key == name]
        return ",".join(values) if values else None


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A response; header names in lower case."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class HttpError(Exception):
    """Raised when a request is refused, with the caller's status and message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


class InvalidFunctionResponse(Exception):
    """Raised when an HTTP API cannot turn a function's response into HTTP."""


def build_http_event(
    route: Route, parameters: Mapping[str, str], request: HttpRequest
) -> dict[str, Any]:
    """Build a function's event from a request."""
    result: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route.key,
        "rawPath": request.decoded_path,
        "rawQueryString": request.query,
        "headers": _join_values(pair for pair in request.headers if pair[0] != "cookie"),
        "requestContext": _build_context(route, request),
    }
    if cookies := [value for name, value in request.headers if name == "cookie"]:
        result["cookies"] = _COOKIE_SEPARATOR.split(";".join(cookies))
    if request.query:
        result["queryStringParameters"] = _join_values(
            parse_qsl(request.query, keep_blank_values=True)
        )
    if parameters:
        result["pathParameters"] = dict(parameters)
    return result | _build_body(request)


def _build_context(route: Route, request: HttpRequest) -> dict[str, Any]:
    moment = datetime.fromtimestamp(request.time_ms / 1000, UTC)
    return {
        "accountId": ACCOUNT_ID,
        "apiId": route.api_id,
        "domainName": f"{route.api_id}.execute-api.{REGION}.amazonaws.com",
        "domainPrefix": route.api_id,
        "http": {
            "method": request.method,
            "path": request.decoded_path,
            "protocol": request.protocol,
            "sourceIp": request.source_ip,
            "userAgent": request.get_header("user-agent") or "",
        },
        "requestId": request.id,
        "routeKey": route.key,
        "stage": DEFAULT_ROUTE,
        "time": moment.strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "timeEpoch": request.time_ms,
    } | ({"authorizer": {"iam": _IAM_IDENTITY}} if route.requires_iam else {})


def _build_body(request: HttpRequest) -> dict[str, Any]:
    if not request.body:
        return {"isBase64Encoded": False}
    if _TEXT_TYPES.match((request.get_header("content-type") or "").lower()):
        return {"body": request.body.decode("utf-8", "replace"), "isBase64Encoded": False}
    return {"body": base64.b64encode(request.body).decode(), "isBase64Encoded": True}


def _join_values(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Join values of the same name by commas."""
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def parse_response(payload: bytes) -> HttpResponse:
    """Parse a function's response. Raises InvalidFunctionResponse."""
    try:
        response = json.loads(payload)
    except ValueError as error:
        raise InvalidFunctionResponse("response is not JSON") from error
    if not isinstance(response, dict) or "statusCode" not in response:
        return HttpResponse(200, (("content-type", "application/json"),), payload)
    headers = [
        (str(name).lower(), _format_header_value(value))
        for name, value in (response.get("headers") or {}).items()
    ]
    headers += [
        ("set-cookie", _format_header_value(cookie)) for cookie in response.get("cookies") or ()
    ]
    if not any(name == "content-type" for name, _ in headers):
        headers.append(("content-type", "text/plain;charset=UTF-8"))
    return HttpResponse(
        _parse_status(response["statusCode"]), tuple(headers), _parse_body(response)
    )


def _parse_status(value: object) -> int:
    try:
        status = int(str(value))
    except ValueError as error:
        raise InvalidFunctionResponse(f"statusCode is {value!r}") from error
    if not 100 <= status <= 599:
        raise InvalidFunctionResponse(f"statusCode is {status}")
    return status


def _parse_body(response: Mapping[str, object]) -> bytes:
    body = response.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise InvalidFunctionResponse(f"body is a {type(body).__name__}, not a string")
    if not response.get("isBase64Encoded"):
        return body.encode()
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise InvalidFunctionResponse("body is not base64") from error


def _format_header_value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float):
        raise InvalidFunctionResponse(f"header value is a {type(value).__name__}, not a string")
    text = str(value)
    if not text.isascii() or any(character in text for character in "\r\n\0"):
        raise InvalidFunctionResponse("header value has characters that HTTP does not allow")
    return text
