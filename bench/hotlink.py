"""10,000 clicks a second on one link for a minute, against a model of DynamoDB's limits.

    python -m bench.hotlink [SECONDS]

Compared are four ways to count: our redirect with our tally, an atomic counter that the redirect
moves, the same over 16 shards, and click and counter in one transaction. ``limits`` is the model of
DynamoDB, ``hot_tally`` our tally on it, whose lanes take as long over their rows as ``lanes`` says.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from random import Random
from typing import Final

from bench.hot_tally import SOURCE, Tally
from bench.limits import APART, Locks, Table

RATE: Final = 10_000
PEOPLE: Final = 200_000


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
