"""Clicks through redirect, stream and tally with faults everywhere: each is counted once.

``WAYPOST_FAULT_SEED`` runs another seed; a failure prints it.
"""

from __future__ import annotations

from tests.fakes import create_in_memory_repositories
from tests.faults.click_simulation import FaultSimulation
from tests.faults.invariants import FAULT_SEED, check_invariants


def test_20_000_clicks_in_memory_are_counted_once_each() -> None:
    stores = create_in_memory_repositories()
    simulation = FaultSimulation(stores, FAULT_SEED, rate=0.03, stream=stores.clicks.stream)  # type: ignore[attr-defined]
    simulation.run(20_000, people=2_000, opt_outs=10)
    check_invariants(simulation)
    assert set(simulation.faults.fault_counts) == {
        "timeout before",
        "timeout after",
        "throttled before",
        "killed before",
        "killed after",
        "conflict before",
    }
    assert {"recorded", "repeated", "parked", "logged", "not_a_click"} == set(simulation.outcomes)


def test_every_click_is_published_once_without_publishing_faults() -> None:
    stores = create_in_memory_repositories()
    simulation = FaultSimulation(stores, FAULT_SEED, rate=0.02, stream=stores.clicks.stream)  # type: ignore[attr-defined]
    simulation.event_publisher = simulation.event_bus  # type: ignore[assignment]
    methods = simulation.recipients._methods
    simulation.recipients._methods = tuple(name for name in methods if name != "update_outbox")
    simulation.run(3_000, people=500)
    check_invariants(simulation)
    assert set(simulation.event_bus.published.values()) == {1}


def test_same_seed_injects_the_same_faults() -> None:
    seen = []
    for _ in range(2):
        stores = create_in_memory_repositories()
        simulation = FaultSimulation(stores, FAULT_SEED, rate=0.05, stream=stores.clicks.stream)  # type: ignore[attr-defined]
        simulation.run(300, people=40)
        seen.append(
            (
                dict(simulation.faults.fault_counts),
                dict(simulation.outcomes),
                sorted(simulation.click_ids),
            )
        )
    assert seen[0] == seen[1]
