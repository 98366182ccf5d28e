"""CloudFront in front of an HTTP API: which requests it lets through, and what of them reaches the
origin.

Its viewer function is JavaScript and is not run. Where the template has one, its two headers are
made here instead: ``x-waypost-host`` (the viewer's Host) and ``x-waypost-time`` (when the viewer's
request came, epoch milliseconds).
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Final

from local.clock import Clock
from local.errors import TemplateError
from local.http_api import Refused, Request
from local.intrinsics import Resolver
from local.resources import CloudResources
from local.template import Properties, Template, mapping, sequence

_REMEMBERED = 10_000  # requests whose repetition is known as such
_EDGE_ADDRESS: Final = (
    "192.0.2.1"  # what the origin sees as the caller; the viewer's travels in a header
)
_ALL_BUT_HOST: Final = (
    "b689b0a8-53d0-40ab-baf2-68738e2966ac"  # the managed policy AllViewerExceptHostHeader
)
_URL_BYTES: Final = 8_192


@dataclass(frozen=True, slots=True)
class Distribution:
    """``forwarded`` names the headers that reach the origin, in lower case; None: all that the
    viewer sent.
    """

    api: str
    methods: frozenset[str]
    forwarded: frozenset[str] | None
    origin_headers: tuple[tuple[str, str], ...]
    notes_viewer: bool


def distributions(
    template: Template, resolver: Resolver, resources: CloudResources
) -> dict[str, Distribution]:
    """The distributions of the template by the API that they stand in front of."""
    found = {}
    for resource in template.resources.values():
        if resource.type == "AWS::CloudFront::Distribution" and resolver.holds(resource.condition):
            config = mapping(resource.properties.get("DistributionConfig"), resource.logical_id)
            distribution = _distribution(template, config, resolver, resources, resource.logical_id)
            found[distribution.api] = distribution
    return found


def _distribution(
    template: Template,
    config: Properties,
    resolver: Resolver,
    resources: CloudResources,
    where: str,
) -> Distribution:
    behaviour = mapping(config.get("DefaultCacheBehavior"), f"{where}.DefaultCacheBehavior")
    origins = sequence(config.get("Origins"), f"{where}.Origins")
    origin = next(
        (o for o in origins if isinstance(o, dict) and o["Id"] == behaviour["TargetOriginId"]), None
    )
    if origin is None:
        raise TemplateError(f"{where}.TargetOriginId", "names no origin")
    headers = resolver.value(origin.get("OriginCustomHeaders"), f"{where}.OriginCustomHeaders")
    return Distribution(
        api=resolver.text(origin["DomainName"], f"{where}.DomainName").partition(".")[0],
        methods=frozenset(
            map(str, sequence(behaviour.get("AllowedMethods", ["GET", "HEAD"]), where))
        ),
        forwarded=_forwarded(template, resolver, behaviour, where),
        origin_headers=tuple(
            (str(header["HeaderName"]).lower(), resources.secret_values(str(header["HeaderValue"])))
            for header in sequence(headers, where)
            if isinstance(header, dict)
        ),
        notes_viewer=bool(behaviour.get("FunctionAssociations")),
    )


def _forwarded(
    template: Template, resolver: Resolver, behaviour: Properties, where: str
) -> frozenset[str] | None:
    policy = behaviour.get("OriginRequestPolicyId")
    if policy is None:
        return frozenset()
    if policy == _ALL_BUT_HOST:
        return None
    name = policy.get("Ref") if isinstance(policy, dict) else None
    resource = template.resources.get(str(name))
    if resource is None:
        raise TemplateError(f"{where}.OriginRequestPolicyId", f"{policy!r} is not emulated")
    config = resolver.properties(resource.properties.get("OriginRequestPolicyConfig"), str(name))
    headers = resolver.properties(config.get("HeadersConfig"), f"{name}.HeadersConfig")
    if headers.get("HeaderBehavior") not in ("none", "whitelist"):
        raise TemplateError(f"{name}.HeadersConfig", "only none and whitelist are emulated")
    return frozenset(
        str(header).lower() for header in sequence(headers.get("Headers"), f"{name}.Headers")
    )


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
