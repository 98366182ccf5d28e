"""HTTP APIs: which route a request takes, the event it becomes (payload format 2.0), and the answer read back.

Paths are matched and handed on as they came, undecoded; path parameters are decoded.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

from local.errors import TemplateError
from local.functions import Function, events_of
from local.intrinsics import ACCOUNT, REGION, Resolver
from local.template import Template

DEFAULT: Final = "$default"
_TEXT_TYPES: Final = re.compile(
    r"text/|application/(json|xml|javascript)\b|application/[\w.-]+\+(json|xml)\b"
)


@dataclass(frozen=True, slots=True)
class Route:
    """``key`` is API Gateway's route key, such as ``GET /s/{code}``; ``iam`` whether callers sign."""

    key: str
    api: str
    function: str
    iam: bool

    def match(self, method: str, path: str) -> tuple[int, dict[str, str]] | None:
        """How specific the match is (higher wins) and the path parameters; None when there is none."""
        if self.key == DEFAULT:
            return 0, {}
        wanted_method, wanted_path = self.key.split(" ", 1)
        if wanted_method not in ("ANY", method):
            return None
        found = _expression(wanted_path).fullmatch(path)
        if found is None:
            return None
        weight = 10 * sum("{" not in part for part in wanted_path.split("/")) + (
            wanted_method != "ANY"
        )
        parameters = {name: unquote(value) for name, value in found.groupdict().items()}
        return (1 if "+}" in wanted_path else 1_000) + weight, parameters


@dataclass(frozen=True, slots=True)
class Request:
    """``path`` and ``query`` undecoded; names of ``headers`` in lower case; ``time`` in epoch milliseconds."""

    method: str
    path: str
    query: str
    headers: Sequence[tuple[str, str]]
    body: bytes
    source_ip: str
    time: int
    protocol: str = "HTTP/1.1"
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:15] + "=")

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key == name]
        return ",".join(values) if values else None


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class BadAnswer(Exception):
    """Raised when a function's answer is not one that an HTTP API can pass on."""


def routes(template: Template, resolver: Resolver, functions: Sequence[Function]) -> list[Route]:
    """The routes of every HTTP API in the template."""
    return list(_routes(template, resolver, functions))


def _routes(
    template: Template, resolver: Resolver, functions: Sequence[Function]
) -> Iterator[Route]:
    for function, event in events_of(functions, "HttpApi"):
        properties = event.properties
        api = str(properties.get("ApiId", "serverlesshttpapi"))
        method, path = properties.get("Method"), properties.get("Path")
        if (method is None) != (path is None):
            raise TemplateError(event.where, "has only one of Method and Path")
        if str(properties.get("PayloadFormatVersion", "2.0")) != "2.0":
            raise TemplateError(event.where, "only payload format 2.0 is emulated")
        key = DEFAULT if path is None else f"{str(method).upper().replace('*', 'ANY')} {path}"
        auth = resolver.properties(properties.get("Auth"), f"{event.where}.Auth")
        authorizer = auth.get("Authorizer", _default_authorizer(template, resolver, api))
        if authorizer not in (None, "NONE", "AWS_IAM"):
            raise TemplateError(event.where, f"authorizer {authorizer!r} is not emulated")
        yield Route(key, api, function.logical_id, authorizer == "AWS_IAM")


def _default_authorizer(template: Template, resolver: Resolver, api: str) -> str | None:
    for resource in template.resources.values():
        if resource.logical_id.lower() == api and resource.type == "AWS::Serverless::HttpApi":
            auth = resolver.properties(
                resource.properties.get("Auth"), f"{resource.logical_id}.Auth"
            )
            return None if auth.get("DefaultAuthorizer") is None else str(auth["DefaultAuthorizer"])
    if api == "serverlesshttpapi":
        return None
    raise TemplateError(f"ApiId {api}", "is no HTTP API of this template")


