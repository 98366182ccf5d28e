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

from bench.arrivals import event_source
from bench.world import World
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

FULL = event_source().batch
Call = tuple[str, dict[str, Any], dict[str, Any]]
"""A call's name, what it asked and what was answered."""


def cpu(work: Callable[[], object]) -> float:
    """Processor seconds of one run, which pays for no garbage but its own."""
    gc.collect()
    gc.freeze()
    before = time.process_time()
    work()
    taken = time.process_time() - before
    gc.unfreeze()
    return taken


def counted(tally: TallyService, clicks: Sequence[Click]) -> None:
    """Count clicks batch by batch."""
    for start in range(0, len(clicks), FULL):
        if tally.count_clicks(clicks[start : start + FULL]).failed_ids:
            raise RuntimeError("clicks were given back")


class Recorder:
    """Stands for a client, and keeps every call with its answer."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - clients have no common type
        self._client = client
        self.calls: list[Call] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)

        def call(**request: Any) -> Any:  # noqa: ANN401
            answer = method(**request)
            self.calls.append((name, request, answer))
            return answer

        return call


def on_moto(clicks: Sequence[Click]) -> tuple[float, list[Call]]:
    """Seconds that the tally and moto take together, and the calls that were made."""
    with mock_aws():
        world = World()
        recorder = Recorder(world.meter)
        world.tally = world.tally_on(recorder)
        return cpu(lambda: counted(world.tally, clicks)), recorder.calls


def again(calls: Sequence[Call]) -> float:
    """Seconds of the same calls on moto, with nobody thinking between them."""
    with mock_aws():
        client = World().client
        return cpu(lambda: [getattr(client, name)(**request) for name, request, _ in calls])


def on_the_library(calls: Sequence[Call]) -> float:
    """Seconds of the same calls where the answers are there at once."""
    client = boto3.client("dynamodb", region_name="us-east-1")
    answers = iter(
        json.dumps({k: v for k, v in answer.items() if k != "ResponseMetadata"}).encode()
        if name != "batch_get_item"
        else b'{"Responses": {}}'
        for name, _, answer in calls
    )

    def sent(**_: object) -> AWSResponse:
        return _answer(next(answers))

    client.meta.events.register("before-send", sent)  # type: ignore[arg-type]
    return cpu(lambda: [getattr(client, name)(**request) for name, request, _ in calls])


def on_the_bus(clicks: Sequence[Click]) -> float:
    """Seconds of telling them where the answers are there at once."""
    client: Any = boto3.client("events", region_name="us-east-1")
    took = json.dumps(
        {"FailedEntryCount": 0, "Entries": [{"EventId": "x" * 36}] * MAX_PUT_EVENTS_ENTRIES}
    )
    client.meta.events.register("before-send", lambda **_: _answer(took.encode()))
    bus = ClickEventBus(client, "clicks")
    told = [(click, build_verdict(BotSignal(0))) for click in clicks]
    return cpu(lambda: [bus.publish(told[n : n + FULL]) for n in range(0, len(told), FULL)])


class _Raw:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self) -> Sequence[bytes]:
        return [self._body]


def _answer(body: bytes) -> AWSResponse:
    headers = {"content-type": "application/x-amz-json-1.0"}
    return AWSResponse("https://dynamodb", 200, headers, _Raw(body))  # type: ignore[arg-type]


def on_the_twin(clicks: Sequence[Click]) -> float:
    """Seconds of the tally itself."""
    workspaces, campaigns = InMemoryWorkspaceRepository(), InMemoryCampaignRepository()
    tally = TallyService(
        clicks=InMemoryClickRepository(),
        recipients=InMemoryRecipientRepository(campaigns),
        workspaces=workspaces,
        event_bus=None,
    )
    return cpu(lambda: counted(tally, clicks))
