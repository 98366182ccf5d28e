"""Functions of the template: code, environment and triggers.

Properties that change how a function runs and are not emulated raise TemplateError.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.account import ACCOUNT_ID
from local.errors import TemplateError
from local.intrinsics import IntrinsicResolver
from local.template import Properties, Resource, Template, Value, as_list, as_mapping

_FUNCTION = "AWS::Serverless::Function"
_LAYER = "AWS::Serverless::LayerVersion"


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger as in the template; the module of its type interprets the properties."""

    name: str
    type: str
    properties: Properties

    @property
    def where(self) -> str:
        return f"Events.{self.name}"

    def reject_unknown_properties(self, supported: frozenset[str]) -> None:
        """Raise TemplateError for a property that is not emulated."""
        for name in self.properties:
            if name not in supported:
                raise TemplateError(self.where, f"{name} is not emulated")


@dataclass(frozen=True, slots=True)
class LambdaFunction:
    """A function of the template; ``role`` is the ARN of its role.

    ``asynchronous_retries`` counts the attempts of an asynchronous invocation after the first one.
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
    """Load all functions whose condition is true."""
    return [
        _load_function(template, resolver, resource, stack)
        for resource in template.resources.values()
        if resource.type == _FUNCTION and resolver.is_condition_true(resource.condition)
    ]


def resolve_function_name(resource: Resource, resolver: IntrinsicResolver, stack: str) -> str:
    """Return FunctionName, or CloudFormation's default name without its random suffix."""
    name = resource.properties.get("FunctionName")
    if name is None:
        return f"{stack}-{resource.logical_id}"
    return resolver.resolve_text(name, f"{resource.logical_id}.FunctionName")


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
    sam_default = f"arn:aws:iam::{ACCOUNT_ID}:role/{resource.logical_id}Role"
    role = resource.properties.get("Role", sam_default)
    return resolver.resolve_text(role, f"{resource.logical_id}.Role")


def _resolve_folder(
    template: Template, resolver: IntrinsicResolver, value: Value, where: str
) -> Path:
    folder = template.folder / resolver.resolve_text(value, where)
    if not folder.is_dir():
        raise TemplateError(where, f"not a folder ({folder})")
    return folder


def _load_layers(
    template: Template, resolver: IntrinsicResolver, value: Value, where: str
) -> Iterator[Path]:
    for layer in as_list(value, where):
        name = layer.get("Ref") if isinstance(layer, dict) else None
        resource = template.resources.get(str(name))
        if resource is None or resource.type != _LAYER:
            raise TemplateError(where, f"not a layer of this template ({layer!r})")
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
    for name, body in as_mapping(properties.get("Events"), f"{where}.Events").items():
        event = resolver.resolve_properties(body, f"{where}.Events.{name}")
        yield Trigger(
            name=f"{where}.{name}",
            type=str(event.get("Type")),
            properties=as_mapping(event.get("Properties"), f"{where}.Events.{name}"),
        )


def list_triggers(
    functions: Sequence[LambdaFunction], *trigger_types: str
) -> Iterator[tuple[LambdaFunction, Trigger]]:
    """Yield every trigger of the given types with its function."""
    for function in functions:
        for trigger in function.triggers:
            if trigger.type in trigger_types:
                yield function, trigger
