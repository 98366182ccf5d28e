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


def totals(found):
    return {point.start: point.total for point in found}


def test_hours_between_clicks_are_shown_as_zero():
    hours = {"2026-11-21T10": ClickCounts(human=2), "2026-11-21T12": ClickCounts(machine=1)}
    found = build_points(hours, "hour", UTC_ZONE)
    assert totals(found) == {
        "2026-11-21T10:00:00+00:00": 2,
        "2026-11-21T11:00:00+00:00": 0,
        "2026-11-21T12:00:00+00:00": 1,
    }
    assert (found[0].human, found[2].machine) == (2, 1)


def test_a_day_ends_at_the_readers_midnight():
    hours = {"2026-11-21T22": ClickCounts(human=1), "2026-11-21T23": ClickCounts(human=5)}
    assert totals(build_points(hours, "day", BERLIN)) == {
        "2026-11-21T00:00:00+01:00": 1,
        "2026-11-22T00:00:00+01:00": 5,
    }


@pytest.mark.parametrize(
    ("days", "hours"), [((date(2026, 3, 29),) * 2, 23), ((date(2026, 10, 25),) * 2, 25)]
)
def test_the_day_of_a_clock_change_has_its_own_number_of_hours(days, hours):
    clicked = {f"{days[0]}T05": ClickCounts(human=1)}
    found = build_points(clicked, "hour", BERLIN, DateRange(*days))
    assert len(found) == len(totals(found)) == hours
    assert sum(point.total for point in found) == 1


def test_where_a_zone_is_off_by_half_an_hour_an_hour_belongs_to_the_day_it_starts_in():
    hours = {"2026-11-21T18": ClickCounts(human=1), "2026-11-21T19": ClickCounts(human=2)}
    assert totals(build_points(hours, "day", KOLKATA)) == {
        "2026-11-21T00:00:00+05:30": 1,
        "2026-11-22T00:00:00+05:30": 2,
    }
    first = build_points(hours, "hour", KOLKATA, DateRange(date(2026, 11, 22), date(2026, 11, 22)))
    assert (first[0].start, first[0].total) == ("2026-11-22T00:30:00+05:30", 2)
    assert len(first) == 24


@pytest.mark.parametrize("step", ["hour", "day"])
@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "America/St_Johns", "Pacific/Apia"])
def test_no_click_is_lost_or_told_twice(step, zone):
    hours = {
        f"2026-03-{day:02}T{hour:02}": ClickCounts(human=1)
        for day in (1, 8, 29, 30)
        for hour in range(24)
    }
    assert sum(point.total for point in build_points(hours, step, ZoneInfo(zone))) == len(hours)


def test_a_span_that_nobody_could_read_is_refused_and_an_open_one_gives_the_newest():
    hours = {"2026-01-01T00": ClickCounts(human=1), "2026-11-21T10": ClickCounts(human=2)}
    with pytest.raises(InvalidRequest, match="from"):
        build_points(hours, "hour", UTC_ZONE, DateRange(first=date(2026, 1, 1)))
    newest = build_points(hours, "hour", UTC_ZONE)
    assert (len(newest), newest[-1].total) == (MAX_SERIES_POINTS, 2)


@pytest.mark.parametrize("step", ["hour", "day"])
@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
@pytest.mark.parametrize(
    ("span", "field"),
    [
        (DateRange(first=date.min), "from"),
        (DateRange(last=date.max), "to"),
        (DateRange(last=date.min), "to"),
        (DateRange(date(2026, 11, 22), date(2026, 11, 21)), "to"),
        (DateRange(first=EARLIEST_DATE), "from"),
        (DateRange(EARLIEST_DATE, LATEST_DATE), "from"),
    ],
)
def test_dates_that_span_nothing_or_ages_are_refused(step, zone, span, field):
    with pytest.raises(InvalidRequest, match=field):
        build_points({"2026-11-21T10": ClickCounts(human=1)}, step, ZoneInfo(zone), span)


@pytest.mark.parametrize("step", ["hour", "day"])
def test_a_late_end_costs_no_more_than_what_is_shown(step):
    found = build_points(
        {"2026-11-21T10": ClickCounts(human=1)}, step, BERLIN, DateRange(last=LATEST_DATE)
    )
    assert len(found) == MAX_SERIES_POINTS
    assert found[-1].start.startswith("2999-12-31")


@given(
    name=st.sampled_from(sorted(available_timezones())),
    hours=st.sets(
        st.integers(0, 2 * 365 * 24).map(lambda n: f"{NEW_YEAR + timedelta(hours=n):%Y-%m-%dT%H}"),
        min_size=1,
        max_size=20,
    ),
)
def test_days_of_every_zone_hold_each_hour_once(name, hours):
    zone = ZoneInfo(name)
    clicked = {hour: ClickCounts(human=1) for hour in hours}
    found = build_points(clicked, "day", zone)
    assert sum(point.total for point in found) == len(clicked)
    starts = [datetime.fromisoformat(point.start) for point in found]
    assert starts == sorted(set(starts))
    days = Counter(str(moment(hour).astimezone(zone).date()) for hour in hours)
    assert {p.start[:10]: p.total for p in found if p.total} == days
    for day, number in days.items():
        one = DateRange(date.fromisoformat(day), date.fromisoformat(day))
        of_hours = build_points(clicked, "hour", zone, one)
        assert sum(point.total for point in of_hours) == number
        assert 20 <= len(of_hours) <= 27


def moment(hour):
    return datetime.fromisoformat(hour).replace(tzinfo=UTC)


def test_without_clicks_there_is_nothing_to_draw():
    assert build_points({}, "day", BERLIN) == []
    assert (
        build_points(
            {"2026-11-21T10": ClickCounts()}, "day", BERLIN, DateRange(last=date(2020, 1, 1))
        )
        == []
    )


@pytest.mark.parametrize("name", ["", "Nowhere", "../UTC", "/etc/passwd", "Europe", "a\0b", "😀"])
def test_what_is_no_zone_is_refused(name):
    with pytest.raises(InvalidRequest, match="zone"):
        parse_time_zone(name)
