"""Values of a template resolve as CloudFormation resolves them, or say where they cannot."""

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
  Names: { Type: CommaDelimitedList, Default: "a,b" }
Conditions:
  IsLive: !Equals [!Ref Stage, live]
  HasBase: !Not [!Equals [!Ref Base, ""]]
  Both: !And [!Condition IsLive, !Condition HasBase]
  Either: !Or [!Condition IsLive, !Condition HasBase]
Mappings:
  Sizes: { dev: { memory: 128 } }
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
    """Every resource is called after itself; only Arn can be told."""

    def ref(self, logical_id: str) -> str:
        return f"<{logical_id}>"

    def attribute(self, logical_id: str, name: str) -> str:
        if name != "Arn":
            raise TemplateError(f"{logical_id}.{name}", "cannot be told")
        return f"arn:{logical_id}"


def resolver(folder: Path, **given: str) -> IntrinsicResolver:
    path = folder / "template.yaml"
    path.write_text(TEMPLATE)
    return IntrinsicResolver(load_template(path), "stack", given, NamedResources())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Ref": "Stage"}, "dev"),
        ({"Ref": "Days"}, "400"),
        ({"Ref": "Names"}, ["a", "b"]),
        ({"Ref": "Table"}, "<Table>"),
        ({"Fn::GetAtt": ["Table", "Arn"]}, "arn:Table"),
        ({"Fn::Sub": "${AWS::StackName}-${Table.Arn}-${!Literal}"}, "stack-arn:Table-${Literal}"),
        ({"Fn::Sub": ["${x}/${Stage}", {"x": {"Ref": "Table"}}]}, "<Table>/dev"),
        ({"Fn::Join": ["-", ["a", {"Ref": "Stage"}]]}, "a-dev"),
        ({"Fn::Select": [1, {"Fn::Split": ["/", "a/b/c"]}]}, "b"),
        ({"Fn::If": ["IsLive", "yes", "no"]}, "no"),
        ({"Fn::FindInMap": ["Sizes", {"Ref": "Stage"}, "memory"]}, 128),
        ({"a": {"Ref": "AWS::NoValue"}, "b": [1, {"Ref": "AWS::NoValue"}]}, {"b": [1]}),
        ({"a": {"Fn::If": ["IsLive", 1, {"Ref": "AWS::NoValue"}]}}, {}),
    ],
)
def test_intrinsic_functions_give_their_value(tmp_path, value, expected):
    assert resolver(tmp_path).resolve_value(value, "here") == expected


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ({"Ref": "Nobody"}, "refers to Nobody"),
        ({"Fn::GetAtt": ["Nobody", "Arn"]}, "refers to Nobody"),
        ({"Fn::GetAtt": ["Table", "Colour"]}, "Colour"),
        ({"Fn::Sub": "${Nobody}"}, "refers to Nobody"),
        ({"Fn::If": ["IsWrong", 1, 2]}, "IsWrong"),
        ({"Fn::Select": [7, ["a"]]}, "no item 7"),
        ({"Fn::FindInMap": ["Sizes", "live", "memory"]}, "'live'"),
        ({"Fn::ImportValue": "other"}, "Fn::ImportValue is not emulated"),
    ],
)
def test_what_cannot_be_resolved_names_its_place(tmp_path, value, complaint):
    with pytest.raises(TemplateError, match=complaint):
        resolver(tmp_path).resolve_value({"key": value}, "Resource")


def test_conditions_combine(tmp_path):
    live = resolver(tmp_path, Stage="live")
    both = resolver(tmp_path, Stage="live", Base="https://e.example.com")
    assert (
        live.is_condition_true("Both"),
        live.is_condition_true("Either"),
        live.is_condition_true(None),
    ) == (False, True, True)
    assert both.is_condition_true("Both")


@pytest.mark.parametrize(
    "given",
    [{"Stage": "test"}, {"Days": "0"}, {"Days": "many"}, {"Base": "http://e"}, {"Nothing": "x"}],
)
def test_parameters_are_held_against_the_template(tmp_path, given):
    with pytest.raises(TemplateError, match=rf"Parameters\.{next(iter(given))}"):
        resolver(tmp_path, **given)


def test_globals_are_merged_as_sam_merges_them(tmp_path):
    resolver(tmp_path)
    function = load_template(tmp_path / "template.yaml").resources["Function"]
    assert function.properties == {
        "Timeout": 9,
        "Layers": ["shared", "own"],
        "Environment": {"Variables": {"ONE": 1, "TWO": "two"}},
    }


@pytest.mark.parametrize("text", ["", "Resources: 3", "a: [", "Resources: {A: {}}"])
def test_what_is_no_template_is_refused(tmp_path, text):
    path = tmp_path / "template.yaml"
    path.write_text(text)
    with pytest.raises(TemplateError):
        load_template(path)
