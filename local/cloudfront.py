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
from threading import Lock
from typing import Final

from local.clock import Clock
from local.errors import TemplateError
from local.http_api import Request
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
URL_BYTES: Final = 8_192


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
        self._lock = Lock()

    def origin_request(self, distribution: Distribution, viewer: Request, port: int) -> Request:
        """What reaches the origin of a viewer's request that came from ``port``."""
        known = dict(viewer.headers)
        cf_id = known.get("x-amz-cf-id") or f"{secrets.token_urlsafe(40)[:54]}=="
        added = {
            "cloudfront-viewer-address": known.get(
                "cloudfront-viewer-address", f"{viewer.source_ip}:{port}"
            )
        }
        if distribution.notes_viewer:
            added["x-waypost-host"] = known.get("host", "")
            added["x-waypost-time"] = str(self._time(cf_id, viewer.time))
        kept = [(name, value) for name, value in viewer.headers if name not in added] + list(
            added.items()
        )
        forwarded = distribution.forwarded
        replaced = _NEVER | {name for name, _ in distribution.origin_headers}
        headers = [
            (name, value)
            for name, value in kept
            if name not in replaced and (forwarded is None or name in forwarded)
        ]
        if not any(name == "user-agent" for name, _ in headers):
            headers.append(("user-agent", "Amazon CloudFront"))
        headers += [
            *distribution.origin_headers,
            ("host", f"{distribution.api}.execute-api"),
            ("via", "1.1 local.cloudfront.net (CloudFront)"),
            ("x-amz-cf-id", cf_id),
            ("x-forwarded-for", viewer.source_ip),
        ]
        return replace(
            viewer, headers=headers, source_ip=_EDGE_ADDRESS, time=self._clock.milliseconds()
        )

    def _time(self, cf_id: str, now: int) -> int:
        with self._lock:
            moment = self._times.setdefault(cf_id, now)
            while len(self._times) > _REMEMBERED:
                self._times.popitem(last=False)
            return moment


# What CloudFront sets itself, whatever the viewer sent.
_NEVER: Final = frozenset({"host", "via", "x-amz-cf-id", "x-forwarded-for"})
