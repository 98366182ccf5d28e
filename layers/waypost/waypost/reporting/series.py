"""Clicks over time, as hours or days of the zone that the reader lives in.

Counters are kept by hours of UTC. They become hours as they are, and days by the local date on
which they start, so that a day begins and ends at the reader's midnight: to the hour, which is all
that is known in zones that are off by half an hour.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from waypost.errors import InvalidRequest
from waypost.model.counters import Counts
from waypost.reporting.answers import Point, Step

MOST_POINTS: Final = 1_000
"""Of one answer: six weeks of hours, or almost three years of days."""


@dataclass(frozen=True, slots=True)
class Span:
    """Local dates, both included; None: from the first click, up to the last one."""

    first: date | None = None
    last: date | None = None


WHOLE: Final = Span()


def named_zone(name: str) -> ZoneInfo:
    """A zone of the IANA database. Raises InvalidRequest."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as e:
        raise InvalidRequest.of("zone", "is not a time zone such as Europe/Berlin") from e


def points(
    hours: Mapping[str, Counts], step: Step, zone: ZoneInfo, span: Span = WHOLE
) -> list[Point]:
    """A point for every hour or day of the span, without gaps; empty where there is no click.

    Raises InvalidRequest where the span has more than ``MOST_POINTS``; without a first date, the
    newest ones are given.
    """
    local = {
        datetime.fromisoformat(hour).replace(tzinfo=UTC).astimezone(zone): counts
        for hour, counts in hours.items()
    }
    first = span.first or min((time.date() for time in local), default=None)
    last = span.last or max((time.date() for time in local), default=None)
    if first is None or last is None or first > last:
        return []
    starts = list(_days(first, last, zone) if step == "day" else _hours(first, last, zone))
    if len(starts) > MOST_POINTS and span.first is not None:
        raise InvalidRequest.of("from", f"asks for more than {MOST_POINTS:,} points")
    sums = {start.astimezone(UTC): Counts() for start in starts[-MOST_POINTS:]}
    for time, counts in local.items():
        bucket = _midnight(time.date(), zone) if step == "day" else time
        if (key := bucket.astimezone(UTC)) in sums:
            sums[key] = sums[key].plus(counts.changed())
    return [_point(start.astimezone(zone), counts) for start, counts in sums.items()]


def _days(first: date, last: date, zone: ZoneInfo) -> Iterator[datetime]:
    for day in range((last - first).days + 1):
        yield _midnight(first + timedelta(days=day), zone)


def _hours(first: date, last: date, zone: ZoneInfo) -> Iterator[datetime]:
    """Hours of UTC that start on these local dates."""
    time = _midnight(first, zone).astimezone(UTC)
    if time.minute or time.second:
        time = time.replace(minute=0, second=0) + timedelta(hours=1)
    while time.astimezone(zone).date() <= last:
        yield time
        time += timedelta(hours=1)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)


def _point(start: datetime, counts: Counts) -> Point:
    return Point(
        start=start.isoformat(timespec="seconds"),
        total=counts.total,
        human=counts.human,
        machine=counts.machine,
    )
