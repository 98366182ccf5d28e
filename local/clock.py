"""When requests arrive: now, or as long ahead of now as a demonstration wants to have waited.

Functions keep this machine's clock. What they are told about a request (CloudFront's time, API
Gateway's) is the front's, so a click can come an hour after its message without an hour's wait.
"""

from __future__ import annotations

import time


class Clock:
    """The front's clock; it never goes back."""

    def __init__(self) -> None:
        self._offset_ms = 0

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return time.time_ns() // 1_000_000 + self._offset_ms

    def advance(self, seconds: float) -> None:
        """Let so much time have passed."""
        self._offset_ms += round(seconds * 1000)
