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
    stores = simulation.repositories
    ledger = list(stores.clicks.scan_by_campaign(CAMPAIGN))
    assert Counter(click.id for click in ledger) == Counter(simulation.click_ids)
    counted = {
        (cell.counter, cell.figure): value
        for cell, value in stores.campaigns.get_counts(CAMPAIGN).to_increments().items()
        if cell.figure != "shared"
    }
    assert counted == compute_counters(ledger)
    recounting = RecountService(
        stores.clicks, stores.campaigns, stores.recipients, stores.workspaces
    )
    found = recounting.compare(CAMPAIGN)
    assert (found.uncounted, found.differences, found.expired) == ((), {}, 0)
    assert set(simulation.event_bus.published) == simulation.click_ids
