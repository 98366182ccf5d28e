"""Embedded stacks for the end-to-end tests, and an HTTP client.

``stack`` runs template.yaml. ``small_stack`` runs fixtures/small, which has one resource of each
type that the embedded stack supports, with handlers that return the events they received.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import urllib3

from local.stack import TEMPLATE, EmbeddedStack
from tests.e2e.sender import Sender, create_sender
from tests.leak_patterns import find_leaks, list_stack_keys

SMALL_TEMPLATE = Path(__file__).parent / "fixtures" / "small" / "template.yaml"


@pytest.fixture(scope="session", autouse=True)
def no_aws_settings() -> Iterator[None]:
    """Remove the caller's AWS profile and endpoint from the environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def stack(no_aws_settings: None) -> Iterator[EmbeddedStack]:
    """Run template.yaml once for all tests; they use different workspaces and campaigns.

    At the end, no call of a function may have been denied, even if the function continued without
    it, and the log may contain no secret.
    """
    with EmbeddedStack() as running:
        yield running
        assert not running.cloud.load_permission_report().denied
        assert not list(find_leaks(running.log_text(), list_stack_keys(running)))


@pytest.fixture(scope="module")
def running(no_aws_settings: None) -> Iterator[EmbeddedStack]:
    """Run one stack for a module whose tests break it; each restores what it breaks."""
    with EmbeddedStack() as stack:
        yield stack


@pytest.fixture(scope="module")
def small_stack(no_aws_settings: None) -> Iterator[EmbeddedStack]:
    with EmbeddedStack(SMALL_TEMPLATE, processes={"EchoFunction": 1}) as running:
        yield running


def write_changed_template(folder: Path, anchor: str, old: str, new: str) -> Path:
    """Write template.yaml with the first ``old`` after ``anchor`` replaced; return the path."""
    for name in ("functions", "layers"):
        (folder / name).symlink_to(TEMPLATE.parent / name)
    before, anchor_text, after = TEMPLATE.read_text("utf-8").partition(anchor)
    assert old in after, f"nothing to change after {anchor!r}"
    path = folder / "template.yaml"
    path.write_text(before + anchor_text + after.replace(old, new, 1), "utf-8")
    return path


def write_template_without_ledger(folder: Path) -> Path:
    """Write a template in which only the redirect function has no clicks table."""
    variable = "CLICKS_TABLE: !Ref ClicksTable"
    return write_changed_template(folder, "  RedirectFunction:", variable, "CLICKS_TABLE: missing")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the end of the stacks' logs to the report of a failed test."""
    report = yield
    if report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            if isinstance(value, EmbeddedStack):
                report.sections.append((f"log of {name}", value.log_text()[-6_000:]))
    return report


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An HTTP response; the names of ``headers`` are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


Http: TypeAlias = Callable[..., HttpAnswer]


@pytest.fixture
def http() -> Iterator[Http]:
    """Return ``http(method, url, headers=…, body=…)``, which sends one request.

    It follows no redirect, sends a body other than bytes as JSON, and the URL unchanged (``%2F``
    stays).
    """
    with urllib3.PoolManager(retries=False, timeout=30) as pool:

        def send(
            method: str,
            url: str,
            headers: dict[str, str] | None = None,
            body: object = None,
        ) -> HttpAnswer:
            all_headers = dict(headers or {})
            data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            if data is not body:
                all_headers.setdefault("content-type", "application/json")
            answer = pool.request(method, url, body=data, headers=all_headers, redirect=False)
            lower = {name.lower(): value for name, value in answer.headers.items()}
            return HttpAnswer(answer.status, lower, answer.data)

        yield send


@pytest.fixture
def sender(stack: EmbeddedStack, http: Http, request: pytest.FixtureRequest) -> Sender:
    """Create the sender of a campaign that is named after the test."""
    return create_sender(stack, http, request)
