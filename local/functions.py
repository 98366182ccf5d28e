"""The functions of the template: their code, their environment, and what triggers them.

A property that changes what a function does and is not emulated raises TemplateError.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.account import ACCOUNT
from local.errors import TemplateError
from local.intrinsics import Resolver
from local.template import Properties, Resource, Template, Value

_FUNCTION = "AWS::Serverless::Function"
_LAYER = "AWS::Serverless::LayerVersion"


@dataclass(frozen=True, slots=True)
class Event:
    """One trigger as the template has it; the modules that play triggers read the properties they
    know.
    """

    name: str
    type: str
    properties: Properties

    @property
    def where(self) -> str:
        return f"Events.{self.name}"


@dataclass(frozen=True, slots=True)
class Function:
    """``timeout`` in seconds, ``memory`` in MB; ``role`` is the ARN of the role that
    it runs under.

    ``asynchronous_retries`` counts attempts after the first one of an asynchronous invocation.
    """

    logical_id: str
    name: str
    handler: str
    code: Path
    layers: tuple[Path, ...]
    environment: dict[str, str]
    timeout: float
    memory: int
    asynchronous_retries: int
    role: str
    events: tuple[Event, ...]


def functions(template: Template, resolver: Resolver, stack: str) -> list[Function]:
    """All functions whose condition holds."""
    return [
        _function(template, resolver, resource, stack)
        for resource in template.resources.values()
        if resource.type == _FUNCTION and resolver.holds(resource.condition)
    ]


def function_name(resource: Resource, resolver: Resolver, stack: str) -> str:
    """FunctionName, or what CloudFormation would make of stack and logical id, without its random
    tail.
    """
    given = resource.properties.get("FunctionName")
    where = f"{resource.logical_id}.FunctionName"
    return resolver.text(given, where) if given is not None else f"{stack}-{resource.logical_id}"


def _function(template: Template, resolver: Resolver, resource: Resource, stack: str) -> Function:
    properties, where = resource.properties, resource.logical_id
    return Function(
        logical_id=resource.logical_id,
        name=function_name(resource, resolver, stack),
        handler=resolver.text(properties.get("Handler"), f"{where}.Handler"),
        code=_folder(template, resolver, properties.get("CodeUri"), f"{where}.CodeUri"),
        layers=tuple(_layers(template, resolver, properties.get("Layers"), f"{where}.Layers")),
        environment=_environment(resolver, properties, where),
        timeout=float(resolver.text(properties.get("Timeout", 3), f"{where}.Timeout")),
        memory=int(resolver.text(properties.get("MemorySize", 128), f"{where}.MemorySize")),
        asynchronous_retries=_asynchronous_retries(resolver, properties, where),
        role=_role(resolver, resource),
        events=tuple(_events(resolver, properties, where)),
    )


def _role(resolver: Resolver, resource: Resource) -> str:
    name = f"{resource.logical_id}Role"  # what SAM makes where the template names none
    given = resource.properties.get("Role", f"arn:aws:iam::{ACCOUNT}:role/{name}")
    return resolver.text(given, f"{resource.logical_id}.Role")


def _folder(template: Template, resolver: Resolver, value: Value, where: str) -> Path:
    folder = template.root / resolver.text(value, where)
    if not folder.is_dir():
        raise TemplateError(where, f"{folder} is no folder")
    return folder


def _layers(template: Template, resolver: Resolver, value: Value, where: str) -> Iterator[Path]:
    if not isinstance(value, list | None):
        raise TemplateError(where, "is not a list")
    for layer in value or []:
        name = layer.get("Ref") if isinstance(layer, dict) else None
        resource = template.resources.get(str(name))
        if resource is None or resource.type != _LAYER:
            raise TemplateError(where, f"{layer!r} is no layer of this template")
        content = resource.properties.get("ContentUri")
        yield _folder(template, resolver, content, f"{name}.ContentUri")


def _environment(resolver: Resolver, properties: Properties, where: str) -> dict[str, str]:
    environment = resolver.properties(properties.get("Environment"), f"{where}.Environment")
    variables = resolver.properties(environment.get("Variables"), f"{where}.Environment.Variables")
    return {
        name: resolver.text(value, f"{where}.Environment.Variables.{name}")
        for name, value in variables.items()
    }


def _asynchronous_retries(resolver: Resolver, properties: Properties, where: str) -> int:
    config = resolver.properties(properties.get("EventInvokeConfig"), f"{where}.EventInvokeConfig")
    if "DestinationConfig" in config or "DeadLetterQueue" in properties:
        raise TemplateError(where, "destinations of asynchronous invocations are not emulated")
    return int(str(config.get("MaximumRetryAttempts", 2)))


def _events(resolver: Resolver, properties: Properties, where: str) -> Iterator[Event]:
    events = properties.get("Events") or {}
    if not isinstance(events, dict):
        raise TemplateError(f"{where}.Events", "is not a mapping")
    for name, body in events.items():
        event = resolver.properties(body, f"{where}.Events.{name}")
        yield Event(
            name=f"{where}.{name}",
            type=str(event.get("Type")),
            properties=resolver.properties(event.get("Properties"), f"{where}.Events.{name}"),
        )


def events_of(functions: Sequence[Function], *types: str) -> Iterator[tuple[Function, Event]]:
    """Every trigger of the given types with the function that it triggers."""
    for function in functions:
        for event in function.events:
            if event.type in types:
                yield function, event
