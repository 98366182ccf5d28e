"""How times are written in keys and items, and read back: RFC 3339 in UTC, or milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from waypost.errors import MalformedItem

LAST: Final = 253_402_300_799_999
"""The last millisecond that a time can name: of the year 9999."""


def rfc3339(time: datetime) -> str:
    """A time in UTC with milliseconds, as it sorts in a key."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_time(text: str) -> datetime:
    """Read what ``rfc3339`` wrote. Raises MalformedItem."""
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is None:
            raise MalformedItem("'time' has no zone")
        return time.astimezone(UTC)
    except (ValueError, OverflowError) as e:
        raise MalformedItem("'time' is not a time of RFC 3339") from e


def from_milliseconds(epoch: int) -> datetime:
    """Milliseconds since 1970 as a time; exact, which a float of seconds is not."""
    return datetime.fromtimestamp(epoch // 1000, UTC) + timedelta(milliseconds=epoch % 1000)


def to_milliseconds(time: datetime) -> int:
    """A time as milliseconds since 1970."""
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
