"""What counting clicks is made of, each part by itself: processor seconds."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from moto import mock_aws

from bench.stream_model import load_event_source
from bench.world import MeteredStack
from tests.fakes import (
    InMemoryCampaignRepository,
    InMemoryClickRepository,
    InMemoryRecipientRepository,
    InMemoryWorkspaceRepository,
)
from waypost.bot_detection.scoring import BotSignal, build_verdict
from waypost.models.click import Click
from waypost.tally.event_publisher import MAX_PUT_EVENTS_ENTRIES, ClickEventBus
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
