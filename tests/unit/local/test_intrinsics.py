"""Values of a template resolve as in CloudFormation; errors name their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.errors import TemplateError
from local.intrinsics import IntrinsicResolver
from local.template import load_template

TEMPLATE = """
Parameters:
  Stage: { Type: String, Default: dev, AllowedValues: [dev, live] }
  Days: { Type: Number, Default: 400, MinValue: 1, MaxValue: 3650 }
  Base: { Type: String, Default: "", AllowedPattern: "^$|^https://.+$" }
Conditions:
  IsLive: !Equals [!Ref Stage, live]
  HasBase: !Not [!Equals [!Ref Base, ""]]
  Both: !And [!Equals [!Ref Stage, live], !Not [!Equals [!Ref Base, ""]]]
  Either: !Or [!Equals [!Ref Stage, live], !Not [!Equals [!Ref Base, ""]]]
  Named: !And [!Condition IsLive, !Condition HasBase]
Globals:
  Function:
    Timeout: 5
    Layers: [shared]
    Environment: { Variables: { ONE: 1, TWO: 2 } }
Resources:
  Table: { Type: "AWS::DynamoDB::Table" }
  Function:
    Type: AWS::Serverless::Function
    Properties:
      Timeout: 9
      Layers: [own]
      Environment: { Variables: { TWO: two } }
"""


class NamedResources:
    """Resources named after their logical id, with the attribute Arn only."""

    def ref(self, logical_id: str) -> str:
        return f"<{logical_id}>"

    def attribute(self, logical_id: str, name: str) -> str:
        if name != "Arn":
            raise TemplateError(f"{logical_id}.{name}", "unknown attribute")
        return f"arn:{logical_id}"


def build_resolver(folder: Path, **parameters: str) -> IntrinsicResolver:
    path = folder / "template.yaml"
    path.write_text(TEMPLATE)
    return IntrinsicResolver(load_template(path), "stack", parameters, NamedResources())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Ref": "Stage"}, "dev"),
        ({"Ref": "Days"}, "400"),
        ({"Ref": "Table"}, "<Table>"),
        ({"Fn::GetAtt": ["Table", "Arn"]}, "arn:Table"),
        ({"Fn::Sub": "${AWS::StackName}-${Table.Arn}-${!Literal}"}, "stack-arn:Table-${Literal}"),
        ({"Fn::Sub": "${Table}/${Stage}"}, "<Table>/dev"),
        ({"Fn::If": ["IsLive", "yes", "no"]}, "no"),
        ({"a": {"Ref": "AWS::NoValue"}, "b": [1, {"Ref": "AWS::NoValue"}]}, {"b": [1]}),
        ({"a": {"Fn::If": ["IsLive", 1, {"Ref": "AWS::NoValue"}]}}, {}),
    ],
)
def test_an_intrinsic_function_resolves_to_its_value(tmp_path, value, expected):
    assert build_resolver(tmp_path).resolve_value(value, "here") == expected


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"Ref": "Nobody"}, "refers to Nobody"),
        ({"Fn::GetAtt": ["Nobody", "Arn"]}, "refers to Nobody"),
        ({"Fn::GetAtt": ["Table", "Colour"]}, "Colour"),
        ({"Fn::Sub": "${Nobody}"}, "refers to Nobody"),
        ({"Fn::Sub": "${Nobody.Arn}"}, "refers to Nobody"),
        ({"Fn::If": ["IsWrong", 1, 2]}, "IsWrong"),
        ({"Fn::If": ["Either", 1, 2]}, r"Conditions\.Either: Fn::Or is not emulated"),
        ({"Fn::If": ["Named", 1, 2]}, r"Conditions\.Named: Condition is not emulated"),
    ],
)
def test_an_unresolvable_value_is_refused_with_its_place(tmp_path, value, message):
    with pytest.raises(TemplateError, match=message):
        build_resolver(tmp_path).resolve_value({"key": value}, "Resource")


@pytest.mark.parametrize(
    ("function", "argument"),
    [
        ("Fn::Join", ["-", ["a", "b"]]),
        ("Fn::Split", ["/", "a/b"]),
        ("Fn::Select", [0, ["a"]]),
        ("Fn::FindInMap", ["Sizes", "dev", "memory"]),
        ("Fn::ImportValue", "other"),
    ],
)
def test_an_unsupported_function_is_refused_and_named(tmp_path, function, argument):
    with pytest.raises(TemplateError, match=rf"Resource\.key: {function} is not emulated"):
        build_resolver(tmp_path).resolve_value({"key": {function: argument}}, "Resource")


def test_sub_with_a_list_is_refused(tmp_path):
    with pytest.raises(TemplateError, match="Fn::Sub with a list is not emulated"):
        build_resolver(tmp_path).resolve_value({"Fn::Sub": ["${x}", {"x": "a"}]}, "Resource")


def test_a_parameter_of_an_unsupported_type_is_refused(tmp_path):
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE.replace("Base: { Type: String", "Base: { Type: CommaDelimitedList"))
    with pytest.raises(TemplateError, match=r"Parameters\.Base: .*CommaDelimitedList"):
        IntrinsicResolver(load_template(path), "stack", {}, NamedResources())


def test_conditions_combine(tmp_path):
    live = build_resolver(tmp_path, Stage="live")
    both = build_resolver(tmp_path, Stage="live", Base="https://e.example.com")
    assert live.is_condition_true("IsLive")
    assert not live.is_condition_true("Both")
    assert both.is_condition_true("Both")


def test_a_resource_without_condition_exists(tmp_path):
    assert build_resolver(tmp_path).is_condition_true(None)


@pytest.mark.parametrize(
    "parameters",
    [{"Stage": "test"}, {"Days": "0"}, {"Days": "many"}, {"Base": "http://e"}, {"Nothing": "x"}],
)
def test_a_parameter_value_that_the_template_forbids_is_refused(tmp_path, parameters):
    with pytest.raises(TemplateError, match=rf"Parameters\.{next(iter(parameters))}"):
        build_resolver(tmp_path, **parameters)


def test_globals_are_merged_as_sam_merges_them(tmp_path):
    build_resolver(tmp_path)
    function = load_template(tmp_path / "template.yaml").resources["Function"]
    assert function.properties == {
        "Timeout": 9,
        "Layers": ["shared", "own"],
        "Environment": {"Variables": {"ONE": 1, "TWO": "two"}},
    }


@pytest.mark.parametrize("text", ["", "Resources: 3", "a: [", "Resources: {A: {}}"])
def test_a_file_that_is_no_template_is_refused(tmp_path, text):
    path = tmp_path / "template.yaml"
    path.write_text(text)
    with pytest.raises(TemplateError):
        load_template(path)
