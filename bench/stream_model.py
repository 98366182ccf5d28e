"""Clicks as they come in, and how the tally's event source cuts them into batches.

Lambda reads a shard of the stream by lanes, each with its part of the keys; a batch begins with the
first click that comes and ends when it is full or its window is over. What comes while a batch is
counted goes into the next, which only makes it fuller: left out here.

How long a lane of the tally takes over a batch: processor time measured, waits assumed.
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
    """``batch``: clicks at most; ``window``: seconds; ``lanes`` of each shard."""

    batch_size: int
    window_seconds: float
    parallelization_factor: int


def load_event_source() -> EventSource:
    """The tally's, as template.yaml has it."""
    template = load_template(Path("template.yaml"))
    events: Any = template.resources["TallyFunction"].properties["Events"]
    source = events["Clicks"]["Properties"]

    def value(name: str) -> int:
        given = source[name]
        named = given["Ref"] if isinstance(given, dict) else None
        return int(str(template.parameters[named]["Default"] if named else given))

    return EventSource(
        value("BatchSize"), value("MaximumBatchingWindowInSeconds"), value("ParallelizationFactor")
    )


def generate_arrival_times(rate: float) -> Iterator[float]:
    """Seconds at which clicks come that know nothing of each other."""
    chance, now = Random(1), 0.0
    while True:
        now += chance.expovariate(rate)
        yield now


def split_into_batches(
    clicks: Sequence[tuple[float, str, _Click]], source: EventSource, shards: int
) -> list[list[_Click]]:
    """Cut clicks, given with their moments and keys in the order in which they come."""
    lanes: defaultdict[int, list[tuple[float, _Click]]] = defaultdict(list)
    for moment, key, click in clicks:
        lanes[_hash_key(key) % (shards * source.parallelization_factor)].append((moment, click))
    cut = [batch for lane in lanes.values() for batch in _split_lane(lane, source)]
    return [clicks for _, clicks in sorted(cut, key=lambda pair: pair[0])]


def _split_lane(
    lane: Sequence[tuple[float, _Click]], source: EventSource
) -> Iterator[tuple[float, list[_Click]]]:
    """Batches of a lane, each with the moment at which it ends."""
    batch: list[_Click] = []
    closes = 0.0
    for moment, click in lane:
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