def choose(routes: Sequence[Route], method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """The most specific route for a request, with its path parameters."""
    found = [(match, route) for route in routes if (match := route.match(method, path)) is not None]
    if not found:
        return None
    (_, parameters), route = max(found, key=lambda item: item[0][0])
    return route, parameters


def event(route: Route, parameters: Mapping[str, str], request: Request) -> dict[str, Any]:
    """The event that a function gets for a request."""
    moment = datetime.fromtimestamp(request.time / 1000, UTC)
    context: dict[str, Any] = {
        "accountId": ACCOUNT,
        "apiId": route.api,
        "domainName": f"{route.api}.execute-api.{REGION}.amazonaws.com",
        "domainPrefix": route.api,
        "http": {
            "method": request.method,
            "path": request.path,
            "protocol": request.protocol,
            "sourceIp": request.source_ip,
            "userAgent": request.header("user-agent") or "",
        },
        "requestId": request.id,
        "routeKey": route.key,
        "stage": DEFAULT,
        "time": moment.strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "timeEpoch": request.time,
    }
    if route.iam:
        context["authorizer"] = {"iam": _CALLER}
    result: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route.key,
        "rawPath": request.path,
        "rawQueryString": request.query,
        "headers": _joined((name, value) for name, value in request.headers if name != "cookie"),
        "requestContext": context,
        "isBase64Encoded": False,
    }
    cookies = [
        part.strip()
        for name, value in request.headers
        if name == "cookie"
        for part in value.split(";")
    ]
    if cookies:
        result["cookies"] = cookies
    if request.query:
        result["queryStringParameters"] = _joined(parse_qsl(request.query, keep_blank_values=True))
    if parameters:
        result["pathParameters"] = dict(parameters)
    if request.body:
        text = _TEXT_TYPES.match((request.header("content-type") or "").lower()) is not None
        result["body"] = (
            request.body.decode("utf-8", "replace")
            if text
            else base64.b64encode(request.body).decode()
        )
        result["isBase64Encoded"] = not text
    return result


def response(payload: bytes) -> Response:
    """What the caller gets for a function's answer. Raises BadAnswer."""
    try:
        answer = json.loads(payload)
    except ValueError as error:
        raise BadAnswer("the answer is no JSON") from error
    if not isinstance(answer, dict) or "statusCode" not in answer:
        return Response(200, (("content-type", "application/json"),), payload)
    headers = [
        (str(name).lower(), _header_value(value))
        for name, value in (answer.get("headers") or {}).items()
    ]
    headers += [("set-cookie", str(cookie)) for cookie in answer.get("cookies") or ()]
    if not any(name == "content-type" for name, _ in headers):
        headers.append(("content-type", "text/plain;charset=UTF-8"))
    return Response(_status(answer["statusCode"]), tuple(headers), _body(answer))


def _status(value: object) -> int:
    try:
        status = int(str(value))
    except ValueError as error:
        raise BadAnswer(f"statusCode is {value!r}") from error
    if not 100 <= status <= 599:
        raise BadAnswer(f"statusCode is {status}")
    return status


def _body(answer: Mapping[str, object]) -> bytes:
    body = answer.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise BadAnswer(f"body is a {type(body).__name__}, not a text")
    if not answer.get("isBase64Encoded"):
        return body.encode()
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise BadAnswer("body is no base64") from error


def _header_value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float):
        raise BadAnswer(f"a header is a {type(value).__name__}, not a text")
    text = str(value)
    if re.search(r"[\r\n\0]", text) or not text.isascii():
        raise BadAnswer("a header has characters that HTTP does not allow")
    return text


def _joined(pairs: Iterator[tuple[str, str]] | Sequence[tuple[str, str]]) -> dict[str, str]:
    """Values of the same name are joined by commas."""
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _expression(path: str) -> re.Pattern[str]:
    parts = re.split(r"\{([A-Za-z0-9_.-]+)(\+?)\}", path)
    literal, expression = parts[::3], re.escape(parts[0])
    for name, greedy, after in zip(parts[1::3], parts[2::3], literal[1:], strict=True):
        expression += f"(?P<{name}>{'.+' if greedy else '[^/]+'}){re.escape(after)}"
    return re.compile(expression)


_CALLER: Final = {
    "accessKey": "testing",
    "accountId": ACCOUNT,
    "callerId": "local",
    "cognitoIdentity": None,
    "principalOrgId": None,
    "userArn": f"arn:aws:iam::{ACCOUNT}:user/local",
    "userId": "local",
}
