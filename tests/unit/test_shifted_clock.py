import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.click_factory import NOON
from tests.shifted_clock import parse_shift


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("+500d", NOON + timedelta(days=500)),
        ("-1d", NOON - timedelta(days=1)),
        ("2038-02-02", datetime(2038, 2, 2, tzinfo=UTC)),
        ("2038-02-02T01:00:00+01:00", datetime(2038, 2, 2, tzinfo=UTC)),
    ],
)
def test_a_shift_is_days_from_now_or_a_date(text, start):
    assert parse_shift(text, NOON) == start


@pytest.mark.parametrize("text", ["500", "+d", "tomorrow", "+500d "])
def test_another_shift_is_refused(text):
    with pytest.raises(ValueError, match="WAYPOST_TEST_CLOCK"):
        parse_shift(text, NOON)


def test_every_reading_of_the_wall_clock_agrees():
    read = [time.time(), time.time_ns() / 1e9, datetime.now(UTC).timestamp()]
    assert max(read) - min(read) < 60
