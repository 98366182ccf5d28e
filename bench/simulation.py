"""Our tally on one hot link, in time: lanes that commit transactions against a model of limits."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Final

from bench.lanes import load_batch_timing
from bench.limits import COMMIT_SECONDS, SimulatedTable, TransactionLocks
from bench.stream_model import load_event_source
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

EVENT_SOURCE: Final = load_event_source()
CAMPAIGN_ID: Final = derive_campaign_id("acme", "spring-sale")
LINK_ID: Final = derive_link_id(CAMPAIGN_ID, "home")


@dataclass
class SimulatedWorker:
    """A tally at work on its part of the stream: batches, each cut into transactions."""

    stream: Sequence[tuple[float, str]]
    position: int = 0
    transactions: list[list[str]] = field(default_factory=list)
    shard: int = 0
    failures: int = 0

    @property
    def is_done(self) -> bool:
        return not self.transactions and self.position == len(self.stream)

    def take_batch(self, now: float) -> None:
        """Take what has come by now, in the order in which the planner writes it."""
        batch = [person for moment, person in self._list_next_clicks() if moment <= now]
        self.position += len(batch)
        people = sorted(set(batch), key=lambda person: recipient_shard(f"p:{person}"))
        size = count_rows_per_transaction()
        self.transactions = [people[i : i + size] for i in range(0, len(people), size)]

    def next_start(self, now: float) -> float:
        """When the event source calls again: a batch is full, or its first click has waited."""
        ahead = self._list_next_clicks()
        full = ahead[-1][0] if len(ahead) == EVENT_SOURCE.batch_size else float("inf")
        return max(now, min(full, ahead[0][0] + EVENT_SOURCE.window_seconds))

    def _list_next_clicks(self) -> Sequence[tuple[float, str]]:
        return self.stream[self.position : self.position + EVENT_SOURCE.batch_size]


class SimulatedTally:
    """Workers that commit transactions one after the other, side by side with each other."""

    def __init__(self, table: SimulatedTable, locks: TransactionLocks, random: Random) -> None:
        self._table, self._locks, self._random = table, locks, random

    def run(self, streams: Sequence[Sequence[tuple[float, str]]]) -> float:
        """The moment when everything is counted."""
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
        """Try one transaction; how long the worker is busy or waits."""
        partition = campaign_partition(CAMPAIGN_ID, worker.shard)
        counters = [(partition, name) for name in ("total", "link", "hour")]
        keys = [RecipientKey(CAMPAIGN_ID, f"p:{person}") for person in worker.transactions[0]]
        records = [(key.partition, key.sort_key) for key in keys]
        held = self._locks.acquire(now, [*records, *counters])
        written = [(pk, 2) for pk, _ in (*records, *counters)]
        notice = [(keys[0].partition, 2), (keys[0].partition, 1)]  # it goes again
        if not held and self._table.write(now, [*written, *notice]):
            worker.transactions.pop(0)
            worker.failures = 0
            return load_batch_timing().batch_seconds(len(keys))
        if held and held[0] in counters:
            worker.shard = self._random.randrange(1, COUNTER_SHARDS)
        worker.failures += 1
        return self._random.uniform(0, 0.02 * 2 ** min(worker.failures, 6))


@cache
def count_rows_per_transaction() -> int:
    """How many rows our own planner puts into a transaction of one hot link."""
    marks = {
        f"p:{n}": [CountedClick(click_hash(str(n)), LINK_ID, n, b"dlvr", 0, False)]
        for n in range(500)
    }
    standings = {
        name: RecipientState(RecipientRow(RecipientKey(CAMPAIGN_ID, name))) for name in marks
    }
    policy = CountingPolicy(bot_threshold=70, event_policy="all", create_batch_id=lambda: 1)
    transactions, _ = plan_transactions(CAMPAIGN_ID, standings, marks, policy)
    counters = {cell.counter for cell in transactions[0].increments}
    assert counters == {"total", link_counter_name(LINK_ID), hour_counter_name(0)}
    return len(transactions[0].changes)
