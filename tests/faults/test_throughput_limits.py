"""Simulate 10,000 clicks a second on one link within DynamoDB's limits (bench/hotlink.py)."""

from __future__ import annotations

from bench.hotlink import RATE, simulate_counter, simulate_transaction, simulate_waypost
from bench.simulation import UNLIMITED_PARTITIONS

SECONDS = 2


def test_redirect_is_not_throttled_and_the_tally_keeps_up() -> None:
    result = simulate_waypost(
        SECONDS, ledger_partitions=20, campaign_partitions=UNLIMITED_PARTITIONS
    )
    assert result.refused == 0
    assert result.units <= 3.2
    assert result.lag_seconds is not None
    assert result.lag_seconds < 5


def test_counter_in_the_redirect_throttles_most_clicks() -> None:
    assert simulate_counter(SECONDS, shards=1).refused > RATE * SECONDS * 0.8
    assert simulate_transaction(SECONDS).refused > RATE * SECONDS * 0.8
