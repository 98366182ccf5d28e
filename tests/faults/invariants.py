"""Invariants after every simulation with faults."""

from __future__ import annotations

import os
from collections import Counter

from tests.click_factory import CAMPAIGN
from tests.faults.click_simulation import FaultSimulation, compute_counters
from waypost.maintenance.recount import RecountService

FAULT_SEED = int(os.environ.get("WAYPOST_FAULT_SEED", "20261121"))
SOAK_ROUNDS = int(os.environ.get("WAYPOST_SOAK") or 1)
"""Factor by which soak tests are longer than short tests: ``make soak ROUNDS=…``."""


def check_invariants(simulation: FaultSimulation) -> None:
    """Check that each click is recorded, counted and published."""
    repositories = simulation.repositories
    recorded_clicks = list(repositories.clicks.scan_by_campaign(CAMPAIGN))
    assert Counter(click.id for click in recorded_clicks) == Counter(simulation.click_ids)
    counted = {
        (cell.counter, cell.figure): value
        for cell, value in repositories.campaigns.get_counts(CAMPAIGN).to_increments().items()
        if cell.figure != "shared"
    }
    assert counted == compute_counters(recorded_clicks)
    recount_service = RecountService(
        repositories.clicks,
        repositories.campaigns,
        repositories.recipients,
        repositories.workspaces,
    )
    comparison = recount_service.compare(CAMPAIGN)
    assert (comparison.uncounted, comparison.differences, comparison.expired) == ((), {}, 0)
    assert set(simulation.event_bus.published) == simulation.click_ids
