"""Build HTTP responses: JSON, problem+json (RFC 9457), and a plain page for people.

``_ERROR_STATUSES`` is the only map from errors to statuses. Responses have API Gateway's payload
format 2.0.
"""

from __future__ import annotations

import json
from html import escape
from typing import Final, NotRequired, TypedDict

from waypost.errors import (
    AlreadyExists,
    ConcurrentModification,
    ConfigurationError,
    CorruptItem,
    ExpiredShortLink,
    InvalidRequest,
    MissingDestination,
    NotFound,
    OperatorRequired,
    ShareAccessDenied,
    StoreUnavailable,
    TokenError,
    TooLarge,
    UnsafeDestination,
    WaypostError,
    WriteConflict,
)


class Response(TypedDict):
    """A function's response to API Gateway. Header names are in lower case."""

    statusCode: int
    headers: dict[str, str]
    body: str
    isBase64Encoded: NotRequired[bool]
    cookies: NotRequired[list[str]]


_ERROR_STATUSES: Final[tuple[tuple[type[WaypostError], int, str], ...]] = (
    (InvalidRequest, 400, "The request is not valid"),
    (ShareAccessDenied, 403, "Not shared with you"),
    (OperatorRequired, 403, "Only operators may do this"),
    (NotFound, 404, "Not found"),
    (AlreadyExists, 409, "The name cannot be taken"),
    (ConcurrentModification, 409, "Others change it at the same time"),
    (TooLarge, 413, "The message is too large"),
    (UnsafeDestination, 422, "The destination is not allowed"),
    (ExpiredShortLink, 410, "The link has expired"),
    (MissingDestination, 410, "The destination was deleted"),
    (TokenError, 404, "The link leads nowhere"),
    (StoreUnavailable, 503, "The store did not answer"),
    (WriteConflict, 503, "The store is busy"),
    (CorruptItem, 500, "What is stored cannot be read"),
    (ConfigurationError, 500, "The function is not set up"),
)

_PAGE_HEADERS: Final = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex",
    "content-security-policy": (
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    ),
}

_PAGE_TEMPLATE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root{{color-scheme:light dark;font:1.1rem/1.5 system-ui,sans-serif}}
body{{max-width:30rem;margin:20vh auto;padding:0 1.5rem}}h1{{font-size:1.4rem}}
</style></head>
<body><main><h1>{title}</h1><p>{text}</p></main></body></html>
"""


def json_response(status: int, body: object) -> Response:
    """Build a JSON response that is never cached, since reports change."""
    return Response(
        statusCode=status,
        headers={"content-type": "application/json", "cache-control": "no-store"},
        body=json.dumps(body, ensure_ascii=False, separators=(",", ":")),
    )


def problem_response(error: WaypostError) -> Response:
    """Build the problem+json response of an error."""
    status, title = get_error_status(error)
    response = json_response(status, problem_body(error, status, title))
    response["headers"]["content-type"] = "application/problem+json"
    if status == 503:
        response["headers"]["retry-after"] = "1"
    return response


def get_error_status(error: WaypostError) -> tuple[int, str]:
    """Return the status and title of an error."""
    return next(
        (
            (status, title)
            for error_class, status, title in _ERROR_STATUSES
            if isinstance(error, error_class)
        ),
        (500, "Something went wrong"),
    )


def problem_body(error: WaypostError, status: int, title: str) -> dict[str, object]:
    """Build the members of RFC 9457, with ``errors`` by field for an invalid request, and with
    ``field``, ``size`` and ``limit`` in bytes for one that is too large.
    """
    body: dict[str, object] = {"type": "about:blank", "title": title, "status": status}
    body["detail"] = str(error)
    if isinstance(error, InvalidRequest):
        body["errors"] = [{"field": p.field, "reason": p.reason} for p in error.problems]
    if isinstance(error, TooLarge):
        body |= {"field": error.field, "size": error.size, "limit": error.limit}
    return body


def plain_page_response(status: int, title: str, text: str) -> Response:
    """Build the page for a recipient whose link fails: a text without links, never cached."""
    return Response(
        statusCode=status,
        headers=dict(_PAGE_HEADERS),
        body=_PAGE_TEMPLATE.format(title=escape(title), text=escape(text)),
    )
