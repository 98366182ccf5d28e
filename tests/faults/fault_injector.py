"""Which call goes wrong, and how: chosen one at a time, or at random by a seed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from random import Random
from threading import Lock

from tests.faults.checking import SOAK_ROUNDS
from tests.faults.ways import ALWAYS, CALL_FAULTS


@dataclass(slots=True)
class _PlannedFault:
    fault: str
    after: int
    times: int


class FaultInjector:
    """Notes every call by its name, and says whether and how it goes wrong. For many threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.calls: Counter[str] = Counter()
        self.fault_counts: Counter[str] = Counter()
        self._planned_faults: dict[str, _PlannedFault] = {}
        self._random: tuple[Random, float] | None = None

    def plan_fault(self, name: str, fault: str, *, after: int = 0, times: int = ALWAYS) -> None:
        """From now on ``times`` calls of a name go wrong, once ``after`` of them went well."""
        self._planned_faults[name] = _PlannedFault(fault, after, times)

    def inject_at_random(self, random: Random, rate: float) -> None:
        """Every call goes wrong with a probability, in any way."""
        self._random = random, rate

    def clear_faults(self) -> None:
        """Nothing goes wrong any more."""
        self._planned_faults.clear()
        self._random = None

    def next_fault(self, name: str) -> str | None:
        """Note a call; how it goes wrong, or None."""
        with self._lock:
            self.calls[name] += 1
            way = self._choose_fault(name)
            if way is not None:
                self.fault_counts[way] += 1
            return way

    def _choose_fault(self, name: str) -> str | None:
        if self._random is not None:
            random, rate = self._random
            return random.choice(CALL_FAULTS) if random.random() < rate else None
        broken = self._planned_faults.get(name)
        if broken is None:
            return None
        if broken.after:
            broken.after -= 1
            return None
        broken.times -= 1
        return broken.fault if broken.times >= 0 else None


def fault_schedules(times_called: int) -> list[tuple[int, int]]:
    """How a call of which there are so many in a healthy run is broken: ``after`` how many of
    them, and how many ``times``. For ever from the first on; at length, the first one alone and
    for ever from each of the others as well, which short tests leave to chance.
    """
    if SOAK_ROUNDS == 1:
        return [(0, ALWAYS)]
    return [(0, 1), *((after, ALWAYS) for after in range(times_called))]
