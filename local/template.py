"""The template as data: YAML with CloudFormation's short tags, parameters, conditions and SAM's
globals.

Nothing is interpreted here beyond the shape of the file; ``intrinsics`` gives the values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, cast

import yaml

try:
    from yaml import CSafeLoader as SafeLoader  # ten times as fast
except ImportError:  # PyYAML without its C library
    from yaml import SafeLoader  # type: ignore[assignment]

from local.errors import TemplateError

Value: TypeAlias = "str | int | float | bool | list[Value] | dict[str, Value] | None"
Properties: TypeAlias = dict[str, Value]

_PLAIN_TAGS = {"Ref", "Condition"}  # the other short tags stand for ``Fn::`` and their name


class _Loader(SafeLoader):
    """YAML's safe loader; dates stay text (``Version: 2012-10-17`` is a name)."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in SafeLoader.yaml_implicit_resolvers.items()
}


def _construct_short_tag(loader: _Loader, tag: str, node: yaml.Node) -> Properties:
    content: Value
    if isinstance(node, yaml.ScalarNode):
        content = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        content = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        content = cast("Properties", loader.construct_mapping(node, deep=True))
    else:
        raise yaml.YAMLError(f"a tag on {node}")
    if tag == "GetAtt" and isinstance(content, str):
        content = list(content.split(".", 1))
    return {tag if tag in _PLAIN_TAGS else f"Fn::{tag}": content}


_Loader.add_multi_constructor("!", _construct_short_tag)


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource as the template has it, with SAM's globals already merged into its properties."""

    logical_id: str
    type: str
    properties: Properties
    condition: str | None


@dataclass(frozen=True, slots=True)
class Template:
    """``root`` is the folder that CodeUri and ContentUri are relative to."""

    folder: Path
    parameters: Mapping[str, Properties]
    conditions: Properties
    mappings: Properties
    resources: Mapping[str, Resource]


def parse_yaml(text: str) -> Any:  # noqa: ANN401  it may be anything
    """What a template's text says, with short tags spelt out and dates as text.

    Raises yaml.YAMLError where it is no YAML.
    """
    return yaml.load(text, _Loader)  # noqa: S506  derives from SafeLoader


def load_template(path: Path) -> Template:
    """Reads a SAM template. Raises TemplateError when it is none."""
    try:
        document = parse_yaml(path.read_text("utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise TemplateError(str(path), str(error)) from error
    if not isinstance(document, dict) or not isinstance(document.get("Resources"), dict):
        raise TemplateError(str(path), "has no Resources")
    shared = get_section(document, "Globals")
    return Template(
        folder=path.resolve().parent,
        parameters={
            name: get_section(get_section(document, "Parameters"), name)
            for name in get_section(document, "Parameters")
        },
        conditions=get_section(document, "Conditions"),
        mappings=get_section(document, "Mappings"),
        resources={
            name: _load_resource(name, get_section(document["Resources"], name), shared)
            for name in document["Resources"]
        },
    )


def get_section(parent: Mapping[str, Value], name: str) -> Properties:
    """The mapping under a name, empty when absent."""
    return as_mapping(parent.get(name), name)


def as_mapping(value: Value, where: str) -> Properties:
    """The value as a mapping, nothing as an empty one. Raises TemplateError when it is neither."""
    if not isinstance(value, dict | None):
        raise TemplateError(where, "is not a mapping")
    return value or {}


def as_list(value: Value, where: str) -> list[Value]:
    """The value as a list, nothing as an empty one. Raises TemplateError when it is neither."""
    if not isinstance(value, list | None):
        raise TemplateError(where, "is not a list")
    return value or []


def _load_resource(name: str, body: Properties, shared: Properties) -> Resource:
    kind, condition = body.get("Type"), body.get("Condition")
    if not isinstance(kind, str):
        raise TemplateError(name, "has no Type")
    properties = get_section(body, "Properties")
    if kind.startswith("AWS::Serverless::"):
        defaults = get_section(shared, kind.removeprefix("AWS::Serverless::"))
        properties = as_mapping(_merge_globals(defaults, properties), name)
    return Resource(name, kind, properties, condition if isinstance(condition, str) else None)


def _merge_globals(base: Value, over: Value) -> Value:
    """SAM's rule for globals: mappings are merged, lists joined with the globals' items first,
    others replaced.
    """
    if isinstance(base, dict) and isinstance(over, dict) and not _is_intrinsic(over):
        return base | {
            key: _merge_globals(base[key], value) if key in base else value
            for key, value in over.items()
        }
    if isinstance(base, list) and isinstance(over, list):
        return base + over
    return over


def _is_intrinsic(value: Properties) -> bool:
    return len(value) == 1 and next(iter(value)).startswith(("Fn::", "Ref", "Condition"))
