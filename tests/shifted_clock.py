"""Run the tests at another time: WAYPOST_TEST_CLOCK is a number of days from now (``+500d``) or an
ISO 8601 date, UTC where it names no offset. Commands that tests start keep the real clock.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

CLOCK_VARIABLE: Final = "WAYPOST_TEST_CLOCK"
_DAYS: Final = re.compile(r"([+-]\d+)d", re.ASCII)


def parse_shift(text: str, now: datetime) -> datetime:
    """Read the time at which the tests begin. Raises ValueError."""
    if days := _DAYS.fullmatch(text):
        return now + timedelta(days=int(days[1]))
    try:
        start = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{CLOCK_VARIABLE}: neither a number of days nor a date ({text}); "
            "use +500d or 2038-02-02"
        ) from None
    return start if start.tzinfo else start.replace(tzinfo=UTC)


def shift_clock(text: str) -> None:
    """Shift the wall clock of this process until it ends. Monotonic clocks stay."""
    import time_machine

    time_machine.travel(parse_shift(text, datetime.now(UTC)), tick=True).start()
