"""Clicks through redirect, stream and tally while everything breaks: none lost, none counted twice.

``WAYPOST_FAULT_SEED`` runs another seed; a failure prints it.
"""

from __future__ import annotations

from tests.contract.conftest import memory_stores
from tests.faults.checking import SEED, check
from tests.faults.world import World


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
