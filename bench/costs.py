"""What clicks and messages write, read and cost, counted at the calls to DynamoDB.

    python -m bench.costs [recipients of the mailing]

The functions' own use cases run on moto's tables, made from template.yaml, with a meter before the
client. The stream is cut into batches by hand, as large as given, since how full a batch is decides
what a click costs: its transactions share the counters. Dollars come from ``prices.toml``.
"""

from __future__ import annotations

import os
import random
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
from moto import mock_aws

from bench.metering import Meter
from local import moto_transactions
from local.template import load
from waypost.clicks.signals import Verdict
from waypost.codes import campaign_code, link_code
from waypost.counting.tally import Tally
from waypost.model.click import Click
from waypost.rewriting.request import from_value
from waypost.sending.batches import Sending
from waypost.sending.deciding import OneBaseUrl
from waypost.sending.keeping import MessageKeeper
from waypost.store.dynamodb.campaigns import DynamoCampaigns
from waypost.store.dynamodb.clicks import DynamoClicks
from waypost.store.dynamodb.client import DynamoClient
from waypost.store.dynamodb.messages import DynamoMessages
from waypost.store.dynamodb.recipients import DynamoRecipients
from waypost.store.dynamodb.short_links import DynamoShortLinks
from waypost.store.dynamodb.workspaces import DynamoWorkspaces
from waypost.tokens import Keyring, Sealer

PRICES = tomllib.loads((Path(__file__).parent / "prices.toml").read_text())
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
AGENT = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1"
)
HREF = "https://shop.example.com/sale/{n}?utm_source=newsletter&utm_medium=email&utm_campaign=s"
RECIPIENTS, CLICK_RATE, LINKS = 100_000, 0.1, 5
FULL = 500
"""The event source's batch, as template.yaml has it."""

REDIRECT_SECONDS, TALLY_SECONDS_A_BATCH = 0.010, 0.25
"""Assumed, since only AWS can tell: a warm redirect with one put, and a full batch."""
MEMORY_GB = 1.0
LOG_BYTES = 600
"""Of a redirect: Lambda's own three lines and our metric."""


class World:
    """The tables, a meter, and what runs on them."""

    def __init__(self) -> None:
        self.client = boto3.client("dynamodb", region_name="us-east-1")
        names = ("Clicks", "Campaigns", "Workspaces", "ShortLinks")
        clicks, campaigns, workspaces, short_links = (_table(self.client, n) for n in names)
        self.meter = Meter(self.client)
        self.told = 0
        self.ledger = DynamoClicks(self.meter, clicks)
        self.tally = self.tally_on(self.meter)
        sealer = Sealer(Keyring((b"k" * 32,)))
        self.sending = Sending(
            campaigns=DynamoCampaigns(self.meter, campaigns),
            workspaces=DynamoWorkspaces(self.meter, workspaces),
            base_urls=OneBaseUrl("https://e.example.com"),
            short_links=DynamoShortLinks(self.meter, short_links),
            sealer=lambda: sealer,
            now=lambda: NOON,
            keeper=MessageKeeper(DynamoMessages(self.meter, campaigns), 400),
        )

    def tally_on(self, client: DynamoClient) -> Tally:
        """A tally that counts through a client."""
        return Tally(
            ledger=DynamoClicks(client, "Clicks"),
            recipients=DynamoRecipients(client, "Campaigns"),
            workspaces=DynamoWorkspaces(client, "Workspaces"),
            bus=self,
        )

    def tell(self, clicks: Sequence[tuple[Click, Verdict]]) -> set[str]:
        """The event bus: takes all."""
        self.told += len(clicks)
        return {click.id for click, _ in clicks}


def _table(client: Any, name: str) -> str:  # noqa: ANN401 - clients have no common type
    properties = load(Path("template.yaml")).resources[f"{name}Table"].properties
    schema = {key: properties[key] for key in ("KeySchema", "AttributeDefinitions", "BillingMode")}
    client.create_table(TableName=name, **schema)
    return name


@dataclass(frozen=True)
class Cost:
    """Of one click, or of one recipient of a message."""

    what: str
    path_writes: float
    writes: float
    reads: float
    transactions: float


def clicks_of(people: int, clicks: int, links: int) -> list[Click]:
    """Clicks in the order that they come: who and where by chance, links less and less often."""
    chance = random.Random(1)
    campaign = campaign_code("acme", "spring-sale")
    codes = [link_code(campaign, HREF.format(n=n)) for n in range(links)]
    weights = [1 / (n + 1) for n in range(links)]
    who = chance.sample(range(people), clicks) if clicks <= people else [0] * clicks
    return [
        Click(
            id=f"{number:08d}kBq9ruJVSBFHmSKGvV9BVFyPxWHb8ZLZJMSbFGS_l9wbRgqSb2",
            time=NOON + timedelta(milliseconds=10 * number),
            link=chance.choices(codes, weights)[0],
            position=1,
            delivery=f"7c9e6679-7425-40de-944b-{person:012d}",
            person=str(person),
            href=HREF.format(n=1),
            agent=AGENT,
            ip="203.0.113.0",
            country="DE",
            asn=3320,
            sent=int(NOON.timestamp()) - 3_600,
            expires=int(NOON.timestamp()) + 400 * 86_400,
        )
        for number, person in enumerate(who)
    ]


