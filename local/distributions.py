"""The CloudFront distributions of a template: what they let through, what reaches the origin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from local.errors import TemplateError
from local.intrinsics import IntrinsicResolver
from local.resources import StackResources
from local.template import Properties, Template, as_list, as_mapping

# The managed policy AllViewerExceptHostHeader.
_ALL_VIEWER_EXCEPT_HOST: Final = "b689b0a8-53d0-40ab-baf2-68738e2966ac"


@dataclass(frozen=True, slots=True)
class Distribution:
    """``forwarded`` names the headers that reach the origin, in lower case; None: all that the
    viewer sent.
    """

    api_id: str
    allowed_methods: frozenset[str]
    forwarded_headers: frozenset[str] | None
    origin_headers: tuple[tuple[str, str], ...]
    adds_viewer_headers: bool


def load_distributions(
    template: Template, resolver: IntrinsicResolver, resources: StackResources
) -> dict[str, Distribution]:
    """The distributions of the template by the API that they stand in front of."""
    found = {}
    for resource in template.resources.values():
        if resource.type == "AWS::CloudFront::Distribution" and resolver.is_condition_true(
            resource.condition
        ):
            config = as_mapping(resource.properties.get("DistributionConfig"), resource.logical_id)
            distribution = _load_distribution(
                template, config, resolver, resources, resource.logical_id
            )
            found[distribution.api_id] = distribution
    return found


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
        raise TemplateError(f"{where}.TargetOriginId", "names no origin")
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
