"""Retry a call, with exponential backoff and jitter between its attempts.

Jitter keeps writers that collided once from colliding again
(https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses that double with each failure in a row, up to ``max_seconds``.

    ``first_seconds`` is the longest pause after the first failure. ``fixed_share`` of a pause is
    fixed and the rest random: 0 is full jitter, 0.5 equal jitter, which guarantees half the pause.
    """

    first_seconds: float
    max_seconds: float = math.inf
    fixed_share: float = 0.0
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = random.random

    def wait(self, failures: int) -> None:
        """Sleep after this many failures in a row."""
        longest = min(self.first_seconds * 2 ** (failures - 1), self.max_seconds)
        self.sleep(longest * (self.fixed_share + (1 - self.fixed_share) * self.random()))


def call_with_retry(
    call: Callable[[], _Result],
    *,
    attempts: int,
    retry_on: type[Exception] | tuple[type[Exception], ...],
    before_retry: Callable[[int], None] = lambda _failures: None,
) -> _Result:
    """Return the result of a call, made again after these exceptions, ``attempts`` times in all.

    The last attempt's exception passes. ``before_retry`` takes the number of failures so far: a
    backoff's ``wait``, or a change that lets the next attempt succeed.
    """
    for failures in range(1, attempts):
        try:
            return call()
        except retry_on:
            pass
        before_retry(failures)
    return call()
