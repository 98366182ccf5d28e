"""Which call goes wrong, and how: chosen one at a time, or at random by a seed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from random import Random
from threading import Lock

from tests.faults.checking import ROUNDS
from tests.faults.ways import EVER, WAYS


@dataclass(slots=True)
class _Break:
    way: str
    after: int
    times: int


class Breaking:
    """Notes every call by its name, and says whether and how it goes wrong. For many threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.calls: Counter[str] = Counter()
        self.seen: Counter[str] = Counter()
        self._broken: dict[str, _Break] = {}
        self._random: tuple[Random, float] | None = None

    def break_(self, name: str, way: str, *, after: int = 0, times: int = EVER) -> None:
        """From now on ``times`` calls of a name go wrong, once ``after`` of them went well."""
        self._broken[name] = _Break(way, after, times)

    def at_random(self, random: Random, rate: float) -> None:
        """Every call goes wrong with a probability, in any way."""
        self._random = random, rate

    def heal(self) -> None:
        """Nothing goes wrong any more."""
        self._broken.clear()
        self._random = None

    def strike(self, name: str) -> str | None:
        """Note a call; how it goes wrong, or None."""
        with self._lock:
            self.calls[name] += 1
            way = self._way(name)
            if way is not None:
                self.seen[way] += 1
            return way

    def _way(self, name: str) -> str | None:
        if self._random is not None:
            random, rate = self._random
            return random.choice(WAYS) if random.random() < rate else None
        broken = self._broken.get(name)
        if broken is None:
            return None
        if broken.after:
            broken.after -= 1
            return None
        broken.times -= 1
        return broken.way if broken.times >= 0 else None


def breaks(times_called: int) -> list[tuple[int, int]]:
    """How a call of which there are so many in a healthy run is broken: ``after`` how many of
    them, and how many ``times``. For ever from the first on; at length, the first one alone and
    for ever from each of the others as well, which short tests leave to chance.
    """
    if ROUNDS == 1:
        return [(0, EVER)]
    return [(0, 1), *((after, EVER) for after in range(times_called))]
