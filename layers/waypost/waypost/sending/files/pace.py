"""Whether an invocation has time for another part."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

ENOUGH_SECONDS: Final = 60.0
"""What is left of an invocation, at least, when another part is begun."""
_MARGIN: Final = 1.5
"""How much longer than any before the next part may take."""


class Pace:
    """Watches how long parts take. ``remaining``: seconds left of the invocation; ``seconds``: how
    long it is to work, None for as long as it can.
    """

    def __init__(self, remaining: Callable[[], float], seconds: int | None) -> None:
        self._remaining = remaining
        self._seconds = seconds
        self._begun = self._before = remaining()
        self._longest = 0.0

    def has_time(self) -> bool:
        """To be asked after every part."""
        left = self._remaining()
        self._longest = max(self._longest, self._before - left)
        self._before = left
        worked = self._begun - left
        if self._seconds is not None and worked >= self._seconds:
            return False
        return left >= max(ENOUGH_SECONDS, self._longest * _MARGIN)
