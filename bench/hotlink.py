"""Simulate 10,000 clicks a second on one link for a minute, on a model of DynamoDB's limits.

    python -m bench.hotlink [SECONDS]

Four ways to count are compared: Waypost's redirect and tally, an atomic counter that the redirect
increments, the same in 16 shards, and click and counter in one transaction. ``bench.simulation`` is
the model of DynamoDB and of the tally; its workers take the time that ``bench.stream_model`` says.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from random import Random
from typing import Final

from bench.simulation import (
    EVENT_SOURCE,
    UNLIMITED_PARTITIONS,
    SimulatedTable,
    SimulatedTally,
    TransactionLocks,
)

RATE: Final = 10_000
PEOPLE: Final = 200_000


@dataclass(frozen=True)
class SimulationResult:
    """One way to count. ``lag_seconds``: time from the last click until all are counted."""

    method: str
    refused: int
    units: float
    conflicts: int
    lag_seconds: float | None


def generate_hot_clicks(seconds: int, random: Random) -> Iterator[tuple[float, str]]:
    """Generate the time and the person of each click."""
    for number in range(RATE * seconds):
        yield number / RATE, f"p{random.randrange(PEOPLE)}"


def simulate_waypost(
    seconds: int, ledger_partitions: int, campaign_partitions: int
) -> SimulationResult:
    """Put clicks as the redirect does, and count them with one worker for each reader."""
    random = Random(1)
    ledger = SimulatedTable(ledger_partitions)
    workers: defaultdict[int, list[tuple[float, str]]] = defaultdict(list)
    for moment, person in generate_hot_clicks(seconds, random):
        if ledger.write(moment, [(person, 1)]):
            digest = blake2b(person.encode(), digest_size=2).digest()
            workers[
                int.from_bytes(digest) % (EVENT_SOURCE.parallelization_factor * ledger_partitions)
            ].append((moment, person))
    table, locks = SimulatedTable(campaign_partitions), TransactionLocks()
    end = SimulatedTally(table, locks, random).run(list(workers.values()))
    total = RATE * seconds
    where = "split" if campaign_partitions == UNLIMITED_PARTITIONS else campaign_partitions
    return SimulationResult(
        f"ours, ledger {ledger_partitions}, counters {where} partitions",
        ledger.throttled_count,
        (ledger.written_units + table.written_units) / (total - ledger.throttled_count),
        locks.cancelled_count,
        max(end - seconds, 0.0),
    )


def simulate_counter(seconds: int, shards: int) -> SimulationResult:
    """Put the click and increment a counter in the redirect, as most trackers do."""
    random = Random(1)
    table = SimulatedTable(40)
    lost = 0
    for moment, person in generate_hot_clicks(seconds, random):
        shard = random.randrange(shards)
        written = table.write(moment, [(person, 1)])
        lost += not (table.write(moment, [(f"counter{shard}", 1)]) and written)
    method = "a counter" if shards == 1 else f"a counter in {shards} shards"
    return SimulationResult(
        f"{method} moved by the redirect", lost, table.written_units / (RATE * seconds), 0, None
    )


def simulate_transaction(seconds: int) -> SimulationResult:
    """Write click and counter in one transaction."""
    random = Random(1)
    table, locks = SimulatedTable(40), TransactionLocks()
    lost = 0
    for moment, person in generate_hot_clicks(seconds, random):
        if locks.acquire(moment, [("counter", "")]):
            lost += 1
        else:
            lost += not table.write(moment, [(person, 2), ("counter", 2)])
    units = table.written_units / (RATE * seconds)
    return SimulationResult(
        "click and counter in one transaction", lost, units, locks.cancelled_count, None
    )


def run_simulations(seconds: int) -> list[SimulationResult]:
    """Simulate every way; Waypost with new tables and with warmed ones."""
    simulations: list[Callable[[], SimulationResult]] = [
        lambda: simulate_waypost(seconds, 20, UNLIMITED_PARTITIONS),
        lambda: simulate_waypost(seconds, 20, 64),
        lambda: simulate_waypost(seconds, 20, 4),
        lambda: simulate_waypost(seconds, 4, 4),
        lambda: simulate_counter(seconds, 1),
        lambda: simulate_counter(seconds, 16),
        lambda: simulate_transaction(seconds),
    ]
    return [simulate() for simulate in simulations]


def main() -> None:
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    print(f"{RATE:,} clicks a second on one link for {seconds} s, {PEOPLE:,} people")
    print(f"{'method':44}{'refused':>10}{'units/click':>13}{'conflicts':>11}{'behind, s':>11}")
    for result in run_simulations(seconds):
        lag = "" if result.lag_seconds is None else f"{result.lag_seconds:.1f}"
        print(
            f"{result.method:44}{result.refused:>10,}{result.units:>13.2f}"
            f"{result.conflicts:>11,}{lag:>11}"
        )


if __name__ == "__main__":
    main()
