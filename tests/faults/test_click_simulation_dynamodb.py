"""The simulation with faults over moto's DynamoDB; shorter, because moto is slow."""

from __future__ import annotations

from typing import Any

from tests.faults.click_simulation import FaultSimulation
from tests.faults.invariants import FAULT_SEED, check_invariants
from waypost.composition import Repositories
from waypost.models.click import Click
from waypost.repositories.clicks import ClickRepository


class StreamRecorder:
    """A click repository that records inserted clicks, like its table's stream."""

    def __init__(self, inner: ClickRepository) -> None:
        self._inner = inner
        self.stream: list[Click] = []

    def record(self, click: Click) -> bool:
        new = self._inner.record(click)
        self.stream += [click] if new else []
        return new

    def anonymize(self, click: Click, anonymous: Click) -> None:
        self._inner.anonymize(click, anonymous)
        self.stream.append(anonymous)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def test_1_000_clicks_on_dynamodb_are_counted_once_each(dynamodb_stores: Repositories) -> None:
    repository = StreamRecorder(dynamodb_stores.clicks)
    dynamodb_stores.clicks = repository
    simulation = FaultSimulation(dynamodb_stores, FAULT_SEED, rate=0.02, stream=repository.stream)
    simulation.run(1_000, people=150, opt_outs=1, stream_interval=250)
    check_invariants(simulation)
