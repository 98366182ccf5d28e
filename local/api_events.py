"""The event that a request to an HTTP API becomes (payload format 2.0).

Paths are handed on decoded, "raw" ones too, as an HTTP API does, so an escaped slash is none any
more; path parameters are decoded by themselves.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

from local.account import ACCOUNT, REGION
from local.http_api import Request
from local.routes import DEFAULT, Route

_TEXT_TYPES: Final = re.compile(
    r"text/|application/(json|xml|javascript)\b|application/[\w.-]+\+(json|xml)\b"
)
_CALLER: Final = {
    "accessKey": "testing",
    "accountId": ACCOUNT,
    "callerId": "local",
    "cognitoIdentity": None,
    "principalOrgId": None,
    "userArn": f"arn:aws:iam::{ACCOUNT}:user/local",
    "userId": "local",
}


def event(route: Route, parameters: Mapping[str, str], request: Request) -> dict[str, Any]:
    """The event that a function gets for a request."""
    result: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route.key,
        "rawPath": unquote(request.path),
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
            "path": unquote(request.path),
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


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Values of the same name are joined by commas."""
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined
