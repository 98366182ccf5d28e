"""The embedded stack reads template.yaml itself; SAM's own transform is what it must agree with."""

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


class Named:
    """Resources called after themselves."""

    def ref(self, logical_id: str) -> str:
        return f"<{logical_id}>"

    def attribute(self, logical_id: str, name: str) -> str:
        return f"<{logical_id}.{name}>"


@pytest.fixture(scope="module")
def sam() -> dict[str, Any]:
    """The resources that SAM makes of the template."""
    from tools.transform_template import (
        translate_template,  # it takes long, in each process of tests
    )

    resources: dict[str, Any] = yaml.safe_load(translate_template("us-east-1"))["Resources"]
    return resources


@pytest.fixture(scope="module")
def resolver():
    return IntrinsicResolver(load_template(TEMPLATE), "stack", {}, Named())


@pytest.fixture(scope="module")
def ours(resolver):
    return load_functions(load_template(TEMPLATE), resolver, "stack")


def of_type(sam, kind):
    return {name: body["Properties"] for name, body in sam.items() if body["Type"] == kind}


def test_functions_equal_the_sam_translation(sam, resolver, ours):
    theirs = of_type(sam, "AWS::Lambda::Function")
    assert {function.logical_id for function in ours} == set(theirs)
    for function in ours:
        there = theirs[function.logical_id]
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


def test_routes_equal_the_sam_translation(sam, resolver, ours):
    theirs = set()
    for api, properties in of_type(sam, "AWS::ApiGatewayV2::Api").items():
        for path, methods in properties["Body"]["paths"].items():
            for method, operation in methods.items():
                key = DEFAULT_ROUTE if path == DEFAULT_ROUTE else f"{method.upper()} {path}"
                signed = {"AWS_IAM": []} in operation.get("security", [])
                theirs.add((key, f"<{api}>", integrated(operation), signed))
    found = load_routes(load_template(TEMPLATE), resolver, ours)
    assert {
        (route.key, route.api_id, route.function_id, route.requires_iam) for route in found
    } == theirs


def integrated(operation):
    uri = operation["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"]
    match = re.search(r"functions/\$\{(\w+?)(?:Alias\w+|\.Arn)\}", uri)
    assert match is not None, uri
    return match[1]


def test_event_sources_equal_the_sam_translation(sam, resolver, ours):
    theirs = {}
    for properties in of_type(sam, "AWS::Lambda::EventSourceMapping").values():
        target = re.sub(r"Alias\w+$", "", properties.pop("FunctionName")["Ref"])
        resolved = resolver.resolve_properties(properties, target)
        source = resolved.pop("EventSourceArn")
        theirs[target, source] = resolved
    found = {}
    for function, event in list_triggers(ours, *EVENT_SOURCE_TYPES):
        properties = dict(event.properties)
        source = properties.pop("Stream", None) or properties.pop("Queue")
        if "DestinationConfig" in properties:  # SAM's own key: what kind of destination it is
            properties["DestinationConfig"]["OnFailure"].pop("Type")
        found[function.logical_id, source] = properties
    assert found == theirs
