"""How many clicks a tally counts on one core, and what that is made of.

    python -m bench.tally

The tally runs on moto's tables, and what it asks of DynamoDB is kept. Then the same calls are made
again, on moto without the tally (moto's own ceiling: nobody is faster here), and on a client whose
answers come from memory (what the AWS library takes for itself); so is telling the event bus. The
tally's own share is measured on the in-memory twin. Processor time throughout; hot traffic is one
link, spread traffic is twenty campaigns of ten links. What a lane of the stream comes to with it
follows from what ``assumptions.toml`` says of waiting.

What counting clicks is made of, each part by itself: processor seconds.
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
from tests.fakes import (
    InMemoryCampaignRepository,
    InMemoryClickRepository,
    InMemoryRecipientRepository,
    InMemoryWorkspaceRepository,
)
from waypost.aws.event_bus import MAX_PUT_EVENTS_ENTRIES
from waypost.bot_detection.scoring import BotSignal, build_verdict
from waypost.ids import derive_campaign_id, derive_link_id
from waypost.models.click import Click
from waypost.tally.event_publisher import ClickEventBus
from waypost.tally.service import TallyService

FULL_BATCH = load_event_source().batch_size
RecordedCall = tuple[str, dict[str, Any], dict[str, Any]]
"""A call's name, what it asked and what was answered."""


def measure_cpu(work: Callable[[], object]) -> float:
    """Processor seconds of one run, which pays for no garbage but its own."""
    gc.collect()
    gc.freeze()
    before = time.process_time()
    work()
    taken = time.process_time() - before
    gc.unfreeze()
    return taken


def count_in_batches(tally: TallyService, clicks: Sequence[Click]) -> None:
    """Count clicks batch by batch."""
    for start in range(0, len(clicks), FULL_BATCH):
        if tally.count_clicks(clicks[start : start + FULL_BATCH]).failed_ids:
            raise RuntimeError("clicks were given back")


class CallRecorder:
    """Stands for a client, and keeps every call with its answer."""

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
    """Seconds that the tally and moto take together, and the calls that were made."""
    with mock_aws():
        world = MeteredStack()
        recorder = CallRecorder(world.meter)
        world.tally = world.build_tally(recorder)
        return measure_cpu(lambda: count_in_batches(world.tally, clicks)), recorder.calls


def measure_moto_alone(calls: Sequence[RecordedCall]) -> float:
    """Seconds of the same calls on moto, with nobody thinking between them."""
    with mock_aws():
        client = MeteredStack().client
        return measure_cpu(lambda: [getattr(client, name)(**request) for name, request, _ in calls])


def measure_library(calls: Sequence[RecordedCall]) -> float:
    """Seconds of the same calls where the answers are there at once."""
    client = boto3.client("dynamodb", region_name="us-east-1")
    answers = iter(
        json.dumps({k: v for k, v in answer.items() if k != "ResponseMetadata"}).encode()
        if name != "batch_get_item"
        else b'{"Responses": {}}'
        for name, _, answer in calls
    )

    def sent(**_: object) -> AWSResponse:
        return _build_response(next(answers))

    client.meta.events.register("before-send", sent)  # type: ignore[arg-type]
    return measure_cpu(lambda: [getattr(client, name)(**request) for name, request, _ in calls])


def measure_event_bus(clicks: Sequence[Click]) -> float:
    """Seconds of telling them where the answers are there at once."""
    client: Any = boto3.client("events", region_name="us-east-1")
    took = json.dumps(
        {"FailedEntryCount": 0, "Entries": [{"EventId": "x" * 36}] * MAX_PUT_EVENTS_ENTRIES}
    )
    client.meta.events.register("before-send", lambda **_: _build_response(took.encode()))
    bus = ClickEventBus(client, "clicks")
    told = [(click, build_verdict(BotSignal(0))) for click in clicks]
    return measure_cpu(
        lambda: [bus.publish(told[n : n + FULL_BATCH]) for n in range(0, len(told), FULL_BATCH)]
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
    """Seconds of the tally itself."""
    workspaces, campaigns = InMemoryWorkspaceRepository(), InMemoryCampaignRepository()
    tally = TallyService(
        clicks=InMemoryClickRepository(),
        recipients=InMemoryRecipientRepository(campaigns),
        workspaces=workspaces,
        event_bus=None,
    )
    return measure_cpu(lambda: count_in_batches(tally, clicks))


CLICKS, ROUNDS = 2_000, 3


def hot() -> list[Click]:
    """Everybody clicks one link."""
    return generate_clicks(100_000, CLICKS, 1)


def spread() -> list[Click]:
    """Twenty campaigns of ten links each, all at once."""
    clicks = generate_clicks(100_000, CLICKS, 1)
    links = [
        derive_link_id(derive_campaign_id("acme", f"campaign-{campaign}"), f"link-{link}")
        for campaign in range(20)
        for link in range(10)
    ]
    return [replace(click, link=links[n * 7 % len(links)]) for n, click in enumerate(clicks)]


def measure_parts(clicks: Sequence[Click]) -> tuple[list[float], float]:
    """Processor µs of a click, as medians of rounds in which all take their turn: the whole on
    moto, moto alone, the AWS library, telling the bus, the tally itself. And transactions for
    1,000 clicks.
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
    """Print a line; seconds of processor time that a click takes without moto."""
    (whole, ceiling, library, bus, own), transactions = measure_parts(clicks)
    together = library + bus + own
    print(
        f"{name:<8}{transactions:>14.1f}{own:>12.0f}{library:>14.0f}{bus:>14.0f}"
        f"{1e6 / together:>16,.0f}{1e6 / whole:>12,.0f}{1e6 / ceiling:>12,.0f}",
        flush=True,
    )
    return together / 1e6


def print_batch_timing(click_seconds: float) -> None:
    """Print what a lane of the stream counts, with waits as assumed."""
    print("\nA lane of the stream, waits as bench/assumptions.toml has them")
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
