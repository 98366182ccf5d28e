"""Compare the embedded stack's reading of template.yaml with SAM's own translation."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from local.api_gateway import DEFAULT_ROUTE, load_routes
from local.event_sources import EVENT_SOURCE_TYPES
from local.functions import list_triggers, load_functions
from local.intrinsics import IntrinsicResolver
from local.stack import TEMPLATE
from local.template import load_template


class LogicalIdResources:
    """Resources whose ids are their logical ids."""

    def ref(self, logical_id: str) -> str:
        return f"<{logical_id}>"

    def attribute(self, logical_id: str, name: str) -> str:
        return f"<{logical_id}.{name}>"


@pytest.fixture(scope="module")
def sam() -> dict[str, Any]:
    """Translate the template with SAM and return its resources."""
    from tools.transform_template import (
        translate_template,  # a slow import, in each xdist process
    )

    resources: dict[str, Any] = yaml.safe_load(translate_template("us-east-1"))["Resources"]
    return resources


@pytest.fixture(scope="module")
def resolver():
    return IntrinsicResolver(load_template(TEMPLATE), "stack", {}, LogicalIdResources())


@pytest.fixture(scope="module")
def stack_functions(resolver):
    return load_functions(load_template(TEMPLATE), resolver, "stack")


def list_properties(sam, kind):
    return {name: body["Properties"] for name, body in sam.items() if body["Type"] == kind}


def test_functions_equal_the_sam_translation(sam, resolver, stack_functions):
    expected = list_properties(sam, "AWS::Lambda::Function")
    assert {function.logical_id for function in stack_functions} == set(expected)
    for function in stack_functions:
        there = expected[function.logical_id]
        variables = resolver.resolve_properties(there["Environment"]["Variables"], "environment")
        assert function.environment == {
            k: resolver.resolve_text(v, k) for k, v in variables.items()
        }
        assert (function.timeout_seconds, function.memory_mb) == (
            there["Timeout"],
            there["MemorySize"],
        )
        assert function.handler == there["Handler"]
        assert function.name == resolver.resolve_text(there["FunctionName"], "name")
        assert len(function.layer_folders) == len(there["Layers"])


def test_routes_equal_the_sam_translation(sam, resolver, stack_functions):
    expected = set()
    for api, properties in list_properties(sam, "AWS::ApiGatewayV2::Api").items():
        for path, methods in properties["Body"]["paths"].items():
            for method, operation in methods.items():
                key = DEFAULT_ROUTE if path == DEFAULT_ROUTE else f"{method.upper()} {path}"
                signed = {"AWS_IAM": []} in operation.get("security", [])
                expected.add((key, f"<{api}>", get_integrated_function(operation), signed))
    found = load_routes(load_template(TEMPLATE), resolver, stack_functions)
    assert {
        (route.key, route.api_id, route.function_id, route.requires_iam) for route in found
    } == expected


def get_integrated_function(operation):
    uri = operation["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"]
    match = re.search(r"functions/\$\{(\w+?)(?:Alias\w+|\.Arn)\}", uri)
    assert match is not None, uri
    return match[1]


def test_event_sources_equal_the_sam_translation(sam, resolver, stack_functions):
    expected = {}
    for properties in list_properties(sam, "AWS::Lambda::EventSourceMapping").values():
        target = re.sub(r"Alias\w+$", "", properties.pop("FunctionName")["Ref"])
        resolved = resolver.resolve_properties(properties, target)
        source = resolved.pop("EventSourceArn")
        expected[target, source] = resolved
    found = {}
    for function, event in list_triggers(stack_functions, *EVENT_SOURCE_TYPES):
        properties = dict(event.properties)
        source = properties.pop("Stream", None) or properties.pop("Queue")
        if "DestinationConfig" in properties:  # a key of SAM only: the type of the destination
            properties["DestinationConfig"]["OnFailure"].pop("Type")
        found[function.logical_id, source] = properties
    assert found == expected
