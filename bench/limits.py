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

from bench.pricing import ASSUMED

APART: Final = 1 << 20
"""So many partitions that no two keys share one: what splitting by heat comes to."""
UNITS: Final = 1_000
COMMIT: Final[float] = ASSUMED["tally"]["transaction_seconds"]

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
