"""Clock of requests, which can be set forward.

CloudFront's and API Gateway's times of a request are this clock's, so that the demo can click a
link an hour after its message without waiting. Functions use this machine's clock.
"""

from __future__ import annotations

import time


class Clock:
    """A clock that never goes back."""

    def __init__(self) -> None:
        self._offset_ms = 0

    def now_ms(self) -> int:
        """Return milliseconds since 1970."""
        return time.time_ns() // 1_000_000 + self._offset_ms

    def advance(self, seconds: float) -> None:
        """Set the clock forward."""
        self._offset_ms += round(seconds * 1000)
