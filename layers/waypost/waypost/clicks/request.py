"""What an HTTP request says about a click, and which requests are none.

CloudFront's function notes host and time on the viewer's request and CloudFront adds its own
request id, so a GET that CloudFront repeats at the origin has the same id and time as the first.
Whoever calls the API directly may write the same headers, so they are read only where a secret
shows that CloudFront sent the request; else API Gateway's own values are taken.

What is kept of an address.

Which requests came through CloudFront, whose word about a viewer is taken.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final, TypedDict

from waypost.models.workspace import IpPolicy

PREFETCH_HEADERS: Final = ("sec-purpose", "purpose", "x-moz", "x-purpose")
_PREFETCH_PATTERN: Final = re.compile("prefetch|prerender|preview", re.IGNORECASE)
_REQUEST_ID_PATTERN: Final = re.compile(r"[A-Za-z0-9_=-]{8,128}")

MAX_VIEWER_TIME_AGE_MILLISECONDS: Final = 120_000
"""How old a viewer's time may be: a request that CloudFront repeats is older by its timeouts."""
MAX_CLOCK_SKEW_MILLISECONDS: Final = 5_000
"""How far ahead of API Gateway's clock CloudFront's may run."""


class _HttpContext(TypedDict):
    method: str
    sourceIp: str
    userAgent: str


class _RequestContext(TypedDict):
    http: _HttpContext
    requestId: str
    timeEpoch: int


class RedirectEvent(TypedDict, total=False):
    """API Gateway's event, payload format 2.0; header names in lower case."""

    headers: Mapping[str, str]
    pathParameters: Mapping[str, str]
    rawPath: str
    requestContext: _RequestContext


@dataclass(frozen=True, slots=True)
class ClickRequest:
    """The facts of a request, before it is known what was clicked.

    ``time`` is in milliseconds since 1970. ``address`` is whole and never leaves memory so.
    """

    id: str
    time: int
    method: str
    agent: str
    address: str | None
    country: str | None
    asn: int | None
    is_prefetch: bool

    @property
    def is_click(self) -> bool:
        """Whether the request is a click: HEAD and prefetching follow a link that nobody did."""
        return self.method == "GET" and not self.is_prefetch


def parse_click_request(event: RedirectEvent, *, from_cloudfront: bool) -> ClickRequest:
    """The facts of a request; those that CloudFront adds only where it came ``through_front``."""
    headers = event.get("headers", {})
    front = headers if from_cloudfront else {}
    context = event["requestContext"]
    return ClickRequest(
        id=_choose_request_id(front, context),
        time=_choose_time(front, context["timeEpoch"]),
        method=context["http"]["method"],
        agent=headers.get("user-agent", ""),
        address=_parse_viewer_address(front) or context["http"].get("sourceIp"),
        country=front.get("cloudfront-viewer-country"),
        asn=_parse_digits(front.get("cloudfront-viewer-asn", "")),
        is_prefetch=any(
            _PREFETCH_PATTERN.search(headers.get(name, "")) for name in PREFETCH_HEADERS
        ),
    )


def _choose_request_id(headers: Mapping[str, str], context: _RequestContext) -> str:
    viewer = headers.get("x-amz-cf-id", "")
    return viewer if _REQUEST_ID_PATTERN.fullmatch(viewer) else context["requestId"]


def _choose_time(headers: Mapping[str, str], received_at: int) -> int:
    """The viewer's time where it is believable: a clock that is far off must not move a click."""
    viewer = _parse_digits(headers.get("x-waypost-time", ""))
    if (
        viewer is None
        or not -MAX_VIEWER_TIME_AGE_MILLISECONDS
        <= viewer - received_at
        <= MAX_CLOCK_SKEW_MILLISECONDS
    ):
        return received_at
    return viewer


def _parse_viewer_address(headers: Mapping[str, str]) -> str | None:
    """The viewer's address without its port, which follows the last colon, IPv6 or not."""
    viewer = headers.get("cloudfront-viewer-address", "")
    return viewer.rpartition(":")[0].strip("[]") or None


def _parse_digits(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else None


IPV4_PREFIX_BITS: Final = 24
IPV6_PREFIX_BITS: Final = 48


def truncate_address(address: str | None, policy: IpPolicy) -> str | None:
    """The part of an address that the workspace keeps: cut to its network (/24, /48) by default.

    None where nothing is kept, and for what is no address.
    """
    if address is None or policy == "none":
        return None
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped  # else the whole of the IPv4 address would be cut to nothing
    if policy == "full":
        return str(parsed)
    if isinstance(parsed, IPv6Address) and parsed.sixtofour is not None:
        parsed = parsed.sixtofour  # else the first 48 bits would keep the whole of it
    kept = IPV4_PREFIX_BITS if parsed.version == 4 else IPV6_PREFIX_BITS
    return str(ip_network((parsed, kept), strict=False).network_address)


def is_from_cloudfront(headers: Mapping[str, str], secrets: Sequence[str]) -> bool:
    """Whether a request carries one of the origin's secrets, so that CloudFront sent it."""
    given = headers.get("x-waypost-origin", "").encode()
    matches = [hmac.compare_digest(given, secret.encode()) for secret in secrets if secret]
    return any(matches)
