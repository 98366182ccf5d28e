"""Count the calls of a function, and stop it when they exceed a limit.

Calls are the same on every machine, however busy it is. The time inside one call of a library in C,
such as a search for a regular expression, is not seen.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType


class _BudgetExceeded(BaseException):
    """The function has made all of its calls; no handler in it may catch it."""


def run_within_calls(limit: int, function: Callable[[], object]) -> None:
    """Run a function.

    :raises AssertionError: when it makes more calls, of Python or C functions.
    """
    count = 0

    def count_call(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        if event in ("call", "c_call"):
            count += 1
            if count > limit:
                raise _BudgetExceeded

    previous = sys.getprofile()
    sys.setprofile(count_call)
    try:
        function()
    except _BudgetExceeded:
        raise AssertionError(f"more than {limit:,} calls") from None
    finally:
        sys.setprofile(previous)
