"""Count the capacity units of every call to DynamoDB, by the rules of its bill.

A meter around the client adds up the cost of each call. Sizes follow "Capacity unit consumption"
and "item sizes" in DynamoDB's developer guide: UTF-8 lengths of names and values. A write costs a
unit for each started KB of the larger of the item before and after; a consistent read costs one for
each started 4 KB. A transaction costs twice, and a failed condition costs, too.

The tables are those of template.yaml, in moto.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import ceil
from pathlib import Path
from typing import Any

import boto3

from local.template import load_template
from tests.rewrite_harness import FakeBaseUrls
from waypost.bot_detection.scoring import BotVerdict
from waypost.composition import (
    Repositories,
    TableNames,
    build_rewrite_service,
    build_tally_service,
)
from waypost.ids import derive_campaign_id, derive_link_id
from waypost.models.click import Click
from waypost.repositories.dynamodb.client import DynamoClient
from waypost.tally.service import TallyService
from waypost.tokens import Keyring, TokenSealer

StoredItem = Mapping[str, Mapping[str, Any]]


class CapacityMeter:
    """A DynamoDB client that adds up ``calls``, and the units in ``writes`` and ``reads``."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - clients have no common type
        self._client = client
        self._sizes: dict[tuple[str, str, str], int] = {}
        self.calls: Counter[str] = Counter()
        self.writes = 0.0
        self.reads = 0.0

    def reset(self) -> None:
        """Set the sums to zero; the sizes of stored items are kept."""
        self.calls, self.writes, self.reads = Counter(), 0.0, 0.0

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)

        def call(**request: Any) -> Any:  # noqa: ANN401
            self.calls[name] += 1
            self.writes += self._count_write_units(name, request)
            answer = method(**request)
            self.reads += _count_read_units(name, request, answer)
            return answer

        return call

    def _count_write_units(self, name: str, request: Mapping[str, Any]) -> float:
        if name == "transact_write_items":
            actions = [pair for action in request["TransactItems"] for pair in action.items()]
            return sum(2 * self._count_item_units(kind, action) for kind, action in actions)
        if name == "batch_write_item":
            ((table, writes),) = request["RequestItems"].items()
            puts = [{"TableName": table, **write["PutRequest"]} for write in writes]
            return sum(self._count_item_units("Put", put) for put in puts)
        kinds = {"put_item": "Put", "update_item": "Update", "delete_item": "Delete"}
        return self._count_item_units(kinds[name], request) if name in kinds else 0.0

    def _count_item_units(self, action: str, request: Mapping[str, Any]) -> int:
        if action not in {"Put", "Update", "Delete"}:
            raise ValueError(f"transaction: unknown cost of an action ({action})")
        stored: StoredItem = request.get("Item") or request["Key"]
        key = (request["TableName"], stored["pk"]["S"], stored.get("sk", {}).get("S", ""))
        before, after = self._sizes.get(key, 0), measure_item(stored) if action == "Put" else 0
        if action == "Update":
            after = max(before, measure_item(stored) + measure_update(request))
        self._sizes[key] = after
        return max(1, ceil(max(before, after) / 1024))


def measure_item(stored: StoredItem) -> int:
    """Compute the bytes of an item."""
    return sum(len(name.encode()) + _measure_value(value) for name, value in stored.items())


def measure_update(update: Mapping[str, Any]) -> int:
    """Compute the maximum bytes that an update adds: its names and values."""
    names = sum(len(name) for name in update.get("ExpressionAttributeNames", {}).values())
    return names + sum(map(_measure_value, update.get("ExpressionAttributeValues", {}).values()))


def _measure_value(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return (len(content.strip("-").strip("0")) + 1) // 2 + 1
        case "B":
            return len(content)
        case "BOOL" | "NULL":
            return 1
        case "L":
            return 3 + sum(1 + _measure_value(each) for each in content)
        case "M":
            return 3 + sum(1 + len(k.encode()) + _measure_value(v) for k, v in content.items())
        case _:
            return sum(map(len, content))


def _count_read_units(name: str, request: Mapping[str, Any], answer: Mapping[str, Any]) -> float:
    if name == "get_item":
        return _count_blocks([answer.get("Item", {})]) * _consistency_factor(request)
    if name in {"query", "scan"}:
        return max(1, ceil(sum(map(measure_item, answer["Items"])) / 4096)) * _consistency_factor(
            request
        )
    if name == "batch_get_item":
        ((table, asked),) = request["RequestItems"].items()
        found = answer["Responses"].get(table, [])
        missing = len(asked["Keys"]) - len(found)
        return (_count_blocks(found) + missing) * _consistency_factor(asked)
    return 0.0


def _consistency_factor(request: Mapping[str, Any]) -> float:
    return 1.0 if request.get("ConsistentRead") else 0.5


def _count_blocks(items: Iterable[StoredItem]) -> int:
    return sum(max(1, ceil(measure_item(stored) / 4096)) for stored in items)


NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
AGENT = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1"
)
HREF = "https://shop.example.com/sale/{n}?utm_source=newsletter&utm_medium=email&utm_campaign=s"


class MeteredStack:
    """The tables, the meter, and the services on them."""

    def __init__(self) -> None:
        self.client = boto3.client("dynamodb", region_name="us-east-1")
        names = ("Clicks", "Campaigns", "Workspaces", "ShortLinks")
        self._tables = TableNames(*(_create_table(self.client, name) for name in names))
        self.meter = CapacityMeter(self.client)
        repositories = Repositories(self.meter, self._tables)
        self.clicks = repositories.clicks
        self.tally = self.build_tally(self.meter)
        sealer = TokenSealer(Keyring((b"k" * 32,)))
        self.rewrite_service = build_rewrite_service(
            repositories,
            FakeBaseUrls(),
            lambda: sealer,
            retention_days=400,
            now=lambda: NOON,
        )

    def build_tally(self, client: DynamoClient) -> TallyService:
        """Build a tally that uses another client."""
        return build_tally_service(Repositories(client, self._tables), self)  # type: ignore[arg-type]  # stands in for a bus

    def publish(self, clicks: Sequence[tuple[Click, BotVerdict]]) -> set[str]:
        """Accept every event, as the event bus."""
        return {click.id for click, _ in clicks}


def _create_table(client: Any, name: str) -> str:  # noqa: ANN401 - clients have no common type
    properties = load_template(Path("template.yaml")).resources[f"{name}Table"].properties
    schema = {key: properties[key] for key in ("KeySchema", "AttributeDefinitions", "BillingMode")}
    client.create_table(TableName=name, **schema)
    return name


def generate_clicks(people_count: int, click_count: int, link_count: int) -> list[Click]:
    """Generate clicks in order of time, by random people on links of decreasing popularity."""
    chance = random.Random(1)
    campaign = derive_campaign_id("acme", "spring-sale")
    codes = [derive_link_id(campaign, HREF.format(n=n)) for n in range(link_count)]
    weights = [1 / (n + 1) for n in range(link_count)]
    who = (
        chance.sample(range(people_count), click_count)
        if click_count <= people_count
        else [0] * click_count
    )
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
