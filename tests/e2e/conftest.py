"""Stacks to test against, over HTTP and through the services behind them.

``stack`` is what template.yaml describes; ``small`` is a stack of fixtures/small, which has one of
everything that the embedded stack plays, with handlers that tell what they saw.
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
from tests.leak_patterns import find_leaks, list_stack_keys

SMALL = Path(__file__).parent / "fixtures" / "small" / "template.yaml"


@pytest.fixture(scope="session", autouse=True)
def no_aws_settings() -> Iterator[None]:
    """A profile or endpoint of whoever runs the tests is none of the stacks'."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def stack(no_aws_settings: None) -> Iterator[EmbeddedStack]:
    """The whole of template.yaml; tests share it and keep apart by workspace and campaign.

    Whatever they did, no function may have been denied anything, even where it did without, nor
    have logged what is secret.
    """
    with EmbeddedStack() as running:
        yield running
        assert not running.cloud.load_permission_report().denied
        assert not list(find_leaks(running.log_text(), list_stack_keys(running)))


@pytest.fixture(scope="module")
def small(no_aws_settings: None) -> Iterator[EmbeddedStack]:
    with EmbeddedStack(SMALL, processes={"EchoFunction": 1}) as running:
        yield running


def write_changed_template(folder: Path, anchor: str, old: str, new: str) -> Path:
    """template.yaml in a folder of the test's, changed once: the first ``old`` after ``place``."""
    for name in ("functions", "layers"):
        (folder / name).symlink_to(TEMPLATE.parent / name)
    before, found, after = TEMPLATE.read_text("utf-8").partition(anchor)
    assert old in after, f"nothing to change after {anchor!r}"
    changed = folder / "template.yaml"
    changed.write_text(before + found + after.replace(old, new, 1), "utf-8")
    return changed


def write_template_without_ledger(folder: Path) -> Path:
    """A template whose redirect looks for a ledger that is not there; everybody else finds it."""
    ledger = "CLICKS_TABLE: !Ref ClicksTable"
    return write_changed_template(folder, "  RedirectFunction:", ledger, "CLICKS_TABLE: nowhere")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test shows what the functions of its stacks printed last."""
    report = yield
    if report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            if isinstance(value, EmbeddedStack):
                report.sections.append((f"log of {name}", value.log_text()[-6_000:]))
    return report


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An HTTP response; names of ``headers`` in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


Http: TypeAlias = Callable[..., HttpAnswer]


@pytest.fixture
def http() -> Iterator[Http]:
    """``http(method, url, headers=…, body=…)``: one request, redirects not followed.

    A body that is no bytes goes as JSON. The URL is sent as it is, ``%2F`` included.
    """
    with urllib3.PoolManager(retries=False, timeout=30) as pool:

        def send(
            method: str,
            url: str,
            headers: dict[str, str] | None = None,
            body: object = None,
        ) -> HttpAnswer:
            given = dict(headers or {})
            data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            if data is not body:
                given.setdefault("content-type", "application/json")
            answer = pool.request(method, url, body=data, headers=given, redirect=False)
            lower = {name.lower(): value for name, value in answer.headers.items()}
            return HttpAnswer(answer.status, lower, answer.data)

        yield send
