"""Test that redirects continue while AWS services are slow or refuse calls.

Each click is in the clicks table, in the fallback queue, or in a log line that can be replayed.
tests/e2e/test_exhausted_concurrency.py takes the concurrency away.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.trust import traffic
from tests.trust.attempts import count_attempts
from tests.trust.fake_aws import FakeAws, run_fake_aws
from tests.trust.function_process import FunctionProcess, run_function
from waypost.clicks.fallback_queue import deserialize_click
from waypost.maintenance.replay import extract_clicks
from waypost.models.click import Click
from waypost.redirect.service import MAX_RECORD_ATTEMPTS


@pytest.fixture(autouse=True)
def enable_sockets(socket_enabled: None) -> None:
    """Enable sockets for the fake services."""


def generate_clicks(count: int) -> list[dict[str, Any]]:
    """Generate clicks on signed generate_clicks."""
    ordinary = (n for n in traffic.generate_click_events() if n["routeKey"].startswith("GET /e/c/"))
    signed = (n for n in ordinary if n["pathParameters"]["signature"][-3:] != "AAA")
    counted = (n for n in signed if n["requestContext"]["http"]["method"] == "GET")
    return [next(counted) for _ in range(count)]


@pytest.fixture
def services() -> Iterator[FakeAws]:
    with run_fake_aws() as running:
        running.stores_writes = True
        yield running


def are_redirects(answers: list[str]) -> bool:
    read = [json.loads(answer) for answer in answers]
    return all(
        answer["statusCode"] == 302 and answer["headers"]["location"].startswith(traffic.HREF)
        for answer in read
    )


def list_clicks(services: FakeAws, running: FunctionProcess) -> list[Click]:
    """List every stored, queued and logged click, with duplicates."""
    lost = [click for line in running.read_log().splitlines() for click in extract_clicks(line)]
    return [
        *map(Click.from_item, services.clicks.values()),
        *map(deserialize_click, services.queued_messages),
        *map(Click.from_dict, lost),
    ]


@pytest.mark.parametrize(
    ("slow", "refusing", "late"),
    [
        ({"DynamoDB"}, set(), False),
        ({"DynamoDB"}, set(), True),
        ({"DynamoDB"}, {"AmazonSQS"}, False),
        ({"DynamoDB"}, {"AmazonSQS"}, True),
        ({"DynamoDB", "AmazonSQS", "secretsmanager"}, set(), True),
        (set(), {"DynamoDB", "AmazonSQS", "secretsmanager"}, False),
    ],
    ids=[
        "table slow, done at once",
        "table slow, done late",
        "and the queue full, done at once",
        "and the queue full, done late",
        "everything slow, done late",
        "everything refused",
    ],
)
def test_redirects_continue_and_no_click_is_lost(
    services: FakeAws, slow: set[str], refusing: set[str], late: bool
) -> None:
    events = generate_clicks(2 + count_attempts(3, 100))
    with run_function("redirect", services.url, events) as running:
        assert are_redirects(running.invoke(2))
        services.slow_services, services.refusing_services, services.acts_after_delay = (
            slow,
            refusing,
            late,
        )
        before = services.call_count
        assert are_redirects(running.invoke(len(events) - 2))
        # Each call waits no longer than its timeout, so their number bounds the time of a click.
        settings, parking = 1, 1
        assert services.call_count - before <= (settings + MAX_RECORD_ATTEMPTS + parking) * (
            len(events) - 2
        )
        services.stopped.set()  # delayed calls are done, though their caller no longer waits
        services.wait_until_idle()
        clicks = list_clicks(services, running)
    keys = {click.id: json.dumps(click.key) for click in clicks}
    assert set(keys) == {event["requestContext"]["requestId"] for event in events}
    assert {json.dumps(click.key) for click in clicks} == set(keys.values())  # each counts once


def test_clicks_are_recorded_when_the_table_recovers(services: FakeAws) -> None:
    with run_function("redirect", services.url, generate_clicks(9)) as running:
        services.slow_services, services.refusing_services = {"DynamoDB"}, {"AmazonSQS"}
        assert are_redirects(running.invoke(4))
        services.slow_services, services.refusing_services = set(), set()
        services.clicks.clear()
        assert are_redirects(running.invoke(5))
        assert len(services.clicks) == 5
