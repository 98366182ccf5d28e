"""How long a lane of the tally takes over a batch: processor time measured, waits assumed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import ceil
from pathlib import Path
from typing import Any, Final

from bench.pricing import ASSUMED
from local.template import load
from waypost.repositories.recipients import MAX_COMMIT_ACTIONS
from waypost.tally.event_publisher import MAX_CONCURRENT_PUT_EVENTS, MAX_PUT_EVENTS_ENTRIES

_ASSUMED: Final[dict[str, float]] = ASSUMED["tally"]
COUNTERS: Final = 8
"""Actions of a transaction of a mailing with five links that are no rows: its counters, and the
notice.
"""


@dataclass(frozen=True)
class Lane:
    """A tally at work on batch after batch. ``click_seconds``: processor time of a click."""

    memory_mb: float
    click_seconds: float = _ASSUMED["click_seconds"]

    def seconds(self, batch: float) -> float:
        """What a batch takes: it is read, written in transactions one after the other, and told,
        several calls at once.
        """
        transactions = ceil(batch / (MAX_COMMIT_ACTIONS - COUNTERS))
        waits = (
            ceil(batch / 100) * _ASSUMED["read_seconds"]
            + transactions * (_ASSUMED["transaction_seconds"] + _ASSUMED["write_seconds"])
            + ceil(ceil(batch / MAX_PUT_EVENTS_ENTRIES) / MAX_CONCURRENT_PUT_EVENTS)
            * _ASSUMED["event_seconds"]
        )
        return batch * self.click_seconds * _ASSUMED["processor_mb"] / self.memory_mb + waits

    def clicks_a_second(self, batch: float) -> float:
        return batch / self.seconds(batch)

    def gb_seconds(self, batch: float) -> float:
        """What Lambda charges for a click."""
        return self.seconds(batch) / batch * self.memory_mb / 1024


@cache
def lane() -> Lane:
    """A lane with the memory that template.yaml gives the tally."""
    memory: Any = load(Path("template.yaml")).resources["TallyFunction"].properties["MemorySize"]
    return Lane(float(memory))
