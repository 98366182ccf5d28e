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

from bench.metered_stack import HREF, MeteredStack, generate_clicks
from bench.pricing import PRICES, REGIONS, CapacityUnits, compute_bill, price_dynamodb
from bench.stream_model import (
    NEW_TABLE_SHARDS,
    EventSource,
    generate_arrival_times,
    load_batch_timing,
    load_event_source,
    split_into_batches,
)
from local import moto_transactions
from waypost.models.click import Click
from waypost.rewrite.schemas import validate_rewrite_request

RECIPIENTS, CLICK_RATE, LINKS = 100_000, 0.1, 5
EVENT_SOURCE = load_event_source()
FULL_BATCH = EVENT_SOURCE.batch_size
RATES = (1, 10, 83, 500, 1_600)
FORMER_SOURCE = EventSource(FULL_BATCH, window_seconds=1, parallelization_factor=4)
"""What the template had, to compare with."""


@dataclass(frozen=True)
class Cost(CapacityUnits):
    """Of one click, or of one recipient of a message; ``batch``: clicks in the middle batch."""

    label: str = ""
    path_writes: float = 0
    transactions: float = 0
    batch: float = 0


def measure_clicks(label: str, clicks: Sequence[Click], batches: Sequence[Sequence[Click]]) -> Cost:
    """Put every click as the redirect does, then count them in batches as the tally does."""
    with mock_aws():
        world = MeteredStack()
        for click in clicks:
            world.clicks.record(click)
        path = world.meter.writes
        for batch in batches:
            if world.tally.count_clicks(batch).failed_ids:
                raise RuntimeError("clicks were given back")
    return _build_cost(label, world, len(clicks), path, statistics.median(map(len, batches)))


def measure_sending(
    label: str, requests: int, batch_size: int, *, with_idempotency_key: bool
) -> Cost:
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
        world = MeteredStack()
        for request in range(requests):
            names = range(request * batch_size, (request + 1) * batch_size)
            body["recipients"] = [{"delivery": f"d{n}", "person": f"p{n}"} for n in names]
            if with_idempotency_key:
                body["idempotency_key"] = f"batch-{request}"
            world.rewrite_service.rewrite(validate_rewrite_request(body))
    return _build_cost(label, world, requests * batch_size, 0, batch_size)


def _build_cost(
    label: str, world: MeteredStack, count: int, path_writes: float, batch: float
) -> Cost:
    meter = world.meter
    transactions = 1_000 * meter.calls["transact_write_items"] / count
    return Cost(
        meter.writes / count, meter.reads / count, label, path_writes / count, transactions, batch
    )


def split_evenly(clicks: Sequence[Click], batch_size: int) -> list[Sequence[Click]]:
    """Batches of this size."""
    return [clicks[start : start + batch_size] for start in range(0, len(clicks), batch_size)]


def measure_click_costs(recipients: int) -> Iterator[Cost]:
    """Of a click: alone, in a mailing as its clicks come, and of a scanner."""
    alone = generate_clicks(1, 1, 1)
    yield measure_clicks("one click, alone", alone, split_evenly(alone, FULL_BATCH))
    mailing = generate_clicks(recipients, int(recipients * CLICK_RATE), LINKS)
    for size in (FULL_BATCH, 100, 10, 2):
        few = mailing if size == FULL_BATCH else mailing[: size * 30]
        yield measure_clicks(
            f"mailing, {LINKS} links, batches of {size}", few, split_evenly(few, size)
        )
    many = generate_clicks(recipients, min(len(mailing), 5_000), 40)
    yield measure_clicks(
        f"mailing, 40 links, batches of {FULL_BATCH}", many, split_evenly(many, FULL_BATCH)
    )
    twice = mailing[:2_500] + [replace(c, id=f"{c.id}again") for c in mailing[:2_500]]
    yield measure_clicks("mailing, everybody clicks twice", twice, split_evenly(twice, FULL_BATCH))
    flood = generate_clicks(1, 5_000, LINKS)
    yield measure_clicks("a scanner's flood: one recipient", flood, split_evenly(flood, FULL_BATCH))


def measure_rate_costs(source: EventSource) -> Iterator[Cost]:
    """Of a click of a mailing at several rates, cut as the event source of a new table cuts."""
    for rate in RATES:
        clicks = generate_clicks(RECIPIENTS, min(5_000, max(300, 20 * rate)), LINKS)
        arrived = [
            (moment, str(click.person), click)
            for moment, click in zip(generate_arrival_times(rate), clicks, strict=False)
        ]
        cut = split_into_batches(arrived, source, NEW_TABLE_SHARDS)
        yield measure_clicks(f"{rate:,} clicks a second", clicks, cut)


def measure_sending_costs() -> Iterator[Cost]:
    """Of a recipient of a message."""
    yield measure_sending("mailing, batches of 100, keyed", 100, 100, with_idempotency_key=True)
    yield measure_sending("mailing, batches of 100", 100, 100, with_idempotency_key=False)
    yield measure_sending("single messages, keyed", 100, 1, with_idempotency_key=True)
    yield measure_sending("single messages", 100, 1, with_idempotency_key=False)


def print_costs(title: str, costs: Iterator[Cost]) -> list[Cost]:
    print(f"\n{title}")
    print(
        f"{'':<42}{'middle batch':>14}{'on the path':>12}{'writes':>9}{'reads':>8}"
        f"{'transactions per 1,000':>24}"
    )
    shown = []
    for cost in costs:
        shown.append(cost)
        print(
            f"{cost.label:<42}{cost.batch:>14.0f}{cost.path_writes:>12.2f}{cost.writes:>9.3f}"
            f"{cost.reads:>8.3f}{cost.transactions:>24.1f}",
            flush=True,
        )
    return shown


def print_bill(click: Cost) -> None:
    """Print what a million clicks of a kind cost in each region, item by item."""
    counting = load_batch_timing().gb_seconds_per_click(click.batch)
    bills = {region: compute_bill(click, click.batch, counting, region) for region in REGIONS}
    print(f"\nA million clicks ({click.label}), US dollars, prices of {PRICES['as_of']}")
    print(f"{'':<42}" + "".join(f"{region:>12}" for region in REGIONS))
    for name in bills[REGIONS[0]]:
        print(f"{name:<42}" + "".join(f"{bills[region][name]:>12.2f}" for region in REGIONS))
    print(f"{'together':<42}" + "".join(f"{sum(bills[r].values()):>12.2f}" for r in REGIONS))


def main() -> int:
    """Count, and print."""
    recipients = int(sys.argv[1]) if len(sys.argv) > 1 else RECIPIENTS
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    moto_transactions.install_rollback()
    clicks = print_costs("Units of a click, batches cut by hand", measure_click_costs(recipients))
    for source in (EVENT_SOURCE, FORMER_SOURCE):
        how = f"window {source.window_seconds:g} s, {source.parallelization_factor} lane(s) a shard"
        print_costs(
            f"Units of a click by rate: {how}, a new table's 4 shards", measure_rate_costs(source)
        )
    sent = print_costs("Units of a recipient, sending", measure_sending_costs())
    for what in (f"mailing, {LINKS} links, batches of {FULL_BATCH}", "one click, alone"):
        print_bill(next(cost for cost in clicks if cost.label == what))
    print("\nA million recipients, DynamoDB, US dollars")
    for cost in sent:
        figures = "".join(f"{price_dynamodb(cost, region):>12.2f}" for region in REGIONS)
        print(f"{cost.label:<42}{figures}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
