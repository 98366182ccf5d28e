"""Test that a first deploy that failed can be repeated, and that no running stack is deleted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from samcli.commands.deploy.command import cli as deploy_command
from samcli.lib.deploy.deployer import Deployer

from tests.packaging.deploy_settings import CONFIG
from tests.packaging.sam_build import RESOURCES

ENVIRONMENTS = ("dev", "us", "eu")
NAME_PROPERTIES = ("TableName", "Name", "BucketName", "QueueName", "LogGroupName", "RoleName")


class FakeCloudFormation:
    """A stack in one status, with the calls that would change it."""

    def __init__(self, status: str) -> None:
        self.status = status
        self.calls: list[str] = []

    def describe_stacks(self, **_: object) -> dict[str, Any]:
        return {"Stacks": [{"StackStatus": self.status}]}

    def describe_stack_events(self, **_: object) -> dict[str, Any]:
        return {"StackEvents": [{"Timestamp": datetime(2026, 12, 1, tzinfo=UTC)}]}

    def delete_stack(self, **_: object) -> None:
        self.calls.append("delete_stack")

    def rollback_stack(self, **_: object) -> None:
        self.calls.append("rollback_stack")
        self.status = "UPDATE_ROLLBACK_COMPLETE"

    def get_waiter(self, _: str) -> FakeCloudFormation:
        return self

    def wait(self, **_: object) -> None:
        """Return at once: the stack is deleted, or rolled back."""


def clean_up(cloudformation: FakeCloudFormation) -> list[str]:
    """Run SAM's reaction to a failed deploy with ``--on-failure DELETE``."""
    deployer = Deployer(cloudformation, client_sleep=0)
    deployer.describe_stack_events = lambda *_, **__: None  # waits for events
    deployer.rollback_delete_stack("waypost-us")
    return cloudformation.calls


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_failed_first_deploy_deletes_its_stack(environment: str) -> None:
    parameters = CONFIG[environment]["deploy"]["parameters"]
    assert parameters["on_failure"] == "DELETE"
    assert "disable_rollback" not in parameters, "sam refuses both"
    (option,) = [each for each in deploy_command.params if each.name == "on_failure"]
    assert parameters["on_failure"] in option.type.choices


@pytest.mark.parametrize("status", ["CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"])
def test_sam_deletes_a_stack_that_was_never_created(status: str) -> None:
    assert clean_up(FakeCloudFormation(status)) == ["delete_stack"]


@pytest.mark.parametrize(
    "status",
    [
        *("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"),
        *("UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED", "UPDATE_IN_PROGRESS"),
        *("IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS"),
    ],
)
def test_sam_never_deletes_a_stack_that_ran(status: str) -> None:
    assert clean_up(FakeCloudFormation(status)) == []


def test_sam_rolls_a_failed_update_back() -> None:
    assert clean_up(FakeCloudFormation("UPDATE_FAILED")) == ["rollback_stack"]


def test_retained_resources_have_no_fixed_names_that_a_second_first_deploy_would_meet() -> None:
    retained = {name: body for name, body in RESOURCES.items() if "DeletionPolicy" in body}
    assert {body["DeletionPolicy"] for body in retained.values()} == {"RetainExceptOnCreate"}
    named = [
        name
        for name, body in retained.items()
        if any(each in body["Properties"] for each in NAME_PROPERTIES)
    ]
    assert named == []
