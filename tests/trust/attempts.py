"""Numbers of attempts: few in short runs, many in ``make soak``."""

from __future__ import annotations

import os


def count_attempts(short: int, long: int) -> int:
    """Return the number of attempts: the long one if WAYPOST_SOAK is set."""
    return long if os.environ.get("WAYPOST_SOAK") else short
