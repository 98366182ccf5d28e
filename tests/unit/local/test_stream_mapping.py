"""Stream mappings filter records by exact values, and refuse properties that are not emulated."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from unittest.mock import Mock

import pytest

from local.cloud import MotoCloud
from local.dynamodb_streams import FailureDestination
from local.errors import TemplateError
from local.functions import Trigger
from local.processes import StackLog
from local.stream_mapping import (
    StreamMapping,
    build_stream_record,
    matches_any,
    parse_filter_criteria,
)
from local.template import Properties

RECORD = {
    "eventName": "INSERT",
    "dynamodb": {"NewImage": {"pk": {"S": "C#1"}, "tags": ["a", "b"], "ok": True}},
}


def build_criteria(*patterns):
    return {"Filters": [{"Pattern": json.dumps(pattern)} for pattern in patterns]}


def build_image_pattern(**rules):
    return {"dynamodb": {"NewImage": rules}}


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ({"eventName": ["INSERT"]}, True),
        ({"eventName": ["MODIFY", "REMOVE"]}, False),
        (build_image_pattern(pk={"S": ["C#1"]}), True),
        ({"eventName": ["INSERT"], **build_image_pattern(pk={"S": ["C#2"]})}, False),
        (build_image_pattern(tags=["b"]), True),
        (build_image_pattern(ok=[True]), True),
        (build_image_pattern(ok=[1]), False),
        (build_image_pattern(missing={"S": ["C#1"]}), False),
    ],
)
def test_a_filter_pattern_compares_the_values_of_its_keys(pattern, matches):
    assert matches_any(parse_filter_criteria(build_criteria(pattern), "F.E"), RECORD) is matches


def test_a_record_is_delivered_if_one_filter_pattern_matches_or_there_is_none():
    criteria = build_criteria({"eventName": ["X"]}, {"eventName": ["INSERT"]})
    assert matches_any(parse_filter_criteria(criteria, "F.E"), RECORD)
    assert matches_any(parse_filter_criteria({}, "F.E"), RECORD)


@pytest.mark.parametrize(
    ("pattern", "named"),
    [
        ('{"a": [{"prefix": "x"}]}', "prefix"),
        ('{"a": {"b": ["y", {"numeric": [">", 1]}]}}', "numeric"),
        ('{"$or": [{"a": ["x"]}]}', r"\$or"),
        ("no json", "no json"),
        ("[]", r"\[\]"),
        ('{"a": "x"}', "x"),
    ],
)
def test_an_unsupported_filter_pattern_is_refused_and_named(pattern, named):
    with pytest.raises(TemplateError, match=rf"F\.E: .*{named}"):
        parse_filter_criteria({"Filters": [{"Pattern": pattern}]}, "F.E")


def test_an_unsupported_property_of_a_stream_is_refused_and_named():
    stream: Properties = {"Stream": "arn", "StartingPosition": "LATEST"}
    stream["TumblingWindowInSeconds"] = 5
    with pytest.raises(TemplateError, match="TumblingWindowInSeconds"):
        StreamMapping.from_trigger(Trigger("F.E", "DynamoDB", stream))


def test_a_failure_destination_other_than_a_bucket_is_refused_and_named():
    stream: Properties = {
        "Stream": "arn",
        "StartingPosition": "TRIM_HORIZON",
        "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:1:failures"}},
    }
    mapping = StreamMapping.from_trigger(Trigger("F.E", "DynamoDB", stream))
    with pytest.raises(
        TemplateError, match=r"F\.E: failure destination arn:aws:sqs:.* not emulated"
    ):
        FailureDestination(mapping, Mock(MotoCloud), "arn", "role", Mock(StackLog))


def test_a_stream_record_is_json_with_binary_as_base64():
    record = build_stream_record(
        {
            "eventID": "1",
            "eventName": "INSERT",
            "awsRegion": "elsewhere",
            "dynamodb": {
                "ApproximateCreationDateTime": datetime(2026, 11, 21, tzinfo=UTC),
                "Keys": {"pk": {"S": "a"}},
                "NewImage": {"pk": {"S": "a"}, "raw": {"B": b"\xff"}, "set": {"BS": [b"\x00"]}},
                "SequenceNumber": "7",
            },
        },
        "arn:stream",
    )
    assert json.loads(json.dumps(record)) == record
    assert record["dynamodb"]["NewImage"]["raw"] == {"B": "/w=="}
    assert record["dynamodb"]["NewImage"]["set"] == {"BS": ["AA=="]}
    assert record["dynamodb"]["ApproximateCreationDateTime"] == 1_795_219_200
    assert record["eventSourceARN"] == "arn:stream"
    assert record["eventSource"] == "aws:dynamodb"
