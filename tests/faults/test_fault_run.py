"""Clicks through redirect, stream and tally while everything breaks: none lost, none counted twice.

``WAYPOST_FAULT_SEED`` runs another seed; a failure prints it.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from tests.clicks import CAMPAIGN
from tests.contract.conftest import Stores, memory_stores
from tests.faults.world import World, naive_figures
from waypost.model.click import Click
from waypost.recounting import Recounting
from waypost.store.clicks import ClickStore

SEED = int(os.environ.get("WAYPOST_FAULT_SEED", "20261121"))


@pytest.fixture(autouse=True)
def salts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Aliases follow from salts, and from them where their clicks go: let the seed decide."""
    random = Random(SEED)
    monkeypatch.setattr("secrets.token_hex", lambda size: random.randbytes(size).hex())


def check(world: World) -> None:
    stores = world.stores
    ledger = list(stores.clicks.of_campaign(CAMPAIGN))
    assert Counter(click.id for click in ledger) == Counter(world.made)
    counted = {
        (cell.counter, cell.figure): value
        for cell, value in stores.campaigns.counts(CAMPAIGN).cells().items()
        if cell.figure != "shared"
    }
    assert counted == naive_figures(ledger)
    recounting = Recounting(stores.clicks, stores.campaigns, stores.recipients, stores.workspaces)
    found = recounting.compare(CAMPAIGN)
    assert (found.uncounted, found.differences, found.expired) == ((), {}, 0)
    assert set(world.bus.told) == world.made


def test_20_000_clicks_on_the_twin_are_counted_once_each() -> None:
    stores = memory_stores()
    world = World(stores, SEED, rate=0.03, inserted=stores.clicks.inserted)  # type: ignore[attr-defined]
    world.run(20_000, people=2_000, leave=10)
    check(world)
    assert set(world.faults.seen) == {
        "timeout before",
        "timeout after",
        "throttled before",
        "killed before",
        "killed after",
        "conflict before",
    }
    assert {"recorded", "repeated", "parked", "logged", "not_a_click"} == set(world.kept)


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


def test_without_faults_around_telling_every_click_is_told_once() -> None:
    stores = memory_stores()
    world = World(stores, SEED, rate=0.02, inserted=stores.clicks.inserted)  # type: ignore[attr-defined]
    world.tell = world.bus  # type: ignore[assignment]
    told = world.recipients._methods
    world.recipients._methods = tuple(name for name in told if name != "told")
    world.run(3_000, people=500)
    check(world)
    assert set(world.bus.told.values()) == {1}


def test_the_same_seed_breaks_the_same_way() -> None:
    seen = []
    for _ in range(2):
        stores = memory_stores()
        world = World(stores, SEED, rate=0.05, inserted=stores.clicks.inserted)  # type: ignore[attr-defined]
        world.run(300, people=40)
        seen.append((dict(world.faults.seen), dict(world.kept), sorted(world.made)))
    assert seen[0] == seen[1]
