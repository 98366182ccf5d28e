"""Act as an operator at a shell, and mark the tests that play entries of docs/runbook.md."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from local.stack import TEMPLATE, EmbeddedStack
from tests.e2e.tool_runner import run_tool
from waypost.ids import derive_campaign_id

Test = TypeVar("Test", bound=Callable[..., None])
_ENTRY = re.compile(r"^@runbook_entry\(([^)]*)\)", re.MULTILINE)


def runbook_entry(*names: str) -> Callable[[Test], Test]:
    """Mark a test with the entries it plays. ``list_tested_entries`` reads the source."""
    assert names

    def return_unchanged(test: Test) -> Test:
        return test

    return return_unchanged


def list_tested_entries() -> Iterator[tuple[str, str]]:
    """List the runbook's entries that tests play, each with the path of its test file."""
    for file in sorted(Path(__file__).parent.rglob("test_*.py")):
        for names in _ENTRY.findall(file.read_text("utf-8")):
            for name in re.findall(r'"([^"]+)"', names):
                yield name, str(file.relative_to(TEMPLATE.parent))


class Operator:
    """An operator at a shell, with access to the AWS services of one stack."""

    def __init__(self, stack: EmbeddedStack) -> None:
        self.stack = stack

    def client(self, service: Any) -> Any:
        return self.stack.cloud.client(service)

    def run_tool(self, tool: str, *arguments: str, exit_codes: tuple[int, ...] = (0, 1)) -> str:
        """Run the command of a make target and return its output."""
        command = run_tool(tool, "--base", self.stack.url, *arguments)
        assert command.returncode in exit_codes, command.stderr
        return command.stdout + (command.stderr if 2 in exit_codes else "")

    def count_messages(self, queue: str) -> int:
        """Count the messages of a queue, including those in flight."""
        names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.client("sqs").get_queue_attributes(
            QueueUrl=self.stack.ref(queue), AttributeNames=names
        )
        return sum(int(answer["Attributes"][name]) for name in names)

    def count_metric(self, line: str) -> int:
        """Count how often the log contains a metric, written as ``"Name":1``."""
        return self.stack.log_text().count(line)

    def list_clicks(self, campaign: str) -> list[Any]:
        """List the items in the clicks table of a campaign of the workspace ``e2e``."""
        campaign_id = derive_campaign_id("e2e", campaign)
        items = self.client("dynamodb").scan(TableName=self.stack.ref("ClicksTable"))["Items"]
        return [item for item in items if item["link"]["S"].startswith(campaign_id)]


def wait_until(condition: Callable[[], bool], timeout: float = 30) -> bool:
    """Poll a condition until it holds or the timeout, in seconds, is over; return the last value.

    30 s leave room for a slow machine: a test that passes waits a few seconds at most.
    """
    deadline = time.monotonic() + timeout
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)
    return condition()
