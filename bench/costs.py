"""Count the capacity units of clicks and messages at the calls to DynamoDB, and price them.

    python -m bench.costs [recipients of the mailing]

The functions' services run on moto's tables, created from template.yaml, with a meter around the
client. The cost of a click depends on the size of the tally's batches, because a transaction shares
its counters: some tables use fixed batches, one uses batches as the event source cuts them at a
given rate. Prices are in ``prices.toml``, assumed times in ``assumptions.toml``.
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
from bench.pricing import (
    PRICES,
    REGIONS,
    CapacityUnits,
    compute_bill,
    price_dynamodb,
    price_tenants,
)
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
TENANT_COUNTS = (10, 11, 200, 1_000, 10_000)
FORMER_SOURCE = EventSource(FULL_BATCH, window_seconds=1, parallelization_factor=4)
"""The event source of an earlier template, for comparison."""


@dataclass(frozen=True)
class Cost(CapacityUnits):
    """Units of one click or one recipient. ``batch``: clicks of the median batch."""

    label: str = ""
    path_writes: float = 0
    transactions: float = 0
    batch: float = 0


def measure_clicks(label: str, clicks: Sequence[Click], batches: Sequence[Sequence[Click]]) -> Cost:
    """Record every click as the redirect does, and count them in batches as the tally does."""
    with mock_aws():
        stack = MeteredStack()
        for click in clicks:
            stack.clicks.record(click)
        path = stack.meter.writes
        for batch in batches:
            if stack.tally.count_clicks(batch).failed_ids:
                raise RuntimeError("tally: clicks failed")
    return _build_cost(label, stack, len(clicks), path, statistics.median(map(len, batches)))


def measure_sending(
    label: str,
    requests: int,
    batch_size: int,
    *,
    with_idempotency_key: bool,
    personal_links: int = 0,
) -> Cost:
    """Rewrite a message for several batches of recipients. ``personal_links`` of its links have a
    URL of the recipient, in content that is rendered before the call.
    """
    shared = "".join(f'<p>Words <a href="{HREF.format(n=n)}">more</a></p>' for n in range(LINKS))
    body: dict[str, Any] = {
        "workspace": "acme",
        "campaign": "spring-sale",
        "kind": "broadcast",
        "channel": "email",
    }
    with mock_aws():
        stack = MeteredStack()
        for request in range(requests):
            names = range(request * batch_size, (request + 1) * batch_size)
            own = "".join(
                f'<a href="{HREF.format(n=n)}&email=p{request}@example.com">own</a>'
                for n in range(personal_links)
            )
            body["content"] = {"html": f"<html><body>{shared}{own}</body></html>"}
            body["recipients"] = [{"delivery": f"d{n}", "person": f"p{n}"} for n in names]
            if with_idempotency_key:
                body["idempotency_key"] = f"batch-{request}"
            stack.rewrite_service.rewrite(validate_rewrite_request(body))
    return _build_cost(label, stack, requests * batch_size, 0, batch_size)


def _build_cost(
    label: str, stack: MeteredStack, count: int, path_writes: float, batch: float
) -> Cost:
    meter = stack.meter
    transactions = 1_000 * meter.calls["transact_write_items"] / count
    return Cost(
        meter.writes / count, meter.reads / count, label, path_writes / count, transactions, batch
    )


def split_evenly(clicks: Sequence[Click], batch_size: int) -> list[Sequence[Click]]:
    """Split clicks into batches of one size."""
    return [clicks[start : start + batch_size] for start in range(0, len(clicks), batch_size)]


def measure_click_costs(recipients: int) -> Iterator[Cost]:
    """Measure clicks: a single one, those of a mailing, and those of a scanner."""
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
    """Measure a mailing's clicks at several rates, in the batches of a new table's event source."""
    for rate in RATES:
        clicks = generate_clicks(RECIPIENTS, min(5_000, max(300, 20 * rate)), LINKS)
        arrived = [
            (moment, str(click.person), click)
            for moment, click in zip(generate_arrival_times(rate), clicks, strict=False)
        ]
        cut = split_into_batches(arrived, source, NEW_TABLE_SHARDS)
        yield measure_clicks(f"{rate:,} clicks a second", clicks, cut)


def measure_sending_costs() -> Iterator[Cost]:
    """Measure the recipients of messages."""
    yield measure_sending("mailing, batches of 100, keyed", 100, 100, with_idempotency_key=True)
    yield measure_sending("mailing, batches of 100", 100, 100, with_idempotency_key=False)
    yield measure_sending("single messages, keyed", 100, 1, with_idempotency_key=True)
    yield measure_sending("single messages", 100, 1, with_idempotency_key=False)
    for links in (1, LINKS):
        label = f"single messages, {links} personal link(s)"
        yield measure_sending(label, 100, 1, with_idempotency_key=False, personal_links=links)


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
    """Print the cost of a million clicks in each region, item by item."""
    counting = load_batch_timing().gb_seconds_per_click(click.batch)
    bills = {region: compute_bill(click, click.batch, counting, region) for region in REGIONS}
    print(f"\nA million clicks ({click.label}), US dollars, prices of {PRICES['as_of']}")
    print(f"{'':<42}" + "".join(f"{region:>12}" for region in REGIONS))
    for name in bills[REGIONS[0]]:
        print(f"{name:<42}" + "".join(f"{bills[region][name]:>12.2f}" for region in REGIONS))
    print(f"{'total':<42}" + "".join(f"{sum(bills[r].values()):>12.2f}" for r in REGIONS))


def main() -> int:
    """Measure, and print the tables."""
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
    for label in (f"mailing, {LINKS} links, batches of {FULL_BATCH}", "one click, alone"):
        print_bill(next(cost for cost in clicks if cost.label == label))
    print("\nA million recipients, DynamoDB, US dollars")
    for cost in sent:
        figures = "".join(f"{price_dynamodb(cost, region):>12.2f}" for region in REGIONS)
        print(f"{cost.label:<42}{figures}")
    print("\nDistribution tenants (tracking domains), US dollars a month")
    for count in TENANT_COUNTS:
        print(f"{count:<42,}{price_tenants(count):>12.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
