"""An operator at a shell, and which entries of docs/runbook.md the tests play with one."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from local.stack import TEMPLATE, EmbeddedStack
from tests.e2e.test_click_tracking import Sender
from tests.e2e.tool_runner import run_tool
from waypost.ids import derive_campaign_id

Test = TypeVar("Test", bound=Callable[..., None])
_ENTRY = re.compile(r"^@entry\(([^)]*)\)", re.MULTILINE)


def entry(*names: str) -> Callable[[Test], Test]:
    """Notes which entries of the runbook a test plays; ``played`` reads it from the source."""
    assert names

    def noted(test: Test) -> Test:
        return test

    return noted


def list_tested_entries() -> Iterator[tuple[str, str]]:
    """Entries of the runbook, and the file of tests that plays each."""
    for file in sorted(Path(__file__).parent.rglob("test_*.py")):
        for names in _ENTRY.findall(file.read_text("utf-8")):
            for name in re.findall(r'"([^"]+)"', names):
                yield name, str(file.relative_to(TEMPLATE.parent))


class Operator:
    """An operator at a shell, with the services of one stack."""

    def __init__(self, stack: EmbeddedStack) -> None:
        self.stack = stack

    def client(self, service: Any) -> Any:
        return self.stack.cloud.client(service)

    def run_tool(self, tool: str, *arguments: str, exit_codes: tuple[int, ...] = (0, 1)) -> str:
        """What a target of the Makefile runs; what it prints."""
        ran = run_tool(tool, "--base", self.stack.url, *arguments)
        assert ran.returncode in exit_codes, ran.stderr
        return ran.stdout + (ran.stderr if 2 in exit_codes else "")

    def count_messages(self, queue: str) -> int:
        """Messages in a queue, those being tried among them."""
        names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        told = self.client("sqs").get_queue_attributes(
            QueueUrl=self.stack.ref(queue), AttributeNames=names
        )
        return sum(int(told["Attributes"][name]) for name in names)

    def count_metric(self, line: str) -> int:
        """How often a metric stands in the log, as ``"Name":1``."""
        return self.stack.log_text().count(line)

    def list_clicks(self, campaign: str) -> list[Any]:
        """The items of a campaign of the workspace ``e2e`` in the ledger."""
        code = derive_campaign_id("e2e", campaign)
        items = self.client("dynamodb").scan(TableName=self.stack.ref("ClicksTable"))["Items"]
        return [item for item in items if item["link"]["S"].startswith(code)]


def wait_until(condition: Callable[[], bool], timeout: float = 30) -> bool:
    """Whether something becomes true in time."""
    deadline = time.monotonic() + timeout
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)
    return condition()


def count_clicks(sender: Sender) -> int:
    return int(sender.report()["clicks"]["total"])
