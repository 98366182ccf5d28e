"""How many clicks a tally counts on one core, and what that is made of.

    python -m bench.tally

The tally runs on moto's tables, and what it asks of DynamoDB is kept. Then the same calls are made
again, on moto without the tally (moto's own ceiling: nobody is faster here), and on a client whose
answers come from memory (what the AWS library takes for itself). The tally's own share is measured
on the in-memory twin. Processor time throughout; hot traffic is one link, spread traffic is twenty
campaigns of ten links.
"""

from __future__ import annotations

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

from bench.costs import FULL, World, clicks_of
from local import moto_transactions
from waypost.codes import campaign_code, link_code
from waypost.counting.tally import Tally
from waypost.model.click import Click
from waypost.store.memory.campaigns import MemoryCampaigns
from waypost.store.memory.clicks import MemoryClicks
from waypost.store.memory.recipients import MemoryRecipients
from waypost.store.memory.workspaces import MemoryWorkspaces

CLICKS, ROUNDS = 2_000, 3
Call = tuple[str, dict[str, Any], dict[str, Any]]
"""A call's name, what it asked and what was answered."""


def hot() -> list[Click]:
    """Everybody clicks one link."""
    return clicks_of(100_000, CLICKS, 1)


def spread() -> list[Click]:
    """Twenty campaigns of ten links each, all at once."""
    clicks = clicks_of(100_000, CLICKS, 1)
    links = [
        link_code(campaign_code("acme", f"campaign-{campaign}"), f"link-{link}")
        for campaign in range(20)
        for link in range(10)
    ]
    return [replace(click, link=links[n * 7 % len(links)]) for n, click in enumerate(clicks)]


def cpu(work: Callable[[], object]) -> float:
    """Processor seconds of one run."""
    before = time.process_time()
    work()
    return time.process_time() - before


def counted(tally: Tally, clicks: Sequence[Click]) -> None:
    """Count clicks batch by batch."""
    for start in range(0, len(clicks), FULL):
        if tally.count(clicks[start : start + FULL]).failed:
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
    workspaces, campaigns = MemoryWorkspaces(), MemoryCampaigns()
    tally = Tally(
        ledger=MemoryClicks(),
        recipients=MemoryRecipients(campaigns),
        workspaces=workspaces,
        bus=None,
    )
    return cpu(lambda: counted(tally, clicks))


def show(name: str, clicks: Sequence[Click]) -> None:
    """Print a line: medians of rounds in which all take their turn."""
    rounds = []
    transactions = 0
    for _ in range(ROUNDS):
        whole, calls = on_moto(clicks)
        rounds.append((whole, again(calls), on_the_library(calls), on_the_twin(clicks)))
        transactions = sum(call == "transact_write_items" for call, _, _ in calls)
    whole, ceiling, library, own = (
        statistics.median(values) for values in zip(*rounds, strict=True)
    )
    many = len(clicks)
    print(
        f"{name:<8}{1_000 * transactions / many:>14.1f}{own / many * 1e6:>12.0f}"
        f"{library / many * 1e6:>14.0f}{many / (own + library):>18,.0f}"
        f"{many / whole:>12,.0f}{many / ceiling:>12,.0f}"
    )


def main() -> None:
    """Measure both kinds of traffic."""
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    moto_transactions.install()
    print(f"{CLICKS:,} clicks in batches of {FULL}, {ROUNDS} rounds, processor time")
    print(
        f"{'':<8}{'transactions':>14}{'tally':>12}{'AWS library':>14}{'clicks/s':>18}"
        f"{'on moto':>12}{'moto alone':>12}"
    )
    print(
        f"{'':<8}{'per 1,000':>14}{'µs a click':>12}{'µs a click':>14}{'on one core':>18}"
        f"{'clicks/s':>12}{'clicks/s':>12}"
    )
    for traffic in (hot, spread):
        show(traffic.__name__, traffic())


if __name__ == "__main__":
    main()
