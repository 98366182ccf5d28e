"""What a template amounts to on this machine: resources that are made, functions with triggers.

Nothing runs yet; ``stack`` starts it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from local.cloud import Cloud
from local.distributions import Distribution, distributions
from local.errors import TemplateError
from local.event_sources import SOURCES
from local.functions import Function, functions
from local.intrinsics import Resolver
from local.resources import CloudResources
from local.routes import Route, routes
from local.schedules import SCHEDULES, Schedule, schedules
from local.template import load

NAME: Final = "waypost-local"
_PLAYED: Final = frozenset({"HttpApi", *SOURCES, *SCHEDULES})


@dataclass(frozen=True, slots=True)
class Blueprint:
    """``distributions`` by the API behind them."""

    resources: CloudResources
    functions: Sequence[Function]
    routes: Sequence[Route]
    schedules: Sequence[Schedule]
    distributions: Mapping[str, Distribution]

    def is_public(self, function: Function) -> bool:
        """Whether anybody can reach the function over HTTP."""
        return any(r.function == function.logical_id and not r.iam for r in self.routes)


def read(path: Path, given: Mapping[str, str], cloud: Cloud, address: str) -> Blueprint:
    """Reads a template and makes its resources; its APIs will be served at ``address``.

    Raises TemplateError for what CloudFormation would refuse, and for what is not emulated.
    """
    template = load(path)
    resources = CloudResources(template, NAME, cloud, address)
    resolver = resources.resolver = Resolver(template, NAME, given, resources)
    known = [_at_home(function, resources) for function in functions(template, resolver, NAME)]
    _refuse_unplayed(known)
    resources.make_all()
    return Blueprint(
        resources=resources,
        functions=known,
        routes=routes(template, resolver, known),
        schedules=schedules(known),
        distributions=distributions(template, resolver, resources),
    )


def _at_home(function: Function, resources: CloudResources) -> Function:
    environment = {
        name: resources.at_home(resources.secret_values(value))
        for name, value in function.environment.items()
    }
    return replace(function, environment=environment)


def _refuse_unplayed(functions: Sequence[Function]) -> None:
    for function in functions:
        for event in function.events:
            if event.type not in _PLAYED:
                raise TemplateError(event.where, f"events of type {event.type} are not emulated")
