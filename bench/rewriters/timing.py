"""Processor time of calls that take turns, as medians with their spread."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

ROUNDS = 7
TURN_SECONDS = 0.03
MAX_CALLS = 400


class TimingSample(NamedTuple):
    """Seconds of one call. ``spread``: half of the interquartile range of the rounds."""

    median: float
    spread: float

    @property
    def milliseconds(self) -> str:
        return f"{self.median * 1e3:.2f} ±{self.spread * 1e3:.2f}"


def measure_in_turns(
    calls: Mapping[str, Callable[[], object]],
    rounds: int = ROUNDS,
    turn_seconds: float = TURN_SECONDS,
) -> dict[str, TimingSample]:
    """Measure each call in every round for some 30 ms.

    Other load on the machine affects all calls. Garbage is collected before each turn, so that no
    call pays for another's; during a turn, collection is on as in any program, and only sees the
    objects of the calls.
    """
    counts = {name: _count_calls(call, turn_seconds) for name, call in calls.items()}
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    gc.collect()
    gc.freeze()
    for _ in range(rounds):
        for name, call in calls.items():
            gc.collect()
            seconds[name].append(_measure_seconds(call, counts[name]))
    gc.unfreeze()
    return {name: summarize(values) for name, values in seconds.items()}


def summarize(values: Sequence[float]) -> TimingSample:
    quarters = statistics.quantiles(values, n=4)
    return TimingSample(statistics.median(values), (quarters[2] - quarters[0]) / 2)


def _count_calls(call: Callable[[], object], turn_seconds: float) -> int:
    """Count the calls that fill a turn; the first call warms up."""
    call()
    return max(1, min(MAX_CALLS, int(turn_seconds / max(_measure_seconds(call, 1), 1e-6))))


def _measure_seconds(call: Callable[[], object], times: int) -> float:
    started = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - started) / times
