"""The fault run over DynamoDB, as moto plays it: shorter, since moto takes its time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.contract.conftest import Stores
from tests.faults.checking import SEED, check
from tests.faults.world import World
from waypost.models.click import Click
from waypost.repositories.clicks import ClickStore


class Streaming:
    """A ledger that tells what it inserted, as its table's stream does."""

    def __init__(self, inner: ClickStore) -> None:
        self._inner = inner
        self.inserted: list[Click] = []

    def record(self, click: Click) -> bool:
        new = self._inner.record(click)
        self.inserted += [click] if new else []
        return new

    def anonymise(self, click: Click, anonymous: Click) -> None:
        self._inner.anonymise(click, anonymous)
        self.inserted.append(anonymous)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def test_1_000_clicks_on_dynamodb_are_counted_once_each(dynamodb_stores: Stores) -> None:
    ledger = Streaming(dynamodb_stores.clicks)
    stores = replace(dynamodb_stores, clicks=ledger)
    world = World(stores, SEED, rate=0.02, inserted=ledger.inserted)
    world.run(1_000, people=150, leave=1, pause=250)
    check(world)
