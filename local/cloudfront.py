"""CloudFront in front of an HTTP API: what of viewers' requests reaches the origin.

Its viewer function is JavaScript and is not run. Where the template has one, its two headers are
made here instead: ``x-waypost-host`` (the viewer's Host) and ``x-waypost-time`` (when the viewer's
request came, epoch milliseconds).
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import replace
from typing import Final

from local.clock import Clock
from local.distributions import Distribution
from local.http_api import HttpError, HttpRequest

_TIME_CACHE_SIZE: Final = 10_000  # requests whose repetition is known as such
_EDGE_ADDRESS: Final = "192.0.2.1"  # the caller that origins see; the viewer's is in a header
_URL_BYTES: Final = 8_192


class CloudFrontEdge:
    """Turns viewers' requests into origin requests.

    A caller that names an ``x-amz-cf-id`` is CloudFront repeating an attempt: the same id gets the
    same time. Callers may also set ``cloudfront-viewer-*``, which CloudFront itself would
    overwrite, to seem to come from elsewhere.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._request_times: OrderedDict[str, int] = OrderedDict()

    def build_origin_request(
        self, distribution: Distribution, viewer_request: HttpRequest, viewer_port: int
    ) -> HttpRequest:
        """What reaches the origin of a viewer's request that came from ``port``.

        Raises Refused for what the distribution does not let through.
        """
        if viewer_request.method not in distribution.allowed_methods:
            raise HttpError(403, "The distribution does not allow this method")
        if len(viewer_request.path) + len(viewer_request.query) > _URL_BYTES:
            raise HttpError(414, "The URL is too long")
        cf_id = viewer_request.get_header("x-amz-cf-id") or f"{secrets.token_urlsafe(40)[:54]}=="
        noted = self._forward_headers(distribution, viewer_request, viewer_port, cf_id)
        headers = noted | {
            **dict(distribution.origin_headers),
            "host": f"{distribution.api_id}.execute-api",
            "via": "1.1 local.cloudfront.net (CloudFront)",
            "x-amz-cf-id": cf_id,
            "x-forwarded-for": viewer_request.source_ip,
        }
        return replace(
            viewer_request,
            headers=list(headers.items()),
            source_ip=_EDGE_ADDRESS,
            time_ms=self._clock.now_ms(),
        )

    def _forward_headers(
        self, distribution: Distribution, viewer: HttpRequest, port: int, cf_id: str
    ) -> dict[str, str]:
        """The viewer's headers and what is noted about it, as far as the policy forwards them."""
        address = {"cloudfront-viewer-address": f"{viewer.source_ip}:{port}"}
        headers = address | {name: viewer.get_header(name) or "" for name, _ in viewer.headers}
        if distribution.adds_viewer_headers:
            headers["x-waypost-host"] = headers.get("host", "")
            headers["x-waypost-time"] = str(self._get_request_time(cf_id, viewer.time_ms))
        forwarded = distribution.forwarded_headers
        kept = {n: value for n, value in headers.items() if forwarded is None or n in forwarded}
        return {"user-agent": "Amazon CloudFront"} | kept

    def _get_request_time(self, cf_id: str, now: int) -> int:
        moment = self._request_times.setdefault(cf_id, now)
        while len(self._request_times) > _TIME_CACHE_SIZE:
            self._request_times.popitem(last=False)
        return moment
