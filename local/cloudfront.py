"""CloudFront in front of an HTTP API: origin requests built from viewers' requests.

The viewer function is JavaScript and does not run here. If the template has one, this module sets
its two headers: ``x-waypost-host`` (the viewer's Host) and ``x-waypost-time`` (arrival of the
viewer's request, epoch milliseconds).
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Final

from local.api_gateway import HttpError, HttpRequest, HttpResponse
from local.clock import Clock
from local.errors import TemplateError
from local.intrinsics import IntrinsicResolver
from local.resources import StackResources
from local.template import Properties, Template, as_list, as_mapping

# The managed policy AllViewerExceptHostHeader.
_ALL_VIEWER_EXCEPT_HOST: Final = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
_TIME_CACHE_SIZE: Final = 10_000  # requests
_EDGE_ADDRESS: Final = "192.0.2.1"  # sourceIp in the origin's event; the viewer's is in a header
_URL_BYTES: Final = 8_192
_ORIGIN_RESPONSE_BYTES: Final = 20_480  # without the body


@dataclass(frozen=True, slots=True)
class Distribution:
    """A distribution in front of one API.

    ``forwarded_headers`` are the headers that reach the origin, in lower case; None: all.
    """

    api_id: str
    allowed_methods: frozenset[str]
    forwarded_headers: frozenset[str] | None
    origin_headers: tuple[tuple[str, str], ...]
    adds_viewer_headers: bool


def load_distributions(
    template: Template, resolver: IntrinsicResolver, resources: StackResources
) -> dict[str, Distribution]:
    """Load the distributions of the template, by the id of the API behind them."""
    distributions = {}
    for resource in template.resources.values():
        if resource.type == "AWS::CloudFront::Distribution" and resolver.is_condition_true(
            resource.condition
        ):
            config = as_mapping(resource.properties.get("DistributionConfig"), resource.logical_id)
            distribution = _load_distribution(
                template, config, resolver, resources, resource.logical_id
            )
            distributions[distribution.api_id] = distribution
    return distributions


def _load_distribution(
    template: Template,
    config: Properties,
    resolver: IntrinsicResolver,
    resources: StackResources,
    where: str,
) -> Distribution:
    behaviour = as_mapping(config.get("DefaultCacheBehavior"), f"{where}.DefaultCacheBehavior")
    origins = as_list(config.get("Origins"), f"{where}.Origins")
    origin = next(
        (o for o in origins if isinstance(o, dict) and o["Id"] == behaviour["TargetOriginId"]), None
    )
    if origin is None:
        raise TemplateError(f"{where}.TargetOriginId", "not an origin of the distribution")
    headers = resolver.resolve_value(
        origin.get("OriginCustomHeaders"), f"{where}.OriginCustomHeaders"
    )
    return Distribution(
        api_id=resolver.resolve_text(origin["DomainName"], f"{where}.DomainName").partition(".")[0],
        allowed_methods=frozenset(
            map(str, as_list(behaviour.get("AllowedMethods", ["GET", "HEAD"]), where))
        ),
        forwarded_headers=_load_forwarded_headers(template, resolver, behaviour, where),
        origin_headers=tuple(
            (
                str(header["HeaderName"]).lower(),
                resources.resolve_secrets(str(header["HeaderValue"])),
            )
            for header in as_list(headers, where)
            if isinstance(header, dict)
        ),
        adds_viewer_headers=bool(behaviour.get("FunctionAssociations")),
    )


def _load_forwarded_headers(
    template: Template, resolver: IntrinsicResolver, behaviour: Properties, where: str
) -> frozenset[str] | None:
    policy = behaviour.get("OriginRequestPolicyId")
    if policy is None:
        return frozenset()
    if policy == _ALL_VIEWER_EXCEPT_HOST:
        return None
    name = policy.get("Ref") if isinstance(policy, dict) else None
    resource = template.resources.get(str(name))
    if resource is None:
        raise TemplateError(f"{where}.OriginRequestPolicyId", f"{policy!r} is not emulated")
    config = resolver.resolve_properties(
        resource.properties.get("OriginRequestPolicyConfig"), str(name)
    )
    headers = resolver.resolve_properties(config.get("HeadersConfig"), f"{name}.HeadersConfig")
    if headers.get("HeaderBehavior") not in ("none", "whitelist"):
        raise TemplateError(f"{name}.HeadersConfig", "only none and whitelist are emulated")
    return frozenset(
        str(header).lower() for header in as_list(headers.get("Headers"), f"{name}.Headers")
    )


class CloudFrontEdge:
    """Builds origin requests from viewers' requests, and checks the responses.

    An ``x-amz-cf-id`` in a request means that CloudFront repeats it: the same id gets the same
    time. Callers may set ``cloudfront-viewer-*``, which CloudFront would overwrite, to choose their
    location.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._request_times: OrderedDict[str, int] = OrderedDict()

    def build_origin_request(
        self, distribution: Distribution, viewer_request: HttpRequest, viewer_port: int
    ) -> HttpRequest:
        """Build the origin's request. Raises HttpError if the distribution refuses it."""
        if viewer_request.method not in distribution.allowed_methods:
            raise HttpError(403, "The distribution does not allow this method")
        if len(viewer_request.path) + len(viewer_request.query) > _URL_BYTES:
            raise HttpError(414, "The URL is too long")
        cf_id = viewer_request.get_header("x-amz-cf-id") or f"{secrets.token_urlsafe(40)[:54]}=="
        forwarded = self._forward_headers(distribution, viewer_request, viewer_port, cf_id)
        headers = forwarded | {
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

    def check_origin_response(self, response: HttpResponse) -> None:
        """Check the size of an origin's response without its body. Raises HttpError."""
        size = len("HTTP/1.1 200 OK\r\n\r\n")
        size += sum(len(name) + len(value) + 4 for name, value in response.headers)
        if size > _ORIGIN_RESPONSE_BYTES:
            raise HttpError(502, "The headers of the origin's response are too long")

    def _forward_headers(
        self, distribution: Distribution, viewer: HttpRequest, port: int, cf_id: str
    ) -> dict[str, str]:
        """Return the headers of the viewer and about it that the policy forwards."""
        address = {"cloudfront-viewer-address": f"{viewer.source_ip}:{port}"}
        headers = address | {name: viewer.get_header(name) or "" for name, _ in viewer.headers}
        if distribution.adds_viewer_headers:
            headers["x-waypost-host"] = headers.get("host", "")
            headers["x-waypost-time"] = str(self._get_request_time(cf_id, viewer.time_ms))
        forwarded = distribution.forwarded_headers
        return {"user-agent": "Amazon CloudFront"} | {
            name: value for name, value in headers.items() if forwarded is None or name in forwarded
        }

    def _get_request_time(self, cf_id: str, now: int) -> int:
        moment = self._request_times.setdefault(cf_id, now)
        while len(self._request_times) > _TIME_CACHE_SIZE:
            self._request_times.popitem(last=False)
        return moment
