"""Where a writer keeps a campaign's counters, so that writers do not meet on one item.

Everybody begins in the campaign's own partition. Who meets another there (two transactions on one
item at once: one is cancelled) marks the campaign as spread and moves to a partition of its own
choice. An ordinary campaign never does, and its report stays one query.

Deliveries counted as sent in DynamoDB, each batch once where its caller names it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from typing import Final

from waypost.errors import Conflict, MalformedItem
from waypost.ids import CampaignCode, workspace_of
from waypost.models import attributes
from waypost.models.attributes import Item
from waypost.models.campaign import SORT, campaign_of_partition, campaign_partition
from waypost.models.counters import SENT, CampaignCounts, Increments, signed_figure
from waypost.repositories.corrupt_items import tell_damaged
from waypost.repositories.dynamodb.client import (
    DynamoClient,
    cancellations,
    pages,
    scan,
    translated,
)

SHARDS: Final = 16
SHARD_PREFIX: Final = "N#"
_REMEMBERED: Final = 1_000


class CounterShards:
    """The shard that this writer uses, by campaign."""

    def __init__(self, client: DynamoClient, table: str) -> None:
        self._client = client
        self._table = table
        self._shards: dict[CampaignCode, int] = {}

    def partition(self, campaign: CampaignCode) -> str:
        return campaign_partition(campaign, self._shards.get(campaign, 0))

    def move(self, campaign: CampaignCode) -> None:
        """Choose another shard. The mark is set before anything is counted there, so that no
        reader misses it.
        """
        with translated():
            self._client.update_item(
                TableName=self._table,
                Key=attributes.item({"pk": campaign_partition(campaign), "sk": SORT}),
                UpdateExpression="SET spread = :true",
                ExpressionAttributeValues={":true": {"BOOL": True}},
            )
        if len(self._shards) >= _REMEMBERED:
            self._shards.clear()
        self._shards[campaign] = random.randrange(1, SHARDS)  # noqa: S311 - spreads, hides nothing


def counter_updates(table: str, partition: str, increments: Increments) -> list[Item]:
    """One Update with ADD for each counter that the increments touch."""
    by_counter: dict[str, dict[str, int]] = {}
    for (counter, figure), value in increments.items():
        by_counter.setdefault(counter, {})[figure] = value
    return [
        add_figures(table, partition, counter, figures) for counter, figures in by_counter.items()
    ]


def add_figures(table: str, partition: str, counter: str, figures: Mapping[str, int]) -> Item:
    """An update request that adds figures to a counter, which need not be there yet."""
    names = {f"#{i}": name for i, name in enumerate(figures)}
    values = {f":{i}": attributes.attribute(value) for i, value in enumerate(figures.values())}
    return {
        "TableName": table,  # type: ignore[dict-item]
        "Key": attributes.item({"pk": partition, "sk": f"{SHARD_PREFIX}{counter}"}),
        "UpdateExpression": "ADD " + ", ".join(f"#{i} :{i}" for i in range(len(names))),  # type: ignore[dict-item]
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
    }


def read_counts(
    client: DynamoClient, table: str, campaign: CampaignCode, *, spread: bool
) -> CampaignCounts:
    """The figures of a campaign, summed over the partitions that may hold some."""
    shards = range(SHARDS if spread else 1)
    return CampaignCounts.of(
        counter for shard in shards for counter in _counters(client, table, campaign, shard)
    )


def read_signed(client: DynamoClient, table: str, fingerprint: str) -> dict[CampaignCode, int]:
    """How many links a key signed, by campaign. Reads the whole table."""
    figure = signed_figure(fingerprint)
    counters = scan(
        client,
        table,
        FilterExpression="sk = :sent AND attribute_exists(#signed)",
        ProjectionExpression="pk, #signed",
        ExpressionAttributeNames={"#signed": figure},
        ExpressionAttributeValues={":sent": {"S": f"{SHARD_PREFIX}{SENT}"}},
    )
    signed = Counter[CampaignCode]()
    for counter in counters:
        signed[campaign_of_partition(attributes.text(counter, "pk"))] += attributes.number(
            counter, figure
        )
    return dict(signed)


def _counters(
    client: DynamoClient, table: str, campaign: CampaignCode, shard: int
) -> Iterator[tuple[str, dict[str, int]]]:
    stored = pages(
        client,
        table,
        KeyConditionExpression="pk = :pk AND begins_with(sk, :counters)",
        ExpressionAttributeValues={
            ":pk": {"S": campaign_partition(campaign, shard)},
            ":counters": {"S": SHARD_PREFIX},
        },
        ConsistentRead=True,
    )
    return map(figures_of, stored)


def figures_of(counter: Item) -> tuple[str, dict[str, int]]:
    """A stored counter's name and figures. Raises MalformedItem, and says so in the log."""
    counted = attributes.text(counter, "sk").removeprefix(SHARD_PREFIX)
    try:
        figures = {
            name: attributes.number(counter, name) for name in counter if name not in {"pk", "sk"}
        }
    except MalformedItem as e:
        campaign = campaign_of_partition(attributes.text(counter, "pk"))
        why = MalformedItem(f"the counter {counted} of campaign {campaign}: {e}")
        tell_damaged("counter", why, campaign=campaign, counter=counted)
        raise why from e
    return counted, figures


IDEMPOTENCY_SECONDS: Final = 7 * 86_400
"""How long a key is remembered: longer than any pipeline retries a batch."""
_ATTEMPTS: Final = 5


class SentCounter:
    """Moves a writer's counters of deliveries aside where others write to them.

    ``clock`` gives seconds since 1970.
    """

    def __init__(self, client: DynamoClient, table: str, clock: Callable[[], float]) -> None:
        self._client = client
        self._table = table
        self._clock = clock
        self._shards = CounterShards(client, table)

    def count(
        self, campaign: CampaignCode, figures: Mapping[str, int], idempotency_key: str | None
    ) -> bool:
        """Add figures; False, adding nothing, where the idempotency key was given before."""
        for attempt in range(_ATTEMPTS):
            try:
                self._add_sent(campaign, figures, idempotency_key)
            except Conflict as conflict:
                if "ConditionalCheckFailed" in cancellations(conflict):
                    return False
                if attempt == _ATTEMPTS - 1:
                    raise
                self._shards.move(campaign)
            else:
                break
        return True

    def _add_sent(
        self, campaign: CampaignCode, figures: Mapping[str, int], idempotency_key: str | None
    ) -> None:
        partition = self._shards.partition(campaign)
        update = add_figures(self._table, partition, SENT, figures)
        if idempotency_key is None:
            with translated():
                self._client.update_item(**update)
            return
        put = {
            "TableName": self._table,
            "Item": _idempotency_item(campaign, idempotency_key, int(self._clock())),
            "ConditionExpression": "attribute_not_exists(pk)",
        }
        with translated():
            self._client.transact_write_items(TransactItems=[{"Put": put}, {"Update": update}])


def _idempotency_item(campaign: CampaignCode, key: str, now: int) -> Item:
    digest = sha256(f"{campaign}\n{key}".encode()).hexdigest()
    partition = f"I#{workspace_of(campaign)}#{digest}"
    return attributes.item({"pk": partition, "sk": "I", "expires": now + IDEMPOTENCY_SECONDS})
