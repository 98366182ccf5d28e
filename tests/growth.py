"""Measure how the processor time of a function grows with the size of its input.

Only a ratio of two times of one function is compared, so the speed of the machine does not matter.
Times are those of the processor, and the least of several, so its load does not matter either.
"""

from __future__ import annotations

import gc
import math
import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import Final, TypeVar

Input = TypeVar("Input")

LINEAR_RATIO: Final = 5.5
"""Below it, four times the input took about four times as long. Above it, larger inputs decide."""
QUADRATIC_RATIO: Final = 9
"""Four times the input takes a quadratic function 16 times as long."""
_SIGNIFICANT_SECONDS: Final = 0.002
"""Shorter times are not compared. A quadratic function has 2,000,000 steps for an input of 2,000,
and takes longer.
"""
_FIRST_FRACTION: Final = 256
"""The first input is so many times smaller: an exponential function takes long for it already."""
_MAX_ENLARGEMENT: Final = 16
_ATTEMPTS: Final = 3
_CERTAIN_SECONDS: Final = 0.3
"""A longer time is not measured again."""
_BUDGET_RATIO: Final = 25
_MIN_BUDGET_SECONDS: Final = 0.2


class _BudgetExceeded(BaseException):
    """The run has taken its whole budget. No handler in the function catches it."""


def grows_linearly(
    run: Callable[[Input], object], build: Callable[[int], Input], size: int
) -> bool:
    """Check that ``run`` takes about four times as long for ``build(4 * n)`` as for ``build(n)``.

    ``n`` grows from a small number up to ``size`` at least.
    """
    n = max(1, size // _FIRST_FRACTION)
    seconds = _measure(run, build(n), 10 * _MIN_BUDGET_SECONDS)
    while not math.isinf(seconds):
        ratio, seconds = _compare(run, build(n), build(4 * n), seconds)
        n *= 4
        if ratio >= QUADRATIC_RATIO:
            return False
        if n >= size and (ratio < LINEAR_RATIO or n >= size * _MAX_ENLARGEMENT):
            return True
    return False


def _compare(
    run: Callable[[Input], object], small: Input, large: Input, small_seconds: float
) -> tuple[float, float]:
    """Return the ratio of the times for two inputs, and the time for the larger one.

    The ratio is 0 for a time that is too short.
    """
    large_seconds = ratio = math.inf
    for _ in range(_ATTEMPTS):
        budget = max(_MIN_BUDGET_SECONDS, _BUDGET_RATIO * small_seconds)
        large_seconds = min(large_seconds, _measure(run, large, budget))
        if large_seconds < _SIGNIFICANT_SECONDS:
            return 0, large_seconds
        ratio = large_seconds / small_seconds
        if ratio < LINEAR_RATIO or _CERTAIN_SECONDS < large_seconds < math.inf:
            break
        small_seconds = min(small_seconds, _measure(run, small, budget))
    return ratio, large_seconds


def _measure(run: Callable[[Input], object], value: Input, budget: float) -> float:
    """Return the processor time of one run in seconds; infinite beyond the budget."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise _BudgetExceeded

    previous = signal.signal(signal.SIGVTALRM, stop)
    was_enabled = gc.isenabled()
    gc.disable()
    start = time.thread_time()
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, budget)
        run(value)
        return time.thread_time() - start
    except _BudgetExceeded:
        return math.inf
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, previous)
        if was_enabled:
            gc.enable()
