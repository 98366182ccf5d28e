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
from waypost.models.counters import ClickCounts
from waypost.reports.schemas import Point, SeriesStep

MAX_SERIES_POINTS: Final = 1_000
"""Of one answer: six weeks of hours, or almost three years of days."""
EARLIEST_DATE: Final = date(1970, 1, 1)
LATEST_DATE: Final = date(2999, 12, 31)


@dataclass(frozen=True, slots=True)
class DateRange:
    """Local dates, both included; None: from the first click, up to the last one."""

    first: date | None = None
    last: date | None = None

    def validate(self) -> None:
        """Raises InvalidRequest naming ``from`` or ``to``."""
        for field, day in (("from", self.first), ("to", self.last)):
            if day is not None and not EARLIEST_DATE <= day <= LATEST_DATE:
                raise InvalidRequest.from_field(
                    field, f"is not between {EARLIEST_DATE} and {LATEST_DATE}"
                )
        if self.first is not None and self.last is not None and self.last < self.first:
            raise InvalidRequest.from_field("to", "is before 'from'")


FULL_RANGE: Final = DateRange()

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR: Final = timedelta(hours=1)


def parse_time_zone(name: str) -> ZoneInfo:
    """A zone of the IANA database. Raises InvalidRequest."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as e:
        raise InvalidRequest.from_field("zone", "is not a time zone such as Europe/Berlin") from e


def build_points(
    hours: Mapping[str, ClickCounts],
    step: SeriesStep,
    zone: ZoneInfo,
    date_range: DateRange = FULL_RANGE,
) -> list[Point]:
    """A point for every hour or day of the span, without gaps; empty where there is no click.

    Raises InvalidRequest where the span is none, or has more than ``MOST_POINTS``; without a first
    date, the newest ones are given.
    """
    date_range.validate()
    times = {datetime.fromisoformat(hour).replace(tzinfo=UTC): c for hour, c in hours.items()}
    sums = {start: ClickCounts() for start in _point_starts(times, step, zone, date_range)}
    for time, counts in times.items():
        bucket = time if step == "hour" else _midnight_utc(time.astimezone(zone).date(), zone)
        if bucket in sums:
            sums[bucket] = sums[bucket].add_figures(counts.nonzero_figures())
    return [_build_point(start.astimezone(zone), counts) for start, counts in sums.items()]


def _point_starts(
    times: Collection[datetime], step: SeriesStep, zone: ZoneInfo, date_range: DateRange
) -> list[datetime]:
    """When each point starts, in UTC: whole hours, or local midnights."""
    if not times:
        return []
    first = date_range.first or min(times).astimezone(zone).date()
    last = date_range.last or max(times).astimezone(zone).date()
    if step == "day":
        days = _select_points((last - first).days + 1, date_range)
        return [_midnight_utc(first + timedelta(days=day), zone) for day in days]
    begin = min(times) if date_range.first is None else _ceil_to_hour(_midnight_utc(first, zone))
    if date_range.last is None:
        end = max(times) + _HOUR
    else:
        end = _ceil_to_hour(_midnight_utc(last + timedelta(days=1), zone))
    return [begin + hour * _HOUR for hour in _select_points((end - begin) // _HOUR, date_range)]


def _select_points(number: int, date_range: DateRange) -> range:
    """Of so many points those to be shown, told before any of them is made."""
    if number > MAX_SERIES_POINTS and date_range.first is not None:
        raise InvalidRequest.from_field("from", f"asks for more than {MAX_SERIES_POINTS:,} points")
    return range(max(0, number - MAX_SERIES_POINTS), number)


def _midnight_utc(day: date, zone: ZoneInfo) -> datetime:
    """When a local day begins, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def _ceil_to_hour(time: datetime) -> datetime:
    """The first hour of UTC that starts then or later."""
    return -(-(time - _EPOCH) // _HOUR) * _HOUR + _EPOCH


def _build_point(start: datetime, counts: ClickCounts) -> Point:
    return Point(
        start=start.isoformat(timespec="seconds"),
        total=counts.total,
        human=counts.human,
        machine=counts.machine,
        opens=counts.opens,
    )
