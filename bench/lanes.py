"""How long a lane of the tally takes over a batch: processor time measured, waits assumed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import ceil
from pathlib import Path
from typing import Any, Final

from bench.pricing import ASSUMPTIONS
from local.template import load_template
from waypost.repositories.recipients import MAX_COMMIT_ACTIONS
from waypost.tally.event_publisher import MAX_CONCURRENT_PUT_EVENTS, MAX_PUT_EVENTS_ENTRIES

_ASSUMPTIONS: Final[dict[str, float]] = ASSUMPTIONS["tally"]
COUNTER_ACTIONS: Final = 8
"""Actions of a transaction of a mailing with five links that are no rows: its counters, and the
notice.
"""


@dataclass(frozen=True)
class BatchTiming:
    """A tally at work on batch after batch. ``click_seconds``: processor time of a click."""

    memory_mb: float
    click_seconds: float = _ASSUMPTIONS["click_seconds"]

    def batch_seconds(self, batch_size: float) -> float:
        """What a batch takes: it is read, written in transactions one after the other, and told,
        several calls at once.
        """
        transactions = ceil(batch_size / (MAX_COMMIT_ACTIONS - COUNTER_ACTIONS))
        waits = (
            ceil(batch_size / 100) * _ASSUMPTIONS["read_seconds"]
            + transactions * (_ASSUMPTIONS["transaction_seconds"] + _ASSUMPTIONS["write_seconds"])
            + ceil(ceil(batch_size / MAX_PUT_EVENTS_ENTRIES) / MAX_CONCURRENT_PUT_EVENTS)
            * _ASSUMPTIONS["event_seconds"]
        )
        return (
            batch_size * self.click_seconds * _ASSUMPTIONS["processor_mb"] / self.memory_mb + waits
        )

    def clicks_per_second(self, batch_size: float) -> float:
        return batch_size / self.batch_seconds(batch_size)

    def gb_seconds_per_click(self, batch_size: float) -> float:
        """What Lambda charges for a click."""
        return self.batch_seconds(batch_size) / batch_size * self.memory_mb / 1024


@cache
def load_batch_timing() -> BatchTiming:
    """A lane with the memory that template.yaml gives the tally."""
    memory: Any = (
        load_template(Path("template.yaml")).resources["TallyFunction"].properties["MemorySize"]
    )
    return BatchTiming(float(memory))
