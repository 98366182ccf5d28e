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
from local.http_api import Refused, Request

_REMEMBERED: Final = 10_000  # requests whose repetition is known as such
_EDGE_ADDRESS: Final = "192.0.2.1"  # the caller that origins see; the viewer's is in a header
_URL_BYTES: Final = 8_192


class Edge:
    """Turns viewers' requests into origin requests.

    A caller that names an ``x-amz-cf-id`` is CloudFront repeating an attempt: the same id gets the
    same time. Callers may also set ``cloudfront-viewer-*``, which CloudFront itself would
    overwrite, to seem to come from elsewhere.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._times: OrderedDict[str, int] = OrderedDict()

    def origin_request(self, distribution: Distribution, viewer: Request, port: int) -> Request:
        """What reaches the origin of a viewer's request that came from ``port``.

        Raises Refused for what the distribution does not let through.
        """
        if viewer.method not in distribution.methods:
            raise Refused(403, "The distribution does not allow this method")
        if len(viewer.path) + len(viewer.query) > _URL_BYTES:
            raise Refused(414, "The URL is too long")
        cf_id = viewer.header("x-amz-cf-id") or f"{secrets.token_urlsafe(40)[:54]}=="
        noted = self._noted(distribution, viewer, port, cf_id)
        headers = noted | {
            **dict(distribution.origin_headers),
            "host": f"{distribution.api}.execute-api",
            "via": "1.1 local.cloudfront.net (CloudFront)",
            "x-amz-cf-id": cf_id,
            "x-forwarded-for": viewer.source_ip,
        }
        return replace(
            viewer,
            headers=list(headers.items()),
            source_ip=_EDGE_ADDRESS,
            time=self._clock.milliseconds(),
        )

    def _noted(
        self, distribution: Distribution, viewer: Request, port: int, cf_id: str
    ) -> dict[str, str]:
        """The viewer's headers and what is noted about it, as far as the policy forwards them."""
        address = {"cloudfront-viewer-address": f"{viewer.source_ip}:{port}"}
        headers = address | {name: viewer.header(name) or "" for name, _ in viewer.headers}
        if distribution.notes_viewer:
            headers["x-waypost-host"] = headers.get("host", "")
            headers["x-waypost-time"] = str(self._time(cf_id, viewer.time))
        forwarded = distribution.forwarded
        kept = {n: value for n, value in headers.items() if forwarded is None or n in forwarded}
        return {"user-agent": "Amazon CloudFront"} | kept

    def _time(self, cf_id: str, now: int) -> int:
        moment = self._times.setdefault(cf_id, now)
        while len(self._times) > _REMEMBERED:
            self._times.popitem(last=False)
        return moment
