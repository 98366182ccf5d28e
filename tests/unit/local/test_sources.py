"""Schedules, secrets and records are made as AWS makes them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from local.errors import TemplateError
from local.functions import LambdaFunction, Trigger
from local.resource_factories import generate_secret_string
from local.schedules import load_schedules
from local.sqs_queues import QueueMapping, to_filter_input
from local.stream_mapping import StreamMapping, build_stream_record
from local.template import Properties


def function(kind, **properties):
    return LambdaFunction(
        logical_id="F",
        name="f",
        handler="app.handler",
        code_folder=Path(),
        layer_folders=(),
        environment={},
        timeout_seconds=3,
        memory_mb=128,
        asynchronous_retries=2,
        role="FRole",
        triggers=(Trigger("F.E", kind, properties),),
    )


def test_a_rate_repeats_and_its_input_is_the_event():
    (found,) = load_schedules([function("Schedule", Schedule="rate(5 minutes)", Input='{"a": 1}')])
    assert found.interval == timedelta(minutes=5)
    assert found.build_event() == {"a": 1}


def test_cron_and_disabled_schedules_run_only_when_asked():
    cron = function("ScheduleV2", ScheduleExpression="cron(0 3 * * ? *)")
    disabled = function("Schedule", Schedule="rate(1 day)", Enabled=False)
    assert [found.interval for found in load_schedules([cron, disabled])] == [None, None]
    assert load_schedules([cron])[0].build_event()["source"] == "aws.scheduler"


@pytest.mark.parametrize("expression", ["rate(5 weeks)", "every day", "rate(x minutes)"])
def test_what_is_no_schedule_is_refused(expression):
    with pytest.raises(TemplateError, match=r"F\.E"):
        load_schedules([function("Schedule", Schedule=expression)])


def test_a_secret_is_generated_into_its_template():
    made = json.loads(
        generate_secret_string(
            {"SecretStringTemplate": '{"a": 1}', "GenerateStringKey": "seed", "PasswordLength": 64}
        )
    )
    assert made["a"] == 1
    assert len(made["seed"]) == 64


def test_a_generated_secret_leaves_out_what_it_is_told_to():
    made = generate_secret_string(
        {"PasswordLength": 200, "ExcludePunctuation": True, "ExcludeCharacters": "abc"}
    )
    assert len(made) == 200
    assert made.isalnum()
    assert not set(made) & set("abc")
    assert made != generate_secret_string({"PasswordLength": 200, "ExcludePunctuation": True})


def test_a_stream_record_is_json_with_binary_as_base64():
    made = build_stream_record(
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
    assert json.loads(json.dumps(made)) == made
    assert made["dynamodb"]["NewImage"]["raw"] == {"B": "/w=="}
    assert made["dynamodb"]["NewImage"]["set"] == {"BS": ["AA=="]}
    assert made["dynamodb"]["ApproximateCreationDateTime"] == 1_795_219_200
    assert made["eventSourceARN"] == "arn:stream"
    assert made["eventSource"] == "aws:dynamodb"


def test_a_property_that_is_not_emulated_is_refused():
    stream: Properties = {"Stream": "arn", "StartingPosition": "LATEST"}
    stream["TumblingWindowInSeconds"] = 5
    with pytest.raises(TemplateError, match="TumblingWindowInSeconds"):
        StreamMapping.from_trigger(Trigger("F.E", "DynamoDB", stream))
    with pytest.raises(TemplateError, match="KmsKeyArn"):
        QueueMapping.from_trigger(Trigger("F.E", "SQS", {"Queue": "arn", "KmsKeyArn": "x"}))


def test_a_json_body_is_an_object_to_filter_patterns():
    assert to_filter_input({"body": '{"a": 1}'})["body"] == {"a": 1}
    assert to_filter_input({"body": "plain"})["body"] == "plain"
    assert to_filter_input({"body": "[1]"})["body"] == "[1]"
