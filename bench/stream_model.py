"""Model of the tally's stream: arrival of clicks, their batches, and the time of a batch.

Lambda reads each shard of the stream with several parallel readers, each with its part of the keys.
A batch begins with its first click, and ends when it is full or its window is over. Clicks that
arrive while a batch is counted only make the next batch larger, which the model leaves out.

The time of a batch is measured processor time plus assumed waits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from math import ceil
from pathlib import Path
from random import Random
from typing import Any, Final, TypeVar

from bench.pricing import ASSUMPTIONS
from local.template import load_template
from waypost.aws.event_bus import MAX_CONCURRENT_PUT_EVENTS, MAX_PUT_EVENTS_ENTRIES
from waypost.repositories.recipients import MAX_COMMIT_ACTIONS

NEW_TABLE_SHARDS: Final = 4
"""A new table takes 4,000 writes a second: four partitions, each with a shard of the stream."""

_Click = TypeVar("_Click")


@dataclass(frozen=True)
class EventSource:
    """The settings of the event source mapping."""

    batch_size: int
    window_seconds: float
    parallelization_factor: int


def load_event_source() -> EventSource:
    """Load the tally's event source from template.yaml."""
    template = load_template(Path("template.yaml"))
    events: Any = template.resources["TallyFunction"].properties["Events"]
    source = events["Clicks"]["Properties"]

    def value(name: str) -> int:
        setting = source[name]
        parameter = setting["Ref"] if isinstance(setting, dict) else None
        return int(str(template.parameters[parameter]["Default"] if parameter else setting))

    return EventSource(
        value("BatchSize"), value("MaximumBatchingWindowInSeconds"), value("ParallelizationFactor")
    )


def generate_arrival_times(rate: float) -> Iterator[float]:
    """Generate the seconds of independent clicks (a Poisson process)."""
    random, now = Random(1), 0.0
    while True:
        now += random.expovariate(rate)
        yield now


def split_into_batches(
    clicks: Sequence[tuple[float, str, _Click]], source: EventSource, shards: int
) -> list[list[_Click]]:
    """Split clicks, given in order with their times and keys, into batches."""
    readers: defaultdict[int, list[tuple[float, _Click]]] = defaultdict(list)
    for moment, key, click in clicks:
        readers[_hash_key(key) % (shards * source.parallelization_factor)].append((moment, click))
    batches = [batch for reader in readers.values() for batch in _split_by_window(reader, source)]
    return [clicks for _, clicks in sorted(batches, key=lambda pair: pair[0])]


def _split_by_window(
    reader: Sequence[tuple[float, _Click]], source: EventSource
) -> Iterator[tuple[float, list[_Click]]]:
    """Split one reader's clicks into batches, each with its end time."""
    batch: list[_Click] = []
    closes = 0.0
    for moment, click in reader:
        if batch and moment > closes:
            yield closes, batch
            batch = []
        closes = closes if batch else moment + source.window_seconds
        batch.append(click)
        if len(batch) == source.batch_size:
            yield moment, batch
            batch = []
    if batch:
        yield closes, batch


def _hash_key(key: str) -> int:
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest())


_ASSUMPTIONS: Final[dict[str, float]] = ASSUMPTIONS["tally"]
COUNTER_ACTIONS: Final = 8
"""Actions of a transaction besides its rows, in a mailing with five links: counters and outbox."""


@dataclass(frozen=True)
class BatchTiming:
    """Time of a tally. ``click_seconds``: processor time of a click."""

    memory_mb: float
    click_seconds: float = _ASSUMPTIONS["click_seconds"]

    def batch_seconds(self, batch_size: float) -> float:
        """Compute the time of a batch: reads, transactions, and events in parallel calls."""
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
        """Compute Lambda's billed time for a click."""
        return self.batch_seconds(batch_size) / batch_size * self.memory_mb / 1024


@cache
def load_batch_timing() -> BatchTiming:
    """Load the timing with the tally's memory in template.yaml."""
    memory: Any = (
        load_template(Path("template.yaml")).resources["TallyFunction"].properties["MemorySize"]
    )
    return BatchTiming(float(memory))
