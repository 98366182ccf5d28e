"""Everything that a template defines: resources, created on moto, and functions with triggers.

``stack`` starts the functions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from local.api_gateway import Route, load_routes
from local.cloud import MotoCloud
from local.cloudfront import Distribution, load_distributions
from local.errors import TemplateError
from local.event_sources import EVENT_SOURCE_TYPES
from local.functions import LambdaFunction, load_functions
from local.intrinsics import IntrinsicResolver
from local.resources import StackResources
from local.schedules import SCHEDULE_TYPE, Schedule, load_schedules
from local.template import load_template

STACK_NAME: Final = "waypost-local"
_EMULATED_TRIGGERS: Final = frozenset({"HttpApi", *EVENT_SOURCE_TYPES, SCHEDULE_TYPE})


@dataclass(frozen=True, slots=True)
class StackDefinition:
    """The parts of a stack; ``distributions`` by the id of the API behind them."""

    resources: StackResources
    functions: Sequence[LambdaFunction]
    routes: Sequence[Route]
    schedules: Sequence[Schedule]
    distributions: Mapping[str, Distribution]

    def is_public(self, function: LambdaFunction) -> bool:
        """Return True if a route invokes the function without a signature."""
        return any(r.function_id == function.logical_id and not r.requires_iam for r in self.routes)


def load_definition(
    path: Path, parameters: Mapping[str, str], cloud: MotoCloud, address: str
) -> StackDefinition:
    """Read a template and create its resources; ``address`` is the URL of its APIs.

    Raises TemplateError for templates that CloudFormation would refuse, and for unsupported ones.
    """
    template = load_template(path)
    resources = StackResources(template, STACK_NAME, cloud, address)
    resolver = resources.resolver = IntrinsicResolver(template, STACK_NAME, parameters, resources)
    functions = [
        _localize_environment(function, resources)
        for function in load_functions(template, resolver, STACK_NAME)
    ]
    _reject_unsupported_triggers(functions)
    resources.create_all()
    return StackDefinition(
        resources=resources,
        functions=functions,
        routes=load_routes(template, resolver, functions),
        schedules=load_schedules(functions),
        distributions=load_distributions(template, resolver, resources),
    )


def _localize_environment(function: LambdaFunction, resources: StackResources) -> LambdaFunction:
    environment = {
        name: resources.localize_urls(resources.resolve_secrets(value))
        for name, value in function.environment.items()
    }
    return replace(function, environment=environment)


def _reject_unsupported_triggers(functions: Sequence[LambdaFunction]) -> None:
    for function in functions:
        for trigger in function.triggers:
            if trigger.type not in _EMULATED_TRIGGERS:
                raise TemplateError(
                    trigger.where, f"events of type {trigger.type} are not emulated"
                )
