"""The functions of the template: their code, their environment, and what triggers them.

A property that changes what a function does and is not emulated raises TemplateError.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.account import ACCOUNT_ID
from local.errors import TemplateError
from local.intrinsics import IntrinsicResolver
from local.template import Properties, Resource, Template, Value

_FUNCTION = "AWS::Serverless::Function"
_LAYER = "AWS::Serverless::LayerVersion"


@dataclass(frozen=True, slots=True)
class Trigger:
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
class LambdaFunction:
    """``timeout`` in seconds, ``memory`` in MB; ``role`` is the ARN of the role that
    it runs under.

    ``asynchronous_retries`` counts attempts after the first one of an asynchronous invocation.
    """

    logical_id: str
    name: str
    handler: str
    code_folder: Path
    layer_folders: tuple[Path, ...]
    environment: dict[str, str]
    timeout_seconds: float
    memory_mb: int
    asynchronous_retries: int
    role: str
    triggers: tuple[Trigger, ...]


def load_functions(
    template: Template, resolver: IntrinsicResolver, stack: str
) -> list[LambdaFunction]:
    """All functions whose condition holds."""
    return [
        _load_function(template, resolver, resource, stack)
        for resource in template.resources.values()
        if resource.type == _FUNCTION and resolver.is_condition_true(resource.condition)
    ]


def resolve_function_name(resource: Resource, resolver: IntrinsicResolver, stack: str) -> str:
    """FunctionName, or what CloudFormation would make of stack and logical id, without its random
    tail.
    """
    given = resource.properties.get("FunctionName")
    where = f"{resource.logical_id}.FunctionName"
    return (
        resolver.resolve_text(given, where)
        if given is not None
        else f"{stack}-{resource.logical_id}"
    )


def _load_function(
    template: Template, resolver: IntrinsicResolver, resource: Resource, stack: str
) -> LambdaFunction:
    properties, where = resource.properties, resource.logical_id
    return LambdaFunction(
        logical_id=resource.logical_id,
        name=resolve_function_name(resource, resolver, stack),
        handler=resolver.resolve_text(properties.get("Handler"), f"{where}.Handler"),
        code_folder=_resolve_folder(
            template, resolver, properties.get("CodeUri"), f"{where}.CodeUri"
        ),
        layer_folders=tuple(
            _load_layers(template, resolver, properties.get("Layers"), f"{where}.Layers")
        ),
        environment=_resolve_environment(resolver, properties, where),
        timeout_seconds=float(
            resolver.resolve_text(properties.get("Timeout", 3), f"{where}.Timeout")
        ),
        memory_mb=int(
            resolver.resolve_text(properties.get("MemorySize", 128), f"{where}.MemorySize")
        ),
        asynchronous_retries=_parse_asynchronous_retries(resolver, properties, where),
        role=_resolve_role(resolver, resource),
        triggers=tuple(_load_triggers(resolver, properties, where)),
    )


def _resolve_role(resolver: IntrinsicResolver, resource: Resource) -> str:
    name = f"{resource.logical_id}Role"  # what SAM makes where the template names none
    given = resource.properties.get("Role", f"arn:aws:iam::{ACCOUNT_ID}:role/{name}")
    return resolver.resolve_text(given, f"{resource.logical_id}.Role")


def _resolve_folder(
    template: Template, resolver: IntrinsicResolver, value: Value, where: str
) -> Path:
    folder = template.folder / resolver.resolve_text(value, where)
    if not folder.is_dir():
        raise TemplateError(where, f"{folder} is no folder")
    return folder


def _load_layers(
    template: Template, resolver: IntrinsicResolver, value: Value, where: str
) -> Iterator[Path]:
    if not isinstance(value, list | None):
        raise TemplateError(where, "is not a list")
    for layer in value or []:
        name = layer.get("Ref") if isinstance(layer, dict) else None
        resource = template.resources.get(str(name))
        if resource is None or resource.type != _LAYER:
            raise TemplateError(where, f"{layer!r} is no layer of this template")
        content = resource.properties.get("ContentUri")
        yield _resolve_folder(template, resolver, content, f"{name}.ContentUri")


def _resolve_environment(
    resolver: IntrinsicResolver, properties: Properties, where: str
) -> dict[str, str]:
    environment = resolver.resolve_properties(properties.get("Environment"), f"{where}.Environment")
    variables = resolver.resolve_properties(
        environment.get("Variables"), f"{where}.Environment.Variables"
    )
    return {
        name: resolver.resolve_text(value, f"{where}.Environment.Variables.{name}")
        for name, value in variables.items()
    }


def _parse_asynchronous_retries(
    resolver: IntrinsicResolver, properties: Properties, where: str
) -> int:
    config = resolver.resolve_properties(
        properties.get("EventInvokeConfig"), f"{where}.EventInvokeConfig"
    )
    if "DestinationConfig" in config or "DeadLetterQueue" in properties:
        raise TemplateError(where, "destinations of asynchronous invocations are not emulated")
    return int(str(config.get("MaximumRetryAttempts", 2)))


def _load_triggers(
    resolver: IntrinsicResolver, properties: Properties, where: str
) -> Iterator[Trigger]:
    events = properties.get("Events") or {}
    if not isinstance(events, dict):
        raise TemplateError(f"{where}.Events", "is not a mapping")
    for name, body in events.items():
        event = resolver.resolve_properties(body, f"{where}.Events.{name}")
        yield Trigger(
            name=f"{where}.{name}",
            type=str(event.get("Type")),
            properties=resolver.resolve_properties(
                event.get("Properties"), f"{where}.Events.{name}"
            ),
        )


def list_triggers(
    functions: Sequence[LambdaFunction], *trigger_types: str
) -> Iterator[tuple[LambdaFunction, Trigger]]:
    """Every trigger of the given types with the function that it triggers."""
    for function in functions:
        for event in function.triggers:
            if event.type in trigger_types:
                yield function, event
