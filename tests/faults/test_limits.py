"""10,000 clicks a second on one link, against a model of DynamoDB's limits (bench/hotlink.py)."""

from __future__ import annotations

from bench.hotlink import RATE, counter_on_the_path, ours, transaction_on_the_path
from bench.limits import APART

SECONDS = 2


def test_the_redirect_is_never_throttled_and_the_tally_keeps_up() -> None:
    result = ours(SECONDS, ledger_partitions=20, campaign_partitions=APART)
    assert result.refused == 0
    assert result.units <= 3.2
    assert result.late is not None
    assert result.late < 5


def test_a_counter_on_the_redirects_path_refuses_most_clicks() -> None:
    assert counter_on_the_path(SECONDS, shards=1).refused > RATE * SECONDS * 0.8
    assert transaction_on_the_path(SECONDS).refused > RATE * SECONDS * 0.8
