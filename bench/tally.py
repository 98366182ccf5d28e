"""Measure the clicks that a tally counts on one core, and the parts of that time.

    python -m bench.tally

The tally runs on moto's tables, and its calls to DynamoDB are recorded. Then the same calls run on
moto without the tally (moto's own limit), and on a client with responses from memory (the time of
the AWS library), as do the calls to the event bus. The tally itself is measured on repositories in
memory. All figures are processor time. Hot traffic is one link; spread traffic is twenty campaigns
of ten links. The rate of a stream reader follows from the waits in ``assumptions.toml``.
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from moto import mock_aws

from bench.metered_stack import MeteredStack, generate_clicks
from bench.stream_model import BatchTiming, load_batch_timing, load_event_source
from local import moto_transactions
from tests.fakes import create_in_memory_repositories
from waypost.aws.event_bus import MAX_PUT_EVENTS_ENTRIES
from waypost.bot_detection.scoring import BotSignal, build_verdict
from waypost.composition import build_tally_service
from waypost.ids import derive_campaign_id, derive_link_id
from waypost.models.click import Click
from waypost.tally.event_publisher import ClickEventBus
from waypost.tally.service import TallyService

FULL_BATCH = load_event_source().batch_size
RecordedCall = tuple[str, dict[str, Any], dict[str, Any]]
"""A call's name, what it asked and what was answered."""


def measure_cpu(work: Callable[[], object]) -> float:
    """Measure the processor seconds of one run, including only its own garbage collection."""
    gc.collect()
    gc.freeze()
    before = time.process_time()
    work()
    seconds = time.process_time() - before
    gc.unfreeze()
    return seconds


def count_in_batches(tally: TallyService, clicks: Sequence[Click]) -> None:
    """Count clicks batch by batch."""
    for start in range(0, len(clicks), FULL_BATCH):
        if tally.count_clicks(clicks[start : start + FULL_BATCH]).failed_ids:
            raise RuntimeError("tally: clicks failed")


