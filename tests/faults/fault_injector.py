"""Inject faults into calls: planned ones by name, or random ones from a seed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from random import Random
from threading import Lock

from tests.faults.call_faults import ALWAYS, CALL_FAULTS
from tests.faults.invariants import SOAK_ROUNDS


@dataclass(slots=True)
class _PlannedFault:
    fault: str
    after: int
    times: int


class FaultInjector:
    """Counts calls by name and chooses their faults. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.calls: Counter[str] = Counter()
        self.fault_counts: Counter[str] = Counter()
        self._planned_faults: dict[str, _PlannedFault] = {}
        self._random: tuple[Random, float] | None = None

    def plan_fault(self, name: str, fault: str, *, after: int = 0, times: int = ALWAYS) -> None:
        """Fail ``times`` calls of a name, after ``after`` successful ones."""
        self._planned_faults[name] = _PlannedFault(fault, after, times)

    def inject_at_random(self, random: Random, rate: float) -> None:
        """Fail each call with a probability, by any fault."""
        self._random = random, rate

    def clear_faults(self) -> None:
        """Remove all faults."""
        self._planned_faults.clear()
        self._random = None

    def next_fault(self, name: str) -> str | None:
        """Count a call and return its fault, or None."""
        with self._lock:
            self.calls[name] += 1
            fault = self._choose_fault(name)
            if fault is not None:
                self.fault_counts[fault] += 1
            return fault

    def _choose_fault(self, name: str) -> str | None:
        if self._random is not None:
            random, rate = self._random
            return random.choice(CALL_FAULTS) if random.random() < rate else None
        planned = self._planned_faults.get(name)
        if planned is None:
            return None
        if planned.after:
            planned.after -= 1
            return None
        planned.times -= 1
        return planned.fault if planned.times >= 0 else None


def fault_schedules(times_called: int) -> list[tuple[int, int]]:
    """Return the faults to test for a call with ``times_called`` calls, as ``(after, times)``.

    Short tests fail all calls. Soak tests fail the first call alone, and all calls from each one.
    """
    if SOAK_ROUNDS == 1:
        return [(0, ALWAYS)]
    return [(0, 1), *((after, ALWAYS) for after in range(times_called))]
