"""What must hold after every fault run."""

from __future__ import annotations

import os
from collections import Counter

from tests.clicks import CAMPAIGN
from tests.faults.world import World, naive_figures
from waypost.maintenance.recount import Recounting

SEED = int(os.environ.get("WAYPOST_FAULT_SEED", "20261121"))
ROUNDS = int(os.environ.get("WAYPOST_SOAK") or 1)
"""How many times longer random runs are than in a short test: ``make soak ROUNDS=…``."""


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
