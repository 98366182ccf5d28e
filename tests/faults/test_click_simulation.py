"""Clicks through redirect, stream and tally with faults everywhere: each is counted once.

``WAYPOST_FAULT_SEED`` runs another seed; a failure prints it.
"""

from __future__ import annotations

from tests.fakes import create_in_memory_repositories
from tests.faults.checking import FAULT_SEED, check_invariants
from tests.faults.click_simulation import FaultSimulation


def test_20_000_clicks_in_memory_are_counted_once_each() -> None:
    stores = create_in_memory_repositories()
    world = FaultSimulation(stores, FAULT_SEED, rate=0.03, stream=stores.clicks.stream)  # type: ignore[attr-defined]
    world.run(20_000, people=2_000, opt_outs=10)
    check_invariants(world)
    assert set(world.faults.fault_counts) == {
        "timeout before",
        "timeout after",
        "throttled before",
        "killed before",
        "killed after",
        "conflict before",
    }
    assert {"recorded", "repeated", "parked", "logged", "not_a_click"} == set(world.outcomes)


def test_every_click_is_published_once_without_publishing_faults() -> None:
    stores = create_in_memory_repositories()
    world = FaultSimulation(stores, FAULT_SEED, rate=0.02, stream=stores.clicks.stream)  # type: ignore[attr-defined]
    world.event_publisher = world.event_bus  # type: ignore[assignment]
    methods = world.recipients._methods
    world.recipients._methods = tuple(name for name in methods if name != "update_outbox")
    world.run(3_000, people=500)
    check_invariants(world)
    assert set(world.event_bus.published.values()) == {1}


def test_same_seed_injects_the_same_faults() -> None:
    seen = []
    for _ in range(2):
        stores = create_in_memory_repositories()
        world = FaultSimulation(stores, FAULT_SEED, rate=0.05, stream=stores.clicks.stream)  # type: ignore[attr-defined]
        world.run(300, people=40)
        seen.append(
            (dict(world.faults.fault_counts), dict(world.outcomes), sorted(world.click_ids))
        )
    assert seen[0] == seen[1]
