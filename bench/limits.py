"""A model of what DynamoDB refuses: units of partitions, and transactions that meet.

A partition takes 1,000 write units a second and throttles the rest; partitions hold keys by hash; a
transaction is cancelled where another one is at work on one of its items. No burst capacity and no
splitting by heat, both of which the real service has: what passes here passes there.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

from bench.pricing import ASSUMPTIONS

UNLIMITED_PARTITIONS: Final = 1 << 20
"""So many partitions that no two keys share one: what splitting by heat comes to."""
UNITS_PER_PARTITION: Final = 1_000
COMMIT_SECONDS: Final[float] = ASSUMPTIONS["tally"]["transaction_seconds"]

ItemKey = tuple[str, str]


class SimulatedTable:
    """Partitions with their units of the current second."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._second = -1
        self._used: Counter[int] = Counter()
        self._partition_by_key: dict[str, int] = {}
        self.written_units = 0
        self.throttled_count = 0

    def write(self, now: float, keys: Sequence[tuple[str, int]]) -> bool:
        """Write all of it or, over some partition's units, nothing."""
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
    """Items that a transaction is at work on."""

    locked_until: defaultdict[ItemKey, float] = field(default_factory=lambda: defaultdict(float))
    cancelled_count: int = 0

    def acquire(self, now: float, items: Sequence[ItemKey]) -> list[ItemKey]:
        """Begin; the items that others are at work on, which cancel it."""
        held = [item for item in items if self.locked_until[item] > now]
        if held:
            self.cancelled_count += 1
        else:
            for item in items:
                self.locked_until[item] = now + COMMIT_SECONDS
        return held
