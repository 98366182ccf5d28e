"""Change a built template so that the emulator can deploy it, by the entries of overlay.toml."""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

OVERLAY_FILE: Final = Path(__file__).with_name("overlay.toml")
_KINDS: Final = ("remove", "drop", "widen", "refer", "routes")
_SUB_VARIABLE: Final = r"\$\{(%s)\.(\w+)\}"


class OverlayError(SystemExit):
    """An entry of the overlay does not fit the template."""


def load_overlay(file: Path = OVERLAY_FILE) -> list[dict[str, Any]]:
    """Load the changes; each has one kind and a reason.

    :raises OverlayError: when an entry lacks one of them.
    """
    changes: list[dict[str, Any]] = tomllib.loads(file.read_text("utf-8"))["change"]
    for change in changes:
        kinds = [kind for kind in _KINDS if kind in change]
        if len(kinds) != 1 or not change.get("reason"):
            raise OverlayError(f"{file.name}: no single kind with a reason ({change})")
    return changes


def apply_overlay(template: Mapping[str, Any], changes: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the template with every change.

    :raises OverlayError: when a change has no effect.
    """
    changed = copy.deepcopy(dict(template))
    for change in changes:
        before = copy.deepcopy(changed)
        kind = next(kind for kind in _KINDS if kind in change)
        _CHANGES[kind](changed, change)
        if changed == before:
            raise OverlayError(f"overlay: no effect ({kind} {change[kind]}); remove the entry")
    return changed


def _remove_resource(template: dict[str, Any], change: dict[str, Any]) -> None:
    name, attributes = change["remove"], change.get("attributes", {})
    template["Resources"].pop(name, None)

    def replace(value: Any) -> Any:  # noqa: ANN401 - any part of a template
        match value:
            case {"Fn::GetAtt": [str(resource), str(attribute)]} if resource == name:
                return attributes[attribute]
            case {"Fn::Sub": str(text)}:
                pattern = _SUB_VARIABLE % re.escape(name)
                return {"Fn::Sub": re.sub(pattern, lambda match: attributes[match[2]], text)}
        return value

    _replace_values(template, replace)


def _drop_resources(template: dict[str, Any], change: dict[str, Any]) -> None:
    """Remove each resource of a type that has a property."""
    resources = template["Resources"]
    for name, resource in list(resources.items()):
        properties = resource.get("Properties", {})
        if resource["Type"] == change["drop"] and change["property"] in properties:
            del resources[name]


def _refer_to_attribute(template: dict[str, Any], change: dict[str, Any]) -> None:
    name = change["refer"]

    def replace(value: Any) -> Any:  # noqa: ANN401 - any part of a template
        return {"Fn::GetAtt": [name, change["attribute"]]} if value == {"Ref": name} else value

    _replace_values(template, replace)


def _widen_statement(template: dict[str, Any], change: dict[str, Any]) -> None:
    """Let a statement of a role's policies apply to every resource."""
    for resource in template["Resources"].values():
        for policy in resource.get("Properties", {}).get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                if statement.get("Sid") == change["widen"]:
                    statement["Resource"] = "*"


def _spell_out_routes(template: dict[str, Any], change: dict[str, Any]) -> None:
    """Add an integration of each function with each of its APIs, and a route for each event."""
    apis = change["routes"]
    for function_id, function in list(template["Resources"].items()):
        for event_id, event in function.get("Properties", {}).get("Events", {}).items():
            if event["Type"] == "HttpApi":
                properties = event["Properties"]
                api = properties["ApiId"]["Ref"]
                integration = f"{function_id}{api}Integration"
                template["Resources"][integration] = _build_integration(api, function_id, function)
                template["Resources"][f"{function_id}{event_id}Route"] = _build_route(
                    api, properties, integration, apis[api]
                )


def _build_integration(api: str, function_id: str, function: Mapping[str, Any]) -> dict[str, Any]:
    alias = function["Properties"].get("AutoPublishAlias")
    uri = {"Ref": f"{function_id}.Alias"} if alias else {"Fn::GetAtt": [function_id, "Arn"]}
    return {
        "Type": "AWS::ApiGatewayV2::Integration",
        "Properties": {
            "ApiId": {"Ref": api},
            "IntegrationType": "AWS_PROXY",
            "IntegrationUri": uri,
            "PayloadFormatVersion": "2.0",
        },
    }


def _build_route(
    api: str, properties: Mapping[str, Any], integration: str, authorization: str
) -> dict[str, Any]:
    path = properties.get("Path")
    return {
        "Type": "AWS::ApiGatewayV2::Route",
        "Properties": {
            "ApiId": {"Ref": api},
            "RouteKey": f"{properties['Method']} {path}" if path else "$default",
            "AuthorizationType": authorization,
            "Target": {"Fn::Sub": f"integrations/${{{integration}}}"},
        },
    }


_CHANGES: Final[Mapping[str, Callable[[dict[str, Any], dict[str, Any]], None]]] = {
    "remove": _remove_resource,
    "refer": _refer_to_attribute,
    "routes": _spell_out_routes,
    "drop": _drop_resources,
    "widen": _widen_statement,
}


def _replace_values(node: Any, replace: Callable[[Any], Any]) -> None:  # noqa: ANN401 - recursive
    """Replace every value below a node by ``replace(value)``, outer ones first."""
    keys = node.keys() if isinstance(node, dict) else range(len(node))
    for key in list(keys):
        node[key] = replace(node[key])
        if isinstance(node[key], dict | list):
            _replace_values(node[key], replace)
