"""Schedules run at a rate; other expressions and properties are refused."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from local.errors import TemplateError
from local.functions import LambdaFunction, Trigger
from local.schedules import load_schedules


def build_function(**properties):
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
        triggers=(Trigger("F.E", "Schedule", properties),),
    )


@pytest.mark.parametrize(
    ("expression", "interval"),
    [("rate(5 minutes)", timedelta(minutes=5)), ("rate(1 hour)", timedelta(hours=1))],
)
def test_a_schedule_runs_at_its_rate(expression, interval):
    (schedule,) = load_schedules([build_function(Schedule=expression)])
    assert schedule.interval == interval


def test_the_input_of_a_schedule_is_the_event():
    (schedule,) = load_schedules([build_function(Schedule="rate(1 hour)", Input='{"a": 1}')])
    assert schedule.build_event() == {"a": 1}


def test_a_schedule_without_input_sends_a_scheduled_event():
    (schedule,) = load_schedules([build_function(Schedule="rate(1 hour)")])
    assert schedule.build_event()["detail-type"] == "Scheduled Event"


@pytest.mark.parametrize(
    "expression", ["cron(0 3 * * ? *)", "rate(5 weeks)", "every day", "rate(x minutes)"]
)
def test_an_unsupported_schedule_is_refused_and_named(expression):
    with pytest.raises(TemplateError) as raised:
        load_schedules([build_function(Schedule=expression)])
    assert "F.E" in str(raised.value)
    assert expression in str(raised.value)


def test_an_unsupported_property_of_a_schedule_is_refused_and_named():
    with pytest.raises(TemplateError, match=r"F\.E: Enabled is not emulated"):
        load_schedules([build_function(Schedule="rate(1 hour)", Enabled=False)])