class CallRecorder:
    """A client that records every call with its response."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - clients have no common type
        self._client = client
        self.calls: list[RecordedCall] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)

        def call(**request: Any) -> Any:  # noqa: ANN401
            answer = method(**request)
            self.calls.append((name, request, answer))
            return answer

        return call


def measure_on_moto(clicks: Sequence[Click]) -> tuple[float, list[RecordedCall]]:
    """Measure the tally together with moto, and return the recorded calls."""
    with mock_aws():
        stack = MeteredStack()
        recorder = CallRecorder(stack.meter)
        stack.tally = stack.build_tally(recorder)
        return measure_cpu(lambda: count_in_batches(stack.tally, clicks)), recorder.calls


def measure_moto_alone(calls: Sequence[RecordedCall]) -> float:
    """Measure the same calls on moto without the tally."""
    with mock_aws():
        client = MeteredStack().client
        return measure_cpu(lambda: [getattr(client, name)(**request) for name, request, _ in calls])


def measure_library(calls: Sequence[RecordedCall]) -> float:
    """Measure the same calls with immediate responses: the AWS library."""
    client = boto3.client("dynamodb", region_name="us-east-1")
    answers = iter(
        json.dumps({k: v for k, v in answer.items() if k != "ResponseMetadata"}).encode()
        if name != "batch_get_item"
        else b'{"Responses": {}}'
        for name, _, answer in calls
    )

    def respond(**_: object) -> AWSResponse:
        return _build_response(next(answers))

    client.meta.events.register("before-send", respond)  # type: ignore[arg-type]
    return measure_cpu(lambda: [getattr(client, name)(**request) for name, request, _ in calls])


def measure_event_bus(clicks: Sequence[Click]) -> float:
    """Measure publishing the events with immediate responses."""
    client: Any = boto3.client("events", region_name="us-east-1")
    took = json.dumps(
        {"FailedEntryCount": 0, "Entries": [{"EventId": "x" * 36}] * MAX_PUT_EVENTS_ENTRIES}
    )
    client.meta.events.register("before-send", lambda **_: _build_response(took.encode()))
    bus = ClickEventBus(client, "clicks")
    events = [(click, build_verdict(BotSignal(0))) for click in clicks]
    return measure_cpu(
        lambda: [bus.publish(events[n : n + FULL_BATCH]) for n in range(0, len(events), FULL_BATCH)]
    )


class _RawResponse:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self) -> Sequence[bytes]:
        return [self._body]


def _build_response(body: bytes) -> AWSResponse:
    headers = {"content-type": "application/x-amz-json-1.0"}
    return AWSResponse("https://dynamodb", 200, headers, _RawResponse(body))  # type: ignore[arg-type]


def measure_in_memory(clicks: Sequence[Click]) -> float:
    """Measure the tally itself."""
    tally = build_tally_service(create_in_memory_repositories(), None)
    return measure_cpu(lambda: count_in_batches(tally, clicks))


CLICKS, ROUNDS = 2_000, 3


def hot() -> list[Click]:
    """Generate clicks on one link."""
    return generate_clicks(100_000, CLICKS, 1)


def spread() -> list[Click]:
    """Generate clicks on twenty campaigns of ten links each."""
    clicks = generate_clicks(100_000, CLICKS, 1)
    links = [
        derive_link_id(derive_campaign_id("acme", f"campaign-{campaign}"), f"link-{link}")
        for campaign in range(20)
        for link in range(10)
    ]
    return [replace(click, link=links[n * 7 % len(links)]) for n, click in enumerate(clicks)]


def measure_parts(clicks: Sequence[Click]) -> tuple[list[float], float]:
    """Measure the processor µs of a click in each part, as medians of rounds in turns.

    The parts are: all on moto, moto alone, the AWS library, the event bus, and the tally itself.
    Also returns the number of transactions for 1,000 clicks.
    """
    rounds = []
    transactions = 0
    for _ in range(ROUNDS):
        whole, calls = measure_on_moto(clicks)
        rounds.append(
            (
                whole,
                measure_moto_alone(calls),
                measure_library(calls),
                measure_event_bus(clicks),
                measure_in_memory(clicks),
            )
        )
        transactions = sum(call == "transact_write_items" for call, _, _ in calls)
    medians = [statistics.median(values) for values in zip(*rounds, strict=True)]
    return [each / len(clicks) * 1e6 for each in medians], 1_000 * transactions / len(clicks)


def print_traffic(name: str, clicks: Sequence[Click]) -> float:
    """Print a line; return a click's processor seconds without moto."""
    (whole, ceiling, library, bus, own), transactions = measure_parts(clicks)
    together = library + bus + own
    print(
        f"{name:<8}{transactions:>14.1f}{own:>12.0f}{library:>14.0f}{bus:>14.0f}"
        f"{1e6 / together:>16,.0f}{1e6 / whole:>12,.0f}{1e6 / ceiling:>12,.0f}",
        flush=True,
    )
    return together / 1e6


def print_batch_timing(click_seconds: float) -> None:
    """Print the rate of one stream reader, with the assumed waits."""
    print("\nOne stream reader, with the waits of bench/assumptions.toml")
    for memory in (load_batch_timing().memory_mb, 1024):
        one = BatchTiming(memory, click_seconds)
        print(
            f"{memory:,.0f} MB: a batch of {FULL_BATCH} "
            f"in {one.batch_seconds(FULL_BATCH) * 1e3:,.0f} ms, "
            f"{one.clicks_per_second(FULL_BATCH):,.0f} clicks a second"
        )


def main() -> None:
    """Measure both kinds of traffic."""
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    moto_transactions.install_rollback()
    print(f"{CLICKS:,} clicks in batches of {FULL_BATCH}, {ROUNDS} rounds, processor time")
    print(
        f"{'':<8}{'transactions':>14}{'tally':>12}{'AWS library':>14}{'event bus':>14}"
        f"{'clicks/s':>16}{'on moto':>12}{'moto alone':>12}"
    )
    print(
        f"{'':<8}{'per 1,000':>14}{'µs a click':>12}{'µs a click':>14}{'µs a click':>14}"
        f"{'on one core':>16}{'clicks/s':>12}{'clicks/s':>12}"
    )
    click_seconds = [print_traffic(traffic.__name__, traffic()) for traffic in (hot, spread)]
    print_batch_timing(click_seconds[0])


if __name__ == "__main__":
    main()