def clicking(what: str, clicks: Sequence[Click], batch: int) -> Cost:
    """Put every click as the redirect does, then count them in batches as the tally does."""
    world = World()
    for click in clicks:
        world.ledger.record(click)
    path = world.meter.writes
    for start in range(0, len(clicks), batch):
        counted = world.tally.count(clicks[start : start + batch])
        if counted.failed:
            raise RuntimeError("clicks were given back")
    meter, many = world.meter, len(clicks)
    transactions = 1_000 * meter.calls["transact_write_items"] / many
    return Cost(what, path / many, meter.writes / many, meter.reads / many, transactions)


def sending(what: str, batches: int, size: int, *, keyed: bool) -> Cost:
    """Messages of one template in batches; each with an idempotency key where ``keyed``."""
    world = World()
    html = "".join(f'<p>Words <a href="{HREF.format(n=n)}">more</a></p>' for n in range(LINKS))
    body: dict[str, Any] = {
        "workspace": "acme",
        "campaign": "spring-sale",
        "kind": "broadcast",
        "channel": "email",
        "content": {"html": f"<html><body>{html}</body></html>"},
    }
    for batch in range(batches):
        names = range(batch * size, (batch + 1) * size)
        body["recipients"] = [{"delivery": f"d{n}", "person": f"p{n}"} for n in names]
        if keyed:
            body["idempotency_key"] = f"batch-{batch}"
        world.sending.rewrite(from_value(body))
    meter, many = world.meter, batches * size
    transactions = 1_000 * meter.calls["transact_write_items"] / many
    return Cost(what, 0, meter.writes / many, meter.reads / many, transactions)


def click_costs(recipients: int) -> Iterator[Cost]:
    """Of a click: alone, in a mailing as its clicks come, and of a scanner."""
    clicked = int(recipients * CLICK_RATE)
    yield clicking("one click, alone", clicks_of(1, 1, 1), FULL)
    mailing = clicks_of(recipients, clicked, LINKS)
    for batch in (FULL, 100, 10, 2):
        few = mailing if batch == FULL else mailing[: batch * 30]
        yield clicking(f"mailing, {LINKS} links, batches of {batch}", few, batch)
    many = clicks_of(recipients, min(clicked, 5_000), 40)
    yield clicking(f"mailing, 40 links, batches of {FULL}", many, FULL)
    repeated = [replace(c, id=f"{c.id}again") for c in mailing[:2_500]]
    yield clicking("mailing, everybody clicks twice", mailing[:2_500] + repeated, FULL)
    yield clicking("a scanner's flood: one recipient", clicks_of(1, 5_000, LINKS), FULL)


def sending_costs() -> Iterator[Cost]:
    """Of a recipient of a message."""
    yield sending("mailing, batches of 100, keyed", 100, 100, keyed=True)
    yield sending("mailing, batches of 100", 100, 100, keyed=False)
    yield sending("single messages, keyed", 100, 1, keyed=True)
    yield sending("single messages", 100, 1, keyed=False)


def show(title: str, costs: Iterator[Cost]) -> list[Cost]:
    print(f"\n{title}")
    print(f"{'':<42}{'on the path':>12}{'writes':>9}{'reads':>8}{'transactions per 1,000':>24}")
    shown = []
    for cost in costs:
        shown.append(cost)
        print(
            f"{cost.what:<42}{cost.path_writes:>12.2f}{cost.writes:>9.3f}{cost.reads:>8.3f}"
            f"{cost.transactions:>24.1f}"
        )
    return shown


def dollars(click: Cost) -> None:
    """Print what a million clicks of a kind cost, item by item."""
    million, gigabyte = PRICES["million"], PRICES["gigabyte"]
    seconds = REDIRECT_SECONDS + TALLY_SECONDS_A_BATCH / FULL
    parts = {
        "CloudFront requests and function": million["cdn_requests"] + million["cdn_functions"],
        "API Gateway": million["api_requests"],
        "Lambda invocations": million["invocations"] * (1 + 1 / FULL),
        "Lambda time (assumed, see above)": 1e6 * seconds * MEMORY_GB * gigabyte["seconds"],
        "DynamoDB writes": click.writes * million["write_units"],
        "DynamoDB reads": click.reads * million["read_units"],
        "events out": million["events"],
        "logs": 1e6 * LOG_BYTES / 1e9 * gigabyte["logs"],
    }
    print(f"\nA million clicks ({click.what}), US dollars of {PRICES['as_of']}, {PRICES['region']}")
    for name, price in parts.items():
        print(f"{name:<42}{price:>8.2f}")
    print(f"{'together':<42}{sum(parts.values()):>8.2f}")


def main() -> int:
    """Count, and print."""
    recipients = int(sys.argv[1]) if len(sys.argv) > 1 else RECIPIENTS
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    moto_transactions.install()
    clicks = show("Units of a click", _apart(click_costs(recipients)))
    sent = show("Units of a recipient, sending", _apart(sending_costs()))
    dollars(next(cost for cost in clicks if str(FULL) in cost.what))
    dollars(clicks[0])
    million = PRICES["million"]
    for cost in sent:
        price = cost.writes * million["write_units"] + cost.reads * million["read_units"]
        print(f"A million recipients, DynamoDB ({cost.what}): {price:.2f}")
    return 0


def _apart(costs: Iterator[Cost]) -> Iterator[Cost]:
    """Each on empty tables."""
    while True:
        with mock_aws():
            cost = next(costs, None)
        if cost is None:
            return
        yield cost


if __name__ == "__main__":
    sys.exit(main())
