"""Test the changes of the template for the emulator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from local.stack import TEMPLATE
from local.template import parse_yaml
from tools.emulator.overlay import OverlayError, apply_overlay, load_overlay

LAMBDA = {"Type": "AWS::Serverless::Function", "Properties": {}}


def apply_change(resources: dict[str, Any], **change: Any) -> Any:
    return apply_overlay({"Resources": resources}, [change])["Resources"]


def test_overlay_fits_the_template() -> None:
    changed = apply_overlay(parse_yaml(TEMPLATE.read_text("utf-8")), load_overlay())
    assert "ConnectionGroup" not in str(changed["Resources"])


def test_every_route_of_the_template_is_spelled_out() -> None:
    template = parse_yaml(TEMPLATE.read_text("utf-8"))
    functions = [each for each in template["Resources"].values() if each["Type"] == LAMBDA["Type"]]
    events = [event for each in functions for event in each["Properties"]["Events"].values()]
    resources = apply_overlay(template, load_overlay())["Resources"].values()
    routes = [each for each in resources if each["Type"] == "AWS::ApiGatewayV2::Route"]
    assert len(routes) == len([event for event in events if event["Type"] == "HttpApi"]) > 30


def test_removed_resource_is_replaced_in_all_references() -> None:
    references = {
        "attribute": {"Fn::GetAtt": ["Group", "Id"]},
        "list": [{"Fn::Sub": "arn:${AWS::Partition}:group/${Group.Id}/${Other.Id}"}],
    }
    resources = apply_change(
        {"Group": {"Type": "AWS::X::Group"}, "User": {"Type": "T", "Properties": references}},
        remove="Group",
        attributes={"Id": "g1"},
    )
    assert resources == {
        "User": {
            "Type": "T",
            "Properties": {
                "attribute": "g1",
                "list": [{"Fn::Sub": "arn:${AWS::Partition}:group/g1/${Other.Id}"}],
            },
        }
    }


def test_only_alarms_with_the_property_are_dropped() -> None:
    alarms = {
        "Math": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"Metrics": []}},
        "Plain": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"MetricName": "Errors"}},
    }
    assert set(apply_change(alarms, drop="AWS::CloudWatch::Alarm", property="Metrics")) == {"Plain"}


def test_route_invokes_the_alias_of_a_function_that_has_one() -> None:
    route = {"ApiId": {"Ref": "Api"}, "Method": "GET", "Path": "/a"}
    properties = {"Events": {"Get": {"Type": "HttpApi", "Properties": route}}}
    uris = [
        apply_change(
            {"F": {"Type": "AWS::Serverless::Function", "Properties": each}},
            routes={"Api": "NONE"},
        )["FApiIntegration"]["Properties"]["IntegrationUri"]
        for each in (properties, properties | {"AutoPublishAlias": "live"})
    ]
    assert uris == [{"Fn::GetAtt": ["F", "Arn"]}, {"Ref": "F.Alias"}]


@pytest.mark.parametrize(
    "change",
    [
        {"remove": "Missing"},
        {"refer": "Missing", "attribute": "Id"},
        {"drop": "AWS::CloudWatch::Alarm", "property": "Metrics"},
        {"widen": "Missing"},
        {"routes": {"Api": "NONE"}},
    ],
)
def test_entry_without_effect_is_an_error(change: dict[str, Any]) -> None:
    with pytest.raises(OverlayError, match="no effect"):
        apply_change({"F": LAMBDA}, **change)


@pytest.mark.parametrize(
    "entry", ['remove = "A"', 'reason = "R"', 'remove = "A"\ndrop = "B"\nreason = "R"']
)
def test_entry_needs_one_kind_and_a_reason(tmp_path: Path, entry: str) -> None:
    file = tmp_path / "overlay.toml"
    file.write_text(f"[[change]]\n{entry}\n")
    with pytest.raises(OverlayError, match="single kind"):
        load_overlay(file)
