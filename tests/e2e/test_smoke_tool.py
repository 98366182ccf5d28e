"""Test the steps of `make smoke` on the embedded stack, and that they can fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
import urllib3

from local.stack import EmbeddedStack
from tests.e2e.conftest import write_changed_template
from tools import smoke
from tools.management_api import ManagementApi
from tools.smoke_steps import STEPS, SmokeTest, StepFailed, StepSkipped
from waypost.models.tracking_domain import DomainStage

SKIPPED_STEPS = {"signature": "skip", "default host": "skip"}  # they need AWS and a default host


def parse_results(printed: str) -> dict[str, str]:
    """Return the result of each step."""
    return {line[6:19].strip(): line[:4].strip() for line in printed.splitlines()}


def test_every_smoke_step_passes_on_the_embedded_stack(
    stack: EmbeddedStack, capsys: pytest.CaptureFixture[str]
) -> None:
    assert smoke.main(["--base", stack.url]) == 0
    steps = [step.__name__.replace("_", " ") for step in STEPS]
    assert parse_results(capsys.readouterr().out) == dict.fromkeys(steps, "ok") | SKIPPED_STEPS
    assert not stack.cloud.client("sqs").list_queues(QueueNamePrefix="smoke-").get("QueueUrls")
    rules = stack.cloud.client("events").list_rules(EventBusName=stack.ref("EventBus"))["Rules"]
    assert not [rule["Name"] for rule in rules if rule["Name"].startswith("smoke-")]


def test_smoke_test_fails_only_where_counts_are_needed_if_clicks_are_not_counted(
    tmp_path: Path, no_aws_settings: None, capsys: pytest.CaptureFixture[str]
) -> None:
    template = write_changed_template(
        tmp_path, "- Sid: UpdateCounters", "- dynamodb:UpdateItem", ""
    )
    with EmbeddedStack(template) as uncounted:
        assert smoke.main(["--base", uncounted.url, "--patience", "1"]) == 1
    results = parse_results(capsys.readouterr().out)
    assert {step for step, word in results.items() if word == "FAIL"} == {
        "report",
        "segment",
        "event",
    }


class FakeManagementApi:
    """A management API that returns the default host."""

    def __init__(self, stage: str) -> None:
        self.stage = stage

    def request(self, _method: str, _path: str, _body: object = None) -> Any:
        return {"domains": [{"host": "e.example.com", "stage": self.stage}]}


def test_event_step_is_skipped_if_only_an_address_is_known() -> None:
    api: Any = FakeManagementApi("")
    run = SmokeTest(api, urllib3.PoolManager(), "smoke-1", 1)
    with pytest.raises(StepSkipped, match="give ENV"):
        run.event()


def test_default_host_step_passes_only_at_the_stage_that_serves_https() -> None:
    (serving,) = [stage for stage in get_args(DomainStage) if "https" in stage]
    for stage in get_args(DomainStage):
        api: Any = FakeManagementApi(stage)
        run = SmokeTest(api, urllib3.PoolManager(), "smoke-1", 1)
        if stage == serving:
            assert "serves HTTPS" in run.default_host()
        else:
            with pytest.raises(StepFailed):
                run.default_host()


@pytest.mark.parametrize(
    ("base", "region"),
    [
        ("https://a1b2c3.execute-api.eu-west-1.amazonaws.com/", "eu-west-1"),
        ("http://127.0.0.1:8080", None),
    ],
)
def test_only_requests_to_aws_are_signed(base: str, region: str | None) -> None:
    assert ManagementApi.from_options("dev", base) == ManagementApi(base.rstrip("/"), region)
