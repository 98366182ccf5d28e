"""The template as data: YAML with CloudFormation's short tags and SAM's globals.

Values stay as written; ``intrinsics`` resolves them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, cast

import yaml

try:
    from yaml import CSafeLoader as SafeLoader  # 10 times as fast
except ImportError:  # PyYAML without its C library
    from yaml import SafeLoader  # type: ignore[assignment]

from local.errors import TemplateError

Value: TypeAlias = "str | int | float | bool | list[Value] | dict[str, Value] | None"
Properties: TypeAlias = dict[str, Value]

_PLAIN_TAGS = {"Ref", "Condition"}  # every other short tag is an abbreviation of ``Fn::`` + name


class _Loader(SafeLoader):
    """YAML's safe loader without dates: ``Version: 2012-10-17`` is a name."""


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
        raise yaml.YAMLError(f"unsupported node under !{tag} ({node})")
    if tag == "GetAtt" and isinstance(content, str):
        content = list(content.split(".", 1))
    return {tag if tag in _PLAIN_TAGS else f"Fn::{tag}": content}


_Loader.add_multi_constructor("!", _construct_short_tag)


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource as in the template, with SAM's globals merged into its properties."""

    logical_id: str
    type: str
    properties: Properties
    condition: str | None


@dataclass(frozen=True, slots=True)
class Template:
    """A template; CodeUri and ContentUri are relative to ``folder``."""

    folder: Path
    parameters: Mapping[str, Properties]
    conditions: Properties
    resources: Mapping[str, Resource]


def parse_yaml(text: str) -> Any:  # noqa: ANN401  it may be anything
    """Parse YAML, with short tags spelt out and dates as text. Raises yaml.YAMLError."""
    return yaml.load(text, _Loader)  # noqa: S506  derives from SafeLoader


def load_template(path: Path) -> Template:
    """Read a SAM template. Raises TemplateError if the file is not one."""
    try:
        document = parse_yaml(path.read_text("utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise TemplateError(str(path), str(error)) from error
    if not isinstance(document, dict) or not isinstance(document.get("Resources"), dict):
        raise TemplateError(str(path), "no Resources")
    shared = get_section(document, "Globals")
    return Template(
        folder=path.resolve().parent,
        parameters={
            name: get_section(get_section(document, "Parameters"), name)
            for name in get_section(document, "Parameters")
        },
        conditions=get_section(document, "Conditions"),
        resources={
            name: _load_resource(name, get_section(document["Resources"], name), shared)
            for name in document["Resources"]
        },
    )


def get_section(parent: Mapping[str, Value], name: str) -> Properties:
    """Return the mapping under a name; an empty one if it is absent."""
    return as_mapping(parent.get(name), name)


def as_mapping(value: Value, where: str) -> Properties:
    """Return a mapping as it is, and None as an empty one. Raises TemplateError for the rest."""
    if not isinstance(value, dict | None):
        raise TemplateError(where, f"not a mapping ({value!r})")
    return value or {}


def as_list(value: Value, where: str) -> list[Value]:
    """Return a list as it is, and None as an empty one. Raises TemplateError for the rest."""
    if not isinstance(value, list | None):
        raise TemplateError(where, f"not a list ({value!r})")
    return value or []


def _load_resource(name: str, body: Properties, shared: Properties) -> Resource:
    resource_type, condition = body.get("Type"), body.get("Condition")
    if not isinstance(resource_type, str):
        raise TemplateError(name, "no Type")
    properties = get_section(body, "Properties")
    if resource_type.startswith("AWS::Serverless::"):
        defaults = get_section(shared, resource_type.removeprefix("AWS::Serverless::"))
        properties = as_mapping(_merge_globals(defaults, properties), name)
    condition = condition if isinstance(condition, str) else None
    return Resource(name, resource_type, properties, condition)


def _merge_globals(default: Value, value: Value) -> Value:
    """Merge as SAM does: join mappings and lists, the globals' items first; replace the rest."""
    if isinstance(default, dict) and isinstance(value, dict) and not _is_intrinsic(value):
        return default | {
            key: _merge_globals(default[key], each) if key in default else each
            for key, each in value.items()
        }
    if isinstance(default, list) and isinstance(value, list):
        return default + value
    return value


def _is_intrinsic(value: Properties) -> bool:
    return len(value) == 1 and next(iter(value)).startswith(("Fn::", "Ref", "Condition"))
