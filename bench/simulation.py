"""Simulate Waypost's tally on one hot link, against a model of DynamoDB's limits.

A partition takes 1,000 write units a second and throttles the rest. Partitions hold keys by hash. A
transaction is cancelled if another one works on one of its items. The model has no burst capacity
and does not split partitions by heat. The real service has both, so it takes every load that passes
here.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from random import Random
from typing import Final

from bench.pricing import ASSUMPTIONS
from bench.stream_model import load_batch_timing, load_event_source
from waypost.ids import derive_campaign_id, derive_link_id
from waypost.models.campaign import campaign_partition
from waypost.models.counters import hour_counter_name, link_counter_name
from waypost.models.recipient import (
    CountedClick,
    RecipientKey,
    RecipientRow,
    click_hash,
    recipient_shard,
)
from waypost.repositories.dynamodb.counters import COUNTER_SHARDS
from waypost.tally.transactions import CountingPolicy, RecipientState, plan_transactions

UNLIMITED_PARTITIONS: Final = 1 << 20
"""So many partitions that no two keys share one: the result of splitting by heat."""
UNITS_PER_PARTITION: Final = 1_000
COMMIT_SECONDS: Final[float] = ASSUMPTIONS["tally"]["transaction_seconds"]

ItemKey = tuple[str, str]


class SimulatedTable:
    """Partitions, with the units that each used in the current second."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._second = -1
        self._used: Counter[int] = Counter()
        self._partition_by_key: dict[str, int] = {}
        self.written_units = 0
        self.throttled_count = 0

    def write(self, now: float, keys: Sequence[tuple[str, int]]) -> bool:
        """Write all keys, or nothing if a partition has no units left."""
        if int(now) != self._second:
            self._second, self._used = int(now), Counter()
        wanted: Counter[int] = Counter()
        for key, units in keys:
            wanted[self._get_partition(key)] += units
        if any(
            self._used[partition] + units > UNITS_PER_PARTITION
            for partition, units in wanted.items()
        ):
            self.throttled_count += 1
            return False
        self._used.update(wanted)
        self.written_units += wanted.total()
        return True

    def _get_partition(self, key: str) -> int:
        if key not in self._partition_by_key:
            digest = blake2b(key.encode(), digest_size=8).digest()
            self._partition_by_key[key] = int.from_bytes(digest) % self._partitions
        return self._partition_by_key[key]


@dataclass
class TransactionLocks:
    """Items that running transactions have locked."""

    locked_until: defaultdict[ItemKey, float] = field(default_factory=lambda: defaultdict(float))
    cancelled_count: int = 0

    def acquire(self, now: float, items: Sequence[ItemKey]) -> list[ItemKey]:
        """Lock items for a transaction; return those locked by others, which cancel it."""
        locked = [item for item in items if self.locked_until[item] > now]
        if locked:
            self.cancelled_count += 1
        else:
            for item in items:
                self.locked_until[item] = now + COMMIT_SECONDS
        return locked


EVENT_SOURCE: Final = load_event_source()
CAMPAIGN_ID: Final = derive_campaign_id("acme", "spring-sale")
LINK_ID: Final = derive_link_id(CAMPAIGN_ID, "home")


@dataclass
class SimulatedWorker:
    """A tally invocation with its part of the stream: batches, split into transactions."""

    stream: Sequence[tuple[float, str]]
    position: int = 0
    transactions: list[list[str]] = field(default_factory=list)
    shard: int = 0
    failures: int = 0

    @property
    def is_done(self) -> bool:
        return not self.transactions and self.position == len(self.stream)

    def take_batch(self, now: float) -> None:
        """Take the clicks that have arrived, in the order in which the planner writes them."""
        batch = [person for moment, person in self._list_next_clicks() if moment <= now]
        self.position += len(batch)
        people = sorted(set(batch), key=lambda person: recipient_shard(f"p:{person}"))
        size = count_rows_per_transaction()
        self.transactions = [people[i : i + size] for i in range(0, len(people), size)]

    def next_start(self, now: float) -> float:
        """Compute when the event source invokes again: the batch is full, or its window is over."""
        ahead = self._list_next_clicks()
        full = ahead[-1][0] if len(ahead) == EVENT_SOURCE.batch_size else float("inf")
        return max(now, min(full, ahead[0][0] + EVENT_SOURCE.window_seconds))

    def _list_next_clicks(self) -> Sequence[tuple[float, str]]:
        return self.stream[self.position : self.position + EVENT_SOURCE.batch_size]


class SimulatedTally:
    """Workers that run in parallel, each with one transaction at a time."""

    def __init__(self, table: SimulatedTable, locks: TransactionLocks, random: Random) -> None:
        self._table, self._locks, self._random = table, locks, random

    def run(self, streams: Sequence[Sequence[tuple[float, str]]]) -> float:
        """Run until all clicks are counted, and return that time."""
        workers = [SimulatedWorker(stream) for stream in streams]
        queue = [(worker.next_start(0), number) for number, worker in enumerate(workers)]
        heapq.heapify(queue)
        end = 0.0
        while queue:
            now, number = heapq.heappop(queue)
            worker = workers[number]
            if not worker.transactions:
                worker.take_batch(now)
            pause = self._try_transaction(now, worker)
            end = max(end, now + COMMIT_SECONDS)
            if not worker.is_done:
                then = now + pause
                start = then if worker.transactions else worker.next_start(then)
                heapq.heappush(queue, (start, number))
        return end

    def _try_transaction(self, now: float, worker: SimulatedWorker) -> float:
        """Try one transaction; return the seconds until the worker's next one."""
        partition = campaign_partition(CAMPAIGN_ID, worker.shard)
        counters = [(partition, name) for name in ("total", "link", "hour")]
        keys = [RecipientKey(CAMPAIGN_ID, f"p:{person}") for person in worker.transactions[0]]
        records = [(key.partition, key.sort_key) for key in keys]
        locked = self._locks.acquire(now, [*records, *counters])
        written = [(pk, 2) for pk, _ in (*records, *counters)]
        outbox = [(keys[0].partition, 2), (keys[0].partition, 1)]  # written, then deleted
        if not locked and self._table.write(now, [*written, *outbox]):
            worker.transactions.pop(0)
            worker.failures = 0
            return load_batch_timing().batch_seconds(len(keys))
        if locked and locked[0] in counters:
            worker.shard = self._random.randrange(1, COUNTER_SHARDS)
        worker.failures += 1
        return self._random.uniform(0, 0.02 * 2 ** min(worker.failures, 6))


@cache
def count_rows_per_transaction() -> int:
    """Count the rows that Waypost's planner puts into one transaction of a hot link."""
    counted_clicks = {
        f"p:{n}": [CountedClick(click_hash(str(n)), LINK_ID, n, b"dlvr", 0, False)]
        for n in range(500)
    }
    states = {
        name: RecipientState(RecipientRow(RecipientKey(CAMPAIGN_ID, name)))
        for name in counted_clicks
    }
    policy = CountingPolicy(bot_threshold=70, event_policy="all", create_batch_id=lambda: 1)
    transactions, _ = plan_transactions(CAMPAIGN_ID, states, counted_clicks, policy)
    counters = {cell.counter for cell in transactions[0].increments}
    assert counters == {"total", link_counter_name(LINK_ID), hour_counter_name(0)}
    return len(transactions[0].changes)
