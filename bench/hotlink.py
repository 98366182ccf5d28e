"""10,000 clicks a second on one link for a minute, against a model of DynamoDB's limits.

    python -m bench.hotlink [SECONDS]

The model: a partition takes 1,000 write units a second and throttles the rest; partitions hold keys
by hash; a transaction costs two units an action and is cancelled where another one is at work on
one of its items; it is at work for ``COMMIT`` seconds. A lane of the tally takes as long over its
rows as ``lanes`` says. No burst capacity and no splitting by heat, both of which the real service
has: what passes here passes there.

Compared are four ways to count: our redirect with our tally, an atomic counter that the redirect
moves, the same over 16 shards, and click and counter in one transaction.
"""

from __future__ import annotations

import heapq
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from random import Random
from typing import Final

from bench.arrivals import event_source
from bench.lanes import lane
from bench.pricing import ASSUMED
from waypost.codes import campaign_code, link_code
from waypost.counting.planning import Policy, plan
from waypost.counting.standing import Standing
from waypost.model.campaign import campaign_partition
from waypost.model.click import from_milliseconds
from waypost.model.counters import hour_counter, link_counter
from waypost.model.mark import Mark, click_hash
from waypost.model.recipient import Row, RowKey, shard_of
from waypost.store.dynamodb.spread import SHARDS

RATE: Final = 10_000
PEOPLE: Final = 200_000
SOURCE: Final = event_source()
BATCH: Final = SOURCE.batch
APART: Final = 1 << 20
"""So many partitions that no two keys share one: what splitting by heat comes to."""
UNITS: Final = 1_000
COMMIT: Final[float] = ASSUMED["tally"]["transaction_seconds"]
WINDOW: Final = SOURCE.window
"""How long the event source waits for a batch to fill."""
CAMPAIGN: Final = campaign_code("acme", "spring-sale")
LINK: Final = link_code(CAMPAIGN, "home")

Item = tuple[str, str]


class Table:
    """Partitions with their units of the current second."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._second = -1
        self._used: Counter[int] = Counter()
        self._known: dict[str, int] = {}
        self.units = 0
        self.throttled = 0

    def write(self, now: float, keys: Sequence[tuple[str, int]]) -> bool:
        """Write all of it or, over some partition's units, nothing."""
        if int(now) != self._second:
            self._second, self._used = int(now), Counter()
        wanted: Counter[int] = Counter()
        for key, units in keys:
            wanted[self._partition(key)] += units
        if any(self._used[partition] + units > UNITS for partition, units in wanted.items()):
            self.throttled += 1
            return False
        self._used.update(wanted)
        self.units += wanted.total()
        return True

    def _partition(self, key: str) -> int:
        if key not in self._known:
            digest = blake2b(key.encode(), digest_size=8).digest()
            self._known[key] = int.from_bytes(digest) % self._partitions
        return self._known[key]


@dataclass
class Locks:
    """Items that a transaction is at work on."""

    until: defaultdict[Item, float] = field(default_factory=lambda: defaultdict(float))
    cancelled: int = 0

    def take(self, now: float, items: Sequence[Item]) -> list[Item]:
        """Begin; the items that others are at work on, which cancel it."""
        held = [item for item in items if self.until[item] > now]
        if held:
            self.cancelled += 1
        else:
            for item in items:
                self.until[item] = now + COMMIT
        return held


@dataclass(frozen=True)
class Result:
    """One way to count. ``late``: seconds after the last click until all are counted."""

    way: str
    refused: int
    units: float
    conflicts: int
    late: float | None


def clicks(seconds: int, random: Random) -> Iterator[tuple[float, str]]:
    """Moments and people."""
    for number in range(RATE * seconds):
        yield number / RATE, f"p{random.randrange(PEOPLE)}"


def ours(seconds: int, ledger_partitions: int, campaign_partitions: int) -> Result:
    """The redirect puts, the tally counts: one worker for each lane of a stream's shard."""
    random = Random(1)
    ledger = Table(ledger_partitions)
    workers: defaultdict[int, list[tuple[float, str]]] = defaultdict(list)
    for moment, person in clicks(seconds, random):
        if ledger.write(moment, [(person, 1)]):
            digest = blake2b(person.encode(), digest_size=2).digest()
            workers[int.from_bytes(digest) % (SOURCE.lanes * ledger_partitions)].append(
                (moment, person)
            )
    table, locks = Table(campaign_partitions), Locks()
    end = Tally(table, locks, random).run(list(workers.values()))
    total = RATE * seconds
    where = "split" if campaign_partitions == APART else campaign_partitions
    return Result(
        f"ours, ledger {ledger_partitions}, counters {where} partitions",
        ledger.throttled,
        (ledger.units + table.units) / (total - ledger.throttled),
        locks.cancelled,
        max(end - seconds, 0.0),
    )


@dataclass
class Worker:
    """A tally at work on its part of the stream: batches, each cut into transactions."""

    stream: Sequence[tuple[float, str]]
    taken: int = 0
    transactions: list[list[str]] = field(default_factory=list)
    shard: int = 0
    failures: int = 0

    @property
    def done(self) -> bool:
        return not self.transactions and self.taken == len(self.stream)

    def next_batch(self, now: float) -> None:
        """Take what has come by now, in the order in which the planner writes it."""
        batch = [person for moment, person in self._ahead() if moment <= now]
        self.taken += len(batch)
        people = sorted(set(batch), key=lambda person: shard_of(f"p:{person}"))
        size = rows_a_transaction()
        self.transactions = [people[i : i + size] for i in range(0, len(people), size)]

    def next_start(self, now: float) -> float:
        """When the event source calls again: a batch is full, or its first click has waited."""
        ahead = self._ahead()
        full = ahead[-1][0] if len(ahead) == BATCH else float("inf")
        return max(now, min(full, ahead[0][0] + WINDOW))

    def _ahead(self) -> Sequence[tuple[float, str]]:
        return self.stream[self.taken : self.taken + BATCH]


