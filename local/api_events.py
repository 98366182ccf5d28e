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

from local.account import ACCOUNT_ID, REGION
from local.api_gateway import DEFAULT_ROUTE, Route
from local.http_api import HttpRequest

_TEXT_TYPES: Final = re.compile(
    r"text/|application/(json|xml|javascript)\b|application/[\w.-]+\+(json|xml)\b"
)
_IAM_IDENTITY: Final = {
    "accessKey": "testing",
    "accountId": ACCOUNT_ID,
    "callerId": "local",
    "cognitoIdentity": None,
    "principalOrgId": None,
    "userArn": f"arn:aws:iam::{ACCOUNT_ID}:user/local",
    "userId": "local",
}


def build_http_event(
    route: Route, parameters: Mapping[str, str], request: HttpRequest
) -> dict[str, Any]:
    """The event that a function gets for a request."""
    result: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route.key,
        "rawPath": unquote(request.path),
        "rawQueryString": request.query,
        "headers": _join_values(pair for pair in request.headers if pair[0] != "cookie"),
        "requestContext": _build_context(route, request),
    }
    if cookies := [value for name, value in request.headers if name == "cookie"]:
        result["cookies"] = re.split(r";\s*", ";".join(cookies))
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
            "path": unquote(request.path),
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
    """Values of the same name are joined by commas."""
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined
