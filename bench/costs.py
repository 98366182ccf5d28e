"""What clicks and messages write, read and cost, counted at the calls to DynamoDB.

    python -m bench.costs [recipients of the mailing]

The functions' own use cases run on moto's tables, made from template.yaml, with a meter before the
client. How full a batch of the stream is decides what a click costs, since its transactions share
the counters: some tables cut batches by hand, one as the event source would at a given rate.
Dollars come from ``prices.toml``, times that nobody has measured from ``assumptions.toml``.
"""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from moto import mock_aws

from bench.arrivals import NEW_TABLE_SHARDS, EventSource, batches, event_source, moments
from bench.lanes import lane
from bench.pricing import PRICES, REGIONS, Units, bill, dynamodb
from bench.world import HREF, World, clicks_of
from local import moto_transactions
from waypost.models.click import Click
from waypost.rewrite.schemas import validate_rewrite_request

RECIPIENTS, CLICK_RATE, LINKS = 100_000, 0.1, 5
SOURCE = event_source()
FULL = SOURCE.batch
RATES = (1, 10, 83, 500, 1_600)
BEFORE = EventSource(FULL, window=1, lanes=4)
"""What the template had, to compare with."""


@dataclass(frozen=True)
class Cost(Units):
    """Of one click, or of one recipient of a message; ``batch``: clicks in the middle batch."""

    what: str = ""
    path_writes: float = 0
    transactions: float = 0
    batch: float = 0


def clicking(what: str, clicks: Sequence[Click], cut: Sequence[Sequence[Click]]) -> Cost:
    """Put every click as the redirect does, then count them in batches as the tally does."""
    with mock_aws():
        world = World()
        for click in clicks:
            world.ledger.record(click)
        path = world.meter.writes
        for batch in cut:
            if world.tally.count_clicks(batch).failed_ids:
                raise RuntimeError("clicks were given back")
    return _cost(what, world, len(clicks), path, statistics.median(map(len, cut)))


def sending(what: str, requests: int, size: int, *, keyed: bool) -> Cost:
    """Messages of one template in batches; each with an idempotency key where ``keyed``."""
    html = "".join(f'<p>Words <a href="{HREF.format(n=n)}">more</a></p>' for n in range(LINKS))
    body: dict[str, Any] = {
        "workspace": "acme",
        "campaign": "spring-sale",
        "kind": "broadcast",
        "channel": "email",
        "content": {"html": f"<html><body>{html}</body></html>"},
    }
    with mock_aws():
        world = World()
        for request in range(requests):
            names = range(request * size, (request + 1) * size)
            body["recipients"] = [{"delivery": f"d{n}", "person": f"p{n}"} for n in names]
            if keyed:
                body["idempotency_key"] = f"batch-{request}"
            world.sending.rewrite(validate_rewrite_request(body))
    return _cost(what, world, requests * size, 0, size)


def _cost(what: str, world: World, many: int, path: float, batch: float) -> Cost:
    meter = world.meter
    transactions = 1_000 * meter.calls["transact_write_items"] / many
    return Cost(meter.writes / many, meter.reads / many, what, path / many, transactions, batch)


def by_hand(clicks: Sequence[Click], size: int) -> list[Sequence[Click]]:
    """Batches of this size."""
    return [clicks[start : start + size] for start in range(0, len(clicks), size)]


def click_costs(recipients: int) -> Iterator[Cost]:
    """Of a click: alone, in a mailing as its clicks come, and of a scanner."""
    alone = clicks_of(1, 1, 1)
    yield clicking("one click, alone", alone, by_hand(alone, FULL))
    mailing = clicks_of(recipients, int(recipients * CLICK_RATE), LINKS)
    for size in (FULL, 100, 10, 2):
        few = mailing if size == FULL else mailing[: size * 30]
        yield clicking(f"mailing, {LINKS} links, batches of {size}", few, by_hand(few, size))
    many = clicks_of(recipients, min(len(mailing), 5_000), 40)
    yield clicking(f"mailing, 40 links, batches of {FULL}", many, by_hand(many, FULL))
    twice = mailing[:2_500] + [replace(c, id=f"{c.id}again") for c in mailing[:2_500]]
    yield clicking("mailing, everybody clicks twice", twice, by_hand(twice, FULL))
    flood = clicks_of(1, 5_000, LINKS)
    yield clicking("a scanner's flood: one recipient", flood, by_hand(flood, FULL))


def rate_costs(source: EventSource) -> Iterator[Cost]:
    """Of a click of a mailing at several rates, cut as the event source of a new table cuts."""
    for rate in RATES:
        clicks = clicks_of(RECIPIENTS, min(5_000, max(300, 20 * rate)), LINKS)
        arrived = [
            (moment, str(click.person), click)
            for moment, click in zip(moments(rate), clicks, strict=False)
        ]
        cut = batches(arrived, source, NEW_TABLE_SHARDS)
        yield clicking(f"{rate:,} clicks a second", clicks, cut)


def sending_costs() -> Iterator[Cost]:
    """Of a recipient of a message."""
    yield sending("mailing, batches of 100, keyed", 100, 100, keyed=True)
    yield sending("mailing, batches of 100", 100, 100, keyed=False)
    yield sending("single messages, keyed", 100, 1, keyed=True)
    yield sending("single messages", 100, 1, keyed=False)


def show(title: str, costs: Iterator[Cost]) -> list[Cost]:
    print(f"\n{title}")
    print(
        f"{'':<42}{'middle batch':>14}{'on the path':>12}{'writes':>9}{'reads':>8}"
        f"{'transactions per 1,000':>24}"
    )
    shown = []
    for cost in costs:
        shown.append(cost)
        print(
            f"{cost.what:<42}{cost.batch:>14.0f}{cost.path_writes:>12.2f}{cost.writes:>9.3f}"
            f"{cost.reads:>8.3f}{cost.transactions:>24.1f}",
            flush=True,
        )
    return shown


def dollars(click: Cost) -> None:
    """Print what a million clicks of a kind cost in each region, item by item."""
    counting = lane().gb_seconds(click.batch)
    bills = {region: bill(click, click.batch, counting, region) for region in REGIONS}
    print(f"\nA million clicks ({click.what}), US dollars, prices of {PRICES['as_of']}")
    print(f"{'':<42}" + "".join(f"{region:>12}" for region in REGIONS))
    for name in bills[REGIONS[0]]:
        print(f"{name:<42}" + "".join(f"{bills[region][name]:>12.2f}" for region in REGIONS))
    print(f"{'together':<42}" + "".join(f"{sum(bills[r].values()):>12.2f}" for r in REGIONS))


def main() -> int:
    """Count, and print."""
    recipients = int(sys.argv[1]) if len(sys.argv) > 1 else RECIPIENTS
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    moto_transactions.install()
    clicks = show("Units of a click, batches cut by hand", click_costs(recipients))
    for source in (SOURCE, BEFORE):
        how = f"window {source.window:g} s, {source.lanes} lane(s) a shard"
        show(f"Units of a click by rate: {how}, a new table's 4 shards", rate_costs(source))
    sent = show("Units of a recipient, sending", sending_costs())
    for what in (f"mailing, {LINKS} links, batches of {FULL}", "one click, alone"):
        dollars(next(cost for cost in clicks if cost.what == what))
    print("\nA million recipients, DynamoDB, US dollars")
    for cost in sent:
        figures = "".join(f"{dynamodb(cost, region):>12.2f}" for region in REGIONS)
        print(f"{cost.what:<42}{figures}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
