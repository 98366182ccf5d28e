"""Group hourly UTC counters into hours or days of a time zone.

An hour belongs to the local day in which it starts, so days begin at local midnight. In zones whose
offset includes half an hour, days are exact to the hour, because the counters are hourly.
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
"""Limit of one response: six weeks of hours, or almost three years of days."""
EARLIEST_DATE: Final = date(1970, 1, 1)
LATEST_DATE: Final = date(2999, 12, 31)


@dataclass(frozen=True, slots=True)
class DateRange:
    """Local dates, inclusive. None: from the first click, or to the last click."""

    first: date | None = None
    last: date | None = None

    def validate(self) -> None:
        """Raise InvalidRequest, naming ``from`` or ``to``, if the range is invalid."""
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
    """Return a zone of the IANA database. Raises InvalidRequest."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as e:
        raise InvalidRequest.from_field(
            "zone", "is not an IANA time zone; use a name such as Europe/Berlin"
        ) from e


def build_points(
    hours: Mapping[str, ClickCounts],
    step: SeriesStep,
    zone: ZoneInfo,
    date_range: DateRange = FULL_RANGE,
) -> list[Point]:
    """Return a point for each hour or day of the range, without gaps; empty without clicks.

    Without a first date, return the newest ``MAX_SERIES_POINTS`` points.

    :raises InvalidRequest: when the range is invalid, or has a first date and too many points.
    """
    date_range.validate()
    times = {datetime.fromisoformat(hour).replace(tzinfo=UTC): c for hour, c in hours.items()}
    sums = {start: ClickCounts() for start in _list_point_starts(times, step, zone, date_range)}
    for time, counts in times.items():
        bucket = time if step == "hour" else _midnight_utc(time.astimezone(zone).date(), zone)
        if bucket in sums:
            sums[bucket] = sums[bucket].add_figures(counts.nonzero_figures())
    return [_build_point(start.astimezone(zone), counts) for start, counts in sums.items()]


def _list_point_starts(
    times: Collection[datetime], step: SeriesStep, zone: ZoneInfo, date_range: DateRange
) -> list[datetime]:
    """Return the start of each point in UTC: whole hours, or local midnights."""
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
    """Return the indexes of the points to build, checked before building any of them."""
    if number > MAX_SERIES_POINTS and date_range.first is not None:
        raise InvalidRequest.from_field(
            "from", f"requests more than {MAX_SERIES_POINTS:,} points; use a shorter range"
        )
    return range(max(0, number - MAX_SERIES_POINTS), number)


def _midnight_utc(day: date, zone: ZoneInfo) -> datetime:
    """Return the start of a local day in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def _ceil_to_hour(time: datetime) -> datetime:
    """Return the first UTC hour that starts at a time or later."""
    return -(-(time - _EPOCH) // _HOUR) * _HOUR + _EPOCH


def _build_point(start: datetime, counts: ClickCounts) -> Point:
    return Point(
        start=start.isoformat(timespec="seconds"),
        total=counts.total,
        human=counts.human,
        machine=counts.machine,
        opens=counts.opens,
    )