class Tally:
    """Workers that commit transactions one after the other, side by side with each other."""

    def __init__(self, table: Table, locks: Locks, random: Random) -> None:
        self._table, self._locks, self._random = table, locks, random

    def run(self, streams: Sequence[Sequence[tuple[float, str]]]) -> float:
        """The moment when everything is counted."""
        workers = [Worker(stream) for stream in streams]
        queue = [(worker.next_start(0), number) for number, worker in enumerate(workers)]
        heapq.heapify(queue)
        end = 0.0
        while queue:
            now, number = heapq.heappop(queue)
            worker = workers[number]
            if not worker.transactions:
                worker.next_batch(now)
            pause = self._work(now, worker)
            end = max(end, now + COMMIT)
            if not worker.done:
                then = now + pause
                start = then if worker.transactions else worker.next_start(then)
                heapq.heappush(queue, (start, number))
        return end

    def _work(self, now: float, worker: Worker) -> float:
        """Try one transaction; how long the worker is busy or waits."""
        partition = campaign_partition(CAMPAIGN, worker.shard)
        counters = [(partition, name) for name in ("total", "link", "hour")]
        keys = [RowKey(CAMPAIGN, f"p:{person}") for person in worker.transactions[0]]
        records = [(key.partition, key.sort) for key in keys]
        held = self._locks.take(now, [*records, *counters])
        written = [(pk, 2) for pk, _ in (*records, *counters)]
        notice = [(keys[0].partition, 2), (keys[0].partition, 1)]  # it goes again
        if not held and self._table.write(now, [*written, *notice]):
            worker.transactions.pop(0)
            worker.failures = 0
            return lane().seconds(len(keys))
        if held and held[0] in counters:
            worker.shard = self._random.randrange(1, SHARDS)
        worker.failures += 1
        return self._random.uniform(0, 0.02 * 2 ** min(worker.failures, 6))


def rows_a_transaction(known: list[int] = []) -> int:  # noqa: B006 - remembered on purpose
    """How many rows our own planner puts into a transaction of one hot link."""
    if not known:
        marks = {
            f"p:{n}": [Mark(click_hash(str(n)), LINK, n, b"dlvr", 0, False)] for n in range(500)
        }
        standings = {name: Standing(Row(RowKey(CAMPAIGN, name))) for name in marks}
        policy = Policy(threshold=70, events="all", new_batch=lambda: 1)
        transactions, _ = plan(CAMPAIGN, standings, marks, policy)
        known.append(len(transactions[0].changes))
        counters = {cell.counter for cell in transactions[0].increments}
        assert counters == {"total", link_counter(LINK), hour_counter(from_milliseconds(0))}
    return known[0]


def counter_on_the_path(seconds: int, shards: int) -> Result:
    """The redirect puts the click and moves a counter, as most trackers do."""
    random = Random(1)
    table = Table(40)
    lost = 0
    for moment, person in clicks(seconds, random):
        shard = random.randrange(shards)
        written = table.write(moment, [(person, 1)])
        lost += not (table.write(moment, [(f"counter{shard}", 1)]) and written)
    way = "a counter" if shards == 1 else f"a counter in {shards} shards"
    return Result(f"{way} moved by the redirect", lost, table.units / (RATE * seconds), 0, None)


def transaction_on_the_path(seconds: int) -> Result:
    """The redirect writes click and counter in one transaction."""
    random = Random(1)
    table, locks = Table(40), Locks()
    lost = 0
    for moment, person in clicks(seconds, random):
        if locks.take(moment, [("counter", "")]):
            lost += 1
        else:
            lost += not table.write(moment, [(person, 2), ("counter", 2)])
    units = table.units / (RATE * seconds)
    return Result("click and counter in one transaction", lost, units, locks.cancelled, None)


def results(seconds: int) -> list[Result]:
    """All ways; of ours with tables as they are made, and with both warmed."""
    ways: list[Callable[[], Result]] = [
        lambda: ours(seconds, 20, APART),
        lambda: ours(seconds, 20, 64),
        lambda: ours(seconds, 20, 4),
        lambda: ours(seconds, 4, 4),
        lambda: counter_on_the_path(seconds, 1),
        lambda: counter_on_the_path(seconds, 16),
        lambda: transaction_on_the_path(seconds),
    ]
    return [way() for way in ways]


def main() -> None:
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    print(f"{RATE:,} clicks a second on one link for {seconds} s, {PEOPLE:,} people")
    print(f"{'way':44}{'refused':>10}{'units/click':>13}{'conflicts':>11}{'behind, s':>11}")
    for result in results(seconds):
        late = "" if result.late is None else f"{result.late:.1f}"
        print(
            f"{result.way:44}{result.refused:>10,}{result.units:>13.2f}"
            f"{result.conflicts:>11,}{late:>11}"
        )


if __name__ == "__main__":
    main()
