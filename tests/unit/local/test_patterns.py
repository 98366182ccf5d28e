"""Filter patterns let through what the Lambda developer guide says they do."""

from __future__ import annotations

import json

import pytest

from local.errors import TemplateError
from local.filter_patterns import matches_any, parse_filter_criteria

RECORD = {
    "eventName": "INSERT",
    "dynamodb": {"NewImage": {"pk": {"S": "C#1"}, "n": {"N": 5}, "tags": ["a", "b"], "ok": True}},
}


def criteria(*patterns):
    return {"Filters": [{"Pattern": json.dumps(pattern)} for pattern in patterns]}


def image(**rules):
    return {"dynamodb": {"NewImage": rules}}


@pytest.mark.parametrize(
    ("pattern", "through"),
    [
        ({"eventName": ["INSERT"]}, True),
        ({"eventName": ["MODIFY", "REMOVE"]}, False),
        ({"eventName": ["INSERT"], **image(pk={"S": ["C#2"]})}, False),
        (image(pk={"S": [{"prefix": "C#"}]}), True),
        (image(pk={"S": [{"suffix": "#2"}]}), False),
        (image(pk={"S": [{"equals-ignore-case": "c#1"}]}), True),
        (image(pk={"S": [{"anything-but": ["C#1"]}]}), False),
        (image(pk={"S": [{"anything-but": "C#2"}]}), True),
        (image(n={"N": [{"numeric": [">", 1, "<=", 5]}]}), True),
        (image(n={"N": [{"numeric": ["=", 4]}]}), False),
        (image(tags=["b"]), True),
        (image(ok=[True]), True),
        (image(ok=[1]), False),
        (image(gone=[{"exists": False}]), True),
        (image(gone={"S": [{"exists": True}]}), False),
        ({"$or": [{"eventName": ["REMOVE"]}, {"eventName": ["INSERT"]}]}, True),
    ],
)
def test_a_pattern_matches_or_not(pattern, through):
    assert matches_any(parse_filter_criteria(criteria(pattern), "here"), RECORD) is through


def test_one_matching_pattern_is_enough_and_none_lets_everything_through():
    assert matches_any(
        parse_filter_criteria(criteria({"eventName": ["X"]}, {"eventName": ["INSERT"]}), "here"),
        RECORD,
    )
    assert matches_any(parse_filter_criteria({}, "here"), RECORD)


@pytest.mark.parametrize(
    "pattern",
    ['{"a": [{"wildcard": "x*"}]}', '{"$or": [{"a": [{"cidr": "::"}]}]}', "no json", "[]"],
)
def test_what_is_not_understood_is_refused_while_the_template_is_read(pattern):
    with pytest.raises(TemplateError, match="here"):
        parse_filter_criteria({"Filters": [{"Pattern": pattern}]}, "here")
