"""Clicks over time, as hours or days of the zone that the reader lives in.

Counters are kept by hours of UTC. They become hours as they are, and days by the local date on
which they start, so that a day begins and ends at the reader's midnight: to the hour, which is all
that is known in zones that are off by half an hour.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from waypost.errors import InvalidRequest
from waypost.models.counters import Counts
from waypost.reports.schemas import Point, Step

MOST_POINTS: Final = 1_000
"""Of one answer: six weeks of hours, or almost three years of days."""
EARLIEST: Final = date(1970, 1, 1)
LATEST: Final = date(2999, 12, 31)


@dataclass(frozen=True, slots=True)
class Span:
    """Local dates, both included; None: from the first click, up to the last one."""

    first: date | None = None
    last: date | None = None

    def check(self) -> None:
        """Raises InvalidRequest naming ``from`` or ``to``."""
        for field, day in (("from", self.first), ("to", self.last)):
            if day is not None and not EARLIEST <= day <= LATEST:
                raise InvalidRequest.of(field, f"is not between {EARLIEST} and {LATEST}")
        if self.first is not None and self.last is not None and self.last < self.first:
            raise InvalidRequest.of("to", "is before 'from'")


WHOLE: Final = Span()

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR: Final = timedelta(hours=1)


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

    Raises InvalidRequest where the span is none, or has more than ``MOST_POINTS``; without a first
    date, the newest ones are given.
    """
    span.check()
    times = {datetime.fromisoformat(hour).replace(tzinfo=UTC): c for hour, c in hours.items()}
    sums = {start: Counts() for start in _starts(times, step, zone, span)}
    for time, counts in times.items():
        bucket = time if step == "hour" else _midnight(time.astimezone(zone).date(), zone)
        if bucket in sums:
            sums[bucket] = sums[bucket].plus(counts.changed())
    return [_point(start.astimezone(zone), counts) for start, counts in sums.items()]


def _starts(times: Collection[datetime], step: Step, zone: ZoneInfo, span: Span) -> list[datetime]:
    """When each point starts, in UTC: whole hours, or local midnights."""
    if not times:
        return []
    first = span.first or min(times).astimezone(zone).date()
    last = span.last or max(times).astimezone(zone).date()
    if step == "day":
        days = _shown((last - first).days + 1, span)
        return [_midnight(first + timedelta(days=day), zone) for day in days]
    begin = min(times) if span.first is None else _whole_hour(_midnight(first, zone))
    if span.last is None:
        end = max(times) + _HOUR
    else:
        end = _whole_hour(_midnight(last + timedelta(days=1), zone))
    return [begin + hour * _HOUR for hour in _shown((end - begin) // _HOUR, span)]


def _shown(number: int, span: Span) -> range:
    """Of so many points those to be shown, told before any of them is made."""
    if number > MOST_POINTS and span.first is not None:
        raise InvalidRequest.of("from", f"asks for more than {MOST_POINTS:,} points")
    return range(max(0, number - MOST_POINTS), number)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """When a local day begins, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def _whole_hour(time: datetime) -> datetime:
    """The first hour of UTC that starts then or later."""
    return -(-(time - _EPOCH) // _HOUR) * _HOUR + _EPOCH


def _point(start: datetime, counts: Counts) -> Point:
    return Point(
        start=start.isoformat(timespec="seconds"),
        total=counts.total,
        human=counts.human,
        machine=counts.machine,
        opens=counts.opens,
    )
