"""Series of clicks: time zones, clock changes, ranges and limits."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waypost.errors import InvalidRequest
from waypost.models.counters import ClickCounts
from waypost.reports.time_series import (
    EARLIEST_DATE,
    LATEST_DATE,
    MAX_SERIES_POINTS,
    DateRange,
    build_points,
    parse_time_zone,
)

BERLIN, KOLKATA, UTC_ZONE = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kolkata"), ZoneInfo("UTC")
NEW_YEAR = datetime(2025, 1, 1, tzinfo=UTC)


def read_totals(points):
    return {point.start: point.total for point in points}


def test_hours_without_clicks_are_zero():
    hours = {"2026-11-21T10": ClickCounts(human=2), "2026-11-21T12": ClickCounts(machine=1)}
    points = build_points(hours, "hour", UTC_ZONE)
    assert read_totals(points) == {
        "2026-11-21T10:00:00+00:00": 2,
        "2026-11-21T11:00:00+00:00": 0,
        "2026-11-21T12:00:00+00:00": 1,
    }
    assert (points[0].human, points[2].machine) == (2, 1)


def test_a_day_ends_at_local_midnight():
    hours = {"2026-11-21T22": ClickCounts(human=1), "2026-11-21T23": ClickCounts(human=5)}
    assert read_totals(build_points(hours, "day", BERLIN)) == {
        "2026-11-21T00:00:00+01:00": 1,
        "2026-11-22T00:00:00+01:00": 5,
    }


@pytest.mark.parametrize(
    ("days", "hours"), [((date(2026, 3, 29),) * 2, 23), ((date(2026, 10, 25),) * 2, 25)]
)
def test_the_day_of_a_clock_change_has_23_or_25_hours(days, hours):
    clicked = {f"{days[0]}T05": ClickCounts(human=1)}
    points = build_points(clicked, "hour", BERLIN, DateRange(*days))
    assert len(points) == len(read_totals(points)) == hours
    assert sum(point.total for point in points) == 1


def test_in_a_half_hour_zone_an_hour_belongs_to_the_day_in_which_it_starts():
    hours = {"2026-11-21T18": ClickCounts(human=1), "2026-11-21T19": ClickCounts(human=2)}
    assert read_totals(build_points(hours, "day", KOLKATA)) == {
        "2026-11-21T00:00:00+05:30": 1,
        "2026-11-22T00:00:00+05:30": 2,
    }
    first = build_points(hours, "hour", KOLKATA, DateRange(date(2026, 11, 22), date(2026, 11, 22)))
    assert (first[0].start, first[0].total) == ("2026-11-22T00:30:00+05:30", 2)
    assert len(first) == 24


@pytest.mark.parametrize("step", ["hour", "day"])
@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "America/St_Johns", "Pacific/Apia"])
def test_each_click_is_in_exactly_one_point(step, zone):
    hours = {
        f"2026-03-{day:02}T{hour:02}": ClickCounts(human=1)
        for day in (1, 8, 29, 30)
        for hour in range(24)
    }
    assert sum(point.total for point in build_points(hours, step, ZoneInfo(zone))) == len(hours)


def test_a_range_with_too_many_points_is_refused_unless_its_start_is_open():
    hours = {"2026-01-01T00": ClickCounts(human=1), "2026-11-21T10": ClickCounts(human=2)}
    with pytest.raises(InvalidRequest, match="from"):
        build_points(hours, "hour", UTC_ZONE, DateRange(first=date(2026, 1, 1)))
    newest = build_points(hours, "hour", UTC_ZONE)
    assert (len(newest), newest[-1].total) == (MAX_SERIES_POINTS, 2)


@pytest.mark.parametrize("step", ["hour", "day"])
@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
@pytest.mark.parametrize(
    ("date_range", "field"),
    [
        (DateRange(first=date.min), "from"),
        (DateRange(last=date.max), "to"),
        (DateRange(last=date.min), "to"),
        (DateRange(date(2026, 11, 22), date(2026, 11, 21)), "to"),
        (DateRange(first=EARLIEST_DATE), "from"),
        (DateRange(EARLIEST_DATE, LATEST_DATE), "from"),
    ],
)
def test_invalid_ranges_are_refused(step, zone, date_range, field):
    with pytest.raises(InvalidRequest, match=field):
        build_points({"2026-11-21T10": ClickCounts(human=1)}, step, ZoneInfo(zone), date_range)


@pytest.mark.parametrize("step", ["hour", "day"])
def test_a_late_end_returns_at_most_the_maximum_of_points(step):
    points = build_points(
        {"2026-11-21T10": ClickCounts(human=1)}, step, BERLIN, DateRange(last=LATEST_DATE)
    )
    assert len(points) == MAX_SERIES_POINTS
    assert points[-1].start.startswith("2999-12-31")


@given(
    name=st.sampled_from(sorted(available_timezones())),
    hours=st.sets(
        st.integers(0, 2 * 365 * 24).map(lambda n: f"{NEW_YEAR + timedelta(hours=n):%Y-%m-%dT%H}"),
        min_size=1,
        max_size=20,
    ),
)
def test_in_every_zone_each_hour_is_in_exactly_one_day(name, hours):
    zone = ZoneInfo(name)
    clicked = {hour: ClickCounts(human=1) for hour in hours}
    points = build_points(clicked, "day", zone)
    assert sum(point.total for point in points) == len(clicked)
    starts = [datetime.fromisoformat(point.start) for point in points]
    assert starts == sorted(set(starts))
    days = Counter(str(parse_hour(hour).astimezone(zone).date()) for hour in hours)
    assert {p.start[:10]: p.total for p in points if p.total} == days
    for day, number in days.items():
        one = DateRange(date.fromisoformat(day), date.fromisoformat(day))
        hourly_points = build_points(clicked, "hour", zone, one)
        assert sum(point.total for point in hourly_points) == number
        assert 20 <= len(hourly_points) <= 27


def parse_hour(hour):
    return datetime.fromisoformat(hour).replace(tzinfo=UTC)


def test_a_series_without_clicks_is_empty():
    assert build_points({}, "day", BERLIN) == []
    assert (
        build_points(
            {"2026-11-21T10": ClickCounts()}, "day", BERLIN, DateRange(last=date(2020, 1, 1))
        )
        == []
    )


@pytest.mark.parametrize("name", ["", "Nowhere", "../UTC", "/etc/passwd", "Europe", "a\0b", "😀"])
def test_unknown_time_zones_are_refused(name):
    with pytest.raises(InvalidRequest, match="zone"):
        parse_time_zone(name)
