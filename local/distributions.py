"""The CloudFront distributions of a template: what they let through, what reaches the origin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from local.errors import TemplateError
from local.intrinsics import Resolver
from local.resources import CloudResources
from local.template import Properties, Template, mapping, sequence

# The managed policy AllViewerExceptHostHeader.
_ALL_BUT_HOST: Final = "b689b0a8-53d0-40ab-baf2-68738e2966ac"


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
