"""HTTP APIs: the event that a request becomes (payload format 2.0), and the answer read back.

Paths are handed on as they came, undecoded; path parameters are decoded.
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
from typing import Any, Final
from urllib.parse import parse_qsl

from local.intrinsics import ACCOUNT, REGION
from local.routes import DEFAULT, Route

_TEXT_TYPES: Final = re.compile(
    r"text/|application/(json|xml|javascript)\b|application/[\w.-]+\+(json|xml)\b"
)


@dataclass(frozen=True, slots=True)
class Request:
    """``path`` and ``query`` undecoded; ``headers`` in lower case; ``time`` in epoch ms."""

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


class Refused(Exception):
    """Raised when a request gets no further; the caller is told a status and a message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


class BadAnswer(Exception):
    """Raised when a function's answer is not one that an HTTP API can pass on."""


def event(route: Route, parameters: Mapping[str, str], request: Request) -> dict[str, Any]:
    """The event that a function gets for a request."""
    result: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route.key,
        "rawPath": request.path,
        "rawQueryString": request.query,
        "headers": _joined(pair for pair in request.headers if pair[0] != "cookie"),
        "requestContext": _context(route, request),
    }
    if cookies := [value for name, value in request.headers if name == "cookie"]:
        result["cookies"] = re.split(r";\s*", ";".join(cookies))
    if request.query:
        result["queryStringParameters"] = _joined(parse_qsl(request.query, keep_blank_values=True))
    if parameters:
        result["pathParameters"] = dict(parameters)
    return result | _request_body(request)


def _context(route: Route, request: Request) -> dict[str, Any]:
    moment = datetime.fromtimestamp(request.time / 1000, UTC)
    return {
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
    } | ({"authorizer": {"iam": _CALLER}} if route.iam else {})


def _request_body(request: Request) -> dict[str, Any]:
    if not request.body:
        return {"isBase64Encoded": False}
    if _TEXT_TYPES.match((request.header("content-type") or "").lower()):
        return {"body": request.body.decode("utf-8", "replace"), "isBase64Encoded": False}
    return {"body": base64.b64encode(request.body).decode(), "isBase64Encoded": True}


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
    headers += [("set-cookie", _header_value(cookie)) for cookie in answer.get("cookies") or ()]
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


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Values of the same name are joined by commas."""
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


_CALLER: Final = {
    "accessKey": "testing",
    "accountId": ACCOUNT,
    "callerId": "local",
    "cognitoIdentity": None,
    "principalOrgId": None,
    "userArn": f"arn:aws:iam::{ACCOUNT}:user/local",
    "userId": "local",
}
