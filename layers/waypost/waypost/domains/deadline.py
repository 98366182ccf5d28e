"""How long a check may take, where somebody waits for it or its run ends: a moment on a monotonic
clock, which is passed down to whatever asks others.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self


@dataclass(frozen=True, slots=True)
class Deadline:
    """``until`` and ``clock`` are in seconds."""

    until: float
    clock: Callable[[], float] = time.monotonic

    @classmethod
    def after(cls, seconds: float, clock: Callable[[], float] = time.monotonic) -> Self:
        """So long from now on."""
        return cls(clock() + seconds, clock)

    def left(self) -> float:
        """Seconds; below 0 where it is over."""
        return self.until - self.clock()

    @property
    def over(self) -> bool:
        return self.left() <= 0


NEVER: Final = Deadline(math.inf)
"""Where nobody waits: what is asked keeps limits of its own."""
