"""Convert an HTTP request and a signed token to a click.

CloudFront's function adds the host and time of the viewer's request, and CloudFront adds its
request id. So a GET that CloudFront repeats at the origin has the id and time of the first one and
counts once. A caller of the API's own address can send the same headers. They are trusted only in
requests that carry a secret of the origin; API Gateway's values are used in all others.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final, TypedDict

from waypost.ids import derive_open_id
from waypost.models.attributes import from_milliseconds
from waypost.models.click import MAX_AGENT_CHARACTERS, MAX_HREF_CHARACTERS, Click
from waypost.models.workspace import IpPolicy, WorkspaceSettings
from waypost.tokens import ClickToken, OpenToken

PREFETCH_HEADERS: Final = ("sec-purpose", "purpose", "x-moz", "x-purpose")
_PREFETCH_PATTERN: Final = re.compile("prefetch|prerender|preview", re.IGNORECASE)
_REQUEST_ID_PATTERN: Final = re.compile(r"[A-Za-z0-9_=-]{8,128}")

MAX_VIEWER_TIME_AGE_MILLISECONDS: Final = 120_000
"""Greatest age of the viewer's time: a request that CloudFront repeats is older by its timeouts."""
MAX_CLOCK_SKEW_MILLISECONDS: Final = 5_000
"""Greatest lead of CloudFront's clock over API Gateway's."""
IPV4_PREFIX_BITS: Final = 24
IPV6_PREFIX_BITS: Final = 48


class _HttpContext(TypedDict):
    method: str
    sourceIp: str


class _RequestContext(TypedDict):
    http: _HttpContext
    requestId: str
    timeEpoch: int


class RedirectEvent(TypedDict, total=False):
    """API Gateway's event, payload format 2.0. Header names are in lower case."""

    headers: Mapping[str, str]
    pathParameters: Mapping[str, str]
    rawPath: str
    requestContext: _RequestContext


@dataclass(frozen=True, slots=True)
class ClickRequest:
    """The data of a request that a click needs.

    ``time`` is in milliseconds since 1970. ``address`` is the complete address and is never stored.
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
        """Return False for HEAD requests and prefetches, which are not counted."""
        return self.method == "GET" and not self.is_prefetch


def is_from_cloudfront(headers: Mapping[str, str], secrets: Sequence[str]) -> bool:
    """Return True if a request carries one of the origin's secrets."""
    given = headers.get("x-waypost-origin", "").encode()
    # A list, not a generator: the comparison must take the same time for every secret.
    matches = [hmac.compare_digest(given, secret.encode()) for secret in secrets if secret]
    return any(matches)


def parse_click_request(event: RedirectEvent, *, from_cloudfront: bool) -> ClickRequest:
    """Parse a request. CloudFront's headers are read only if the request is ``from_cloudfront``."""
    headers = event.get("headers", {})
    trusted = headers if from_cloudfront else {}
    context = event["requestContext"]
    return ClickRequest(
        id=_choose_request_id(trusted, context),
        time=_choose_time(trusted, context["timeEpoch"]),
        method=context["http"]["method"],
        agent=headers.get("user-agent", ""),
        address=_parse_viewer_address(trusted) or context["http"].get("sourceIp"),
        country=trusted.get("cloudfront-viewer-country"),
        asn=_parse_digits(trusted.get("cloudfront-viewer-asn", "")),
        is_prefetch=any(
            _PREFETCH_PATTERN.search(headers.get(name, "")) for name in PREFETCH_HEADERS
        ),
    )


def _choose_request_id(headers: Mapping[str, str], context: _RequestContext) -> str:
    viewer_id = headers.get("x-amz-cf-id", "")
    return viewer_id if _REQUEST_ID_PATTERN.fullmatch(viewer_id) else context["requestId"]


def _choose_time(headers: Mapping[str, str], received_at: int) -> int:
    """Return the viewer's time if it is plausible: a wrong clock must not move a click."""
    viewer_time = _parse_digits(headers.get("x-waypost-time", ""))
    if (
        viewer_time is None
        or not -MAX_VIEWER_TIME_AGE_MILLISECONDS
        <= viewer_time - received_at
        <= MAX_CLOCK_SKEW_MILLISECONDS
    ):
        return received_at
    return viewer_time


def _parse_viewer_address(headers: Mapping[str, str]) -> str | None:
    """Return the viewer's address without its port, which follows the last colon (IPv6 too)."""
    viewer_address = headers.get("cloudfront-viewer-address", "")
    return viewer_address.rpartition(":")[0].strip("[]") or None


def _parse_digits(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else None


def build_click(
    token: ClickToken,
    href: str,
    request: ClickRequest,
    settings: WorkspaceSettings,
    retention_days: int,
) -> Click:
    """Build the click of a request, with only the data that the workspace allows to store.

    ``retention_days`` applies to a workspace without its own retention.
    """
    time = from_milliseconds(request.time)
    retention = timedelta(days=settings.retention_days or retention_days)
    return Click(
        id=request.id,
        time=time,
        link=token.link,
        position=token.position,
        delivery=token.delivery,
        person=token.person,
        href=href[:MAX_HREF_CHARACTERS],
        agent=request.agent[:MAX_AGENT_CHARACTERS],
        ip=truncate_address(request.address, settings.ip),
        country=request.country,
        asn=request.asn,
        sent=token.sent,
        expires=int((time + retention).timestamp()),
    )


def to_click_token(token: OpenToken) -> ClickToken:
    """Convert the token of an open, which is stored as a click with the id of opens."""
    link = derive_open_id(token.campaign)
    return ClickToken(link, token.delivery, token.person, position=0, sent=token.sent, href="")


def truncate_address(address: str | None, policy: IpPolicy) -> str | None:
    """Return the part of an address that the policy allows: its network (/24, /48) by default.

    None if the policy allows nothing, or for a text that is no address.
    """
    if address is None or policy == "none":
        return None
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped  # its first 48 bits are the same for all IPv4 addresses
    if policy == "full":
        return str(parsed)
    if isinstance(parsed, IPv6Address) and parsed.sixtofour is not None:
        parsed = parsed.sixtofour  # its first 48 bits contain the complete IPv4 address
    prefix_bits = IPV4_PREFIX_BITS if parsed.version == 4 else IPV6_PREFIX_BITS
    return str(ip_network((parsed, prefix_bits), strict=False).network_address)
