"""Processor time of contestants that take turns, as medians with their spread."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

ROUNDS = 7
TURN_SECONDS = 0.03
MOST_CALLS = 400


class Sample(NamedTuple):
    """Seconds of one call. ``spread``: half of what the middle half of the rounds spans."""

    median: float
    spread: float

    @property
    def milliseconds(self) -> str:
        return f"{self.median * 1e3:.2f} ±{self.spread * 1e3:.2f}"


def in_turns(
    calls: Mapping[str, Callable[[], object]],
    rounds: int = ROUNDS,
    turn_seconds: float = TURN_SECONDS,
) -> dict[str, Sample]:
    """Measure calls, each in every round for some 30 ms.

    What others do on the machine falls on all of them. Garbage is collected before each turn, so
    that nobody pays for another's; within a turn collection is on, as in any program, and looks at
    what the calls make, not at what the bench keeps.
    """
    many = {name: _calls(call, turn_seconds) for name, call in calls.items()}
    taken: dict[str, list[float]] = {name: [] for name in calls}
    gc.collect()
    gc.freeze()
    for _ in range(rounds):
        for name, call in calls.items():
            gc.collect()
            taken[name].append(_seconds(call, many[name]))
    gc.unfreeze()
    return {name: sample(values) for name, values in taken.items()}


def sample(values: Sequence[float]) -> Sample:
    quarters = statistics.quantiles(values, n=4)
    return Sample(statistics.median(values), (quarters[2] - quarters[0]) / 2)


def _calls(call: Callable[[], object], turn_seconds: float) -> int:
    """How many calls fill a turn; the first one warms up."""
    call()
    return max(1, min(MOST_CALLS, int(turn_seconds / max(_seconds(call, 1), 1e-6))))


def _seconds(call: Callable[[], object], times: int) -> float:
    started = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - started) / times
