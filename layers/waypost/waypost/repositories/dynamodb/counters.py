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

from waypost.cache import Cache
from waypost.errors import CorruptItem, WriteConflict
from waypost.ids import CampaignId, extract_workspace_id
from waypost.models import attributes
from waypost.models.attributes import Item
from waypost.models.campaign import CAMPAIGN_SORT_KEY, campaign_partition, parse_campaign_partition
from waypost.models.counters import (
    SENT_COUNTER,
    CampaignCounts,
    CounterIncrements,
    signing_key_figure,
)
from waypost.repositories.corrupt_items import log_corrupt_item
from waypost.repositories.dynamodb.client import (
    DynamoClient,
    get_cancellation_reasons,
    query_all,
    scan_all,
    translate_dynamo_errors,
)
from waypost.retry import call_with_retry

COUNTER_SHARDS: Final = 16
COUNTER_SORT_KEY_PREFIX: Final = "N#"
_MAX_CACHED_SHARDS: Final = 1_000


class CounterShards:
    """The shard that this writer uses, by campaign."""

    def __init__(self, client: DynamoClient, table: str) -> None:
        self._client = client
        self._table = table
        self._shards = Cache[CampaignId, int](_MAX_CACHED_SHARDS)

    def get_partition(self, campaign: CampaignId) -> str:
        return campaign_partition(campaign, self._shards.get(campaign) or 0)

    def switch_shard(self, campaign: CampaignId) -> None:
        """Choose another shard. The mark is set before anything is counted there, so that no
        reader misses it.
        """
        with translate_dynamo_errors():
            self._client.update_item(
                TableName=self._table,
                Key=attributes.build_item(
                    {"pk": campaign_partition(campaign), "sk": CAMPAIGN_SORT_KEY}
                ),
                UpdateExpression="SET spread = :true",
                ExpressionAttributeValues={":true": {"BOOL": True}},
            )
        shard = random.randrange(1, COUNTER_SHARDS)  # noqa: S311 - spreads, hides nothing
        self._shards.set(campaign, shard)


def build_counter_updates(table: str, partition: str, increments: CounterIncrements) -> list[Item]:
    """One Update with ADD for each counter that the increments touch."""
    by_counter: dict[str, dict[str, int]] = {}
    for (counter, figure), value in increments.items():
        by_counter.setdefault(counter, {})[figure] = value
    return [
        build_counter_update(table, partition, counter, figures)
        for counter, figures in by_counter.items()
    ]


def build_counter_update(
    table: str, partition: str, counter: str, figures: Mapping[str, int]
) -> Item:
    """An update request that adds figures to a counter, which need not be there yet."""
    names = {f"#{i}": name for i, name in enumerate(figures)}
    values = {f":{i}": attributes.to_attribute(value) for i, value in enumerate(figures.values())}
    return {
        "TableName": table,  # type: ignore[dict-item]
        "Key": attributes.build_item(
            {"pk": partition, "sk": f"{COUNTER_SORT_KEY_PREFIX}{counter}"}
        ),
        "UpdateExpression": "ADD " + ", ".join(f"#{i} :{i}" for i in range(len(names))),  # type: ignore[dict-item]
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
    }


def load_counts(
    client: DynamoClient, table: str, campaign: CampaignId, *, is_sharded: bool
) -> CampaignCounts:
    """The figures of a campaign, summed over the partitions that may hold some."""
    shards = range(COUNTER_SHARDS if is_sharded else 1)
    return CampaignCounts.from_counters(
        counter for shard in shards for counter in _query_counters(client, table, campaign, shard)
    )


def scan_links_by_key(client: DynamoClient, table: str, fingerprint: str) -> dict[CampaignId, int]:
    """How many links a key signed, by campaign. Reads the whole table."""
    figure = signing_key_figure(fingerprint)
    counters = scan_all(
        client,
        table,
        FilterExpression="sk = :sent AND attribute_exists(#signed)",
        ProjectionExpression="pk, #signed",
        ExpressionAttributeNames={"#signed": figure},
        ExpressionAttributeValues={":sent": {"S": f"{COUNTER_SORT_KEY_PREFIX}{SENT_COUNTER}"}},
    )
    signed = Counter[CampaignId]()
    for counter in counters:
        signed[parse_campaign_partition(attributes.get_text(counter, "pk"))] += (
            attributes.get_number(counter, figure)
        )
    return dict(signed)


def _query_counters(
    client: DynamoClient, table: str, campaign: CampaignId, shard: int
) -> Iterator[tuple[str, dict[str, int]]]:
    stored = query_all(
        client,
        table,
        KeyConditionExpression="pk = :pk AND begins_with(sk, :counters)",
        ExpressionAttributeValues={
            ":pk": {"S": campaign_partition(campaign, shard)},
            ":counters": {"S": COUNTER_SORT_KEY_PREFIX},
        },
        ConsistentRead=True,
    )
    return map(parse_counter, stored)


def parse_counter(counter: Item) -> tuple[str, dict[str, int]]:
    """A stored counter's name and figures. Raises MalformedItem, and says so in the log."""
    counted = attributes.get_text(counter, "sk").removeprefix(COUNTER_SORT_KEY_PREFIX)
    try:
        figures = {
            name: attributes.get_number(counter, name)
            for name in counter
            if name not in {"pk", "sk"}
        }
    except CorruptItem as e:
        campaign = parse_campaign_partition(attributes.get_text(counter, "pk"))
        why = CorruptItem(f"the counter {counted} of campaign {campaign}: {e}")
        log_corrupt_item("counter", why, campaign=campaign, counter=counted)
        raise why from e
    return counted, figures


IDEMPOTENCY_TTL_SECONDS: Final = 7 * 86_400
"""How long a key is remembered: longer than any pipeline retries a batch."""
_MAX_ATTEMPTS: Final = 5


class DeliveryCounter:
    """Moves a writer's counters of deliveries aside where others write to them.

    ``clock`` gives seconds since 1970.
    """

    def __init__(self, client: DynamoClient, table: str, clock: Callable[[], float]) -> None:
        self._client = client
        self._table = table
        self._clock = clock
        self._counter_shards = CounterShards(client, table)

    def add(
        self, campaign: CampaignId, figures: Mapping[str, int], idempotency_key: str | None
    ) -> bool:
        """Add figures; False, adding nothing, where the idempotency key was given before."""

        def write() -> bool:
            try:
                self._write_figures(campaign, figures, idempotency_key)
            except WriteConflict as conflict:
                if "ConditionalCheckFailed" in get_cancellation_reasons(conflict):
                    return False
                raise
            return True

        return call_with_retry(
            write,
            attempts=_MAX_ATTEMPTS,
            retry_on=WriteConflict,
            before_retry=lambda _failures: self._counter_shards.switch_shard(campaign),
        )

    def _write_figures(
        self, campaign: CampaignId, figures: Mapping[str, int], idempotency_key: str | None
    ) -> None:
        partition = self._counter_shards.get_partition(campaign)
        update = build_counter_update(self._table, partition, SENT_COUNTER, figures)
        if idempotency_key is None:
            with translate_dynamo_errors():
                self._client.update_item(**update)
            return
        put = {
            "TableName": self._table,
            "Item": _idempotency_item(campaign, idempotency_key, int(self._clock())),
            "ConditionExpression": "attribute_not_exists(pk)",
        }
        with translate_dynamo_errors():
            self._client.transact_write_items(TransactItems=[{"Put": put}, {"Update": update}])


def _idempotency_item(campaign: CampaignId, key: str, now: int) -> Item:
    digest = sha256(f"{campaign}\n{key}".encode()).hexdigest()
    partition = f"I#{extract_workspace_id(campaign)}#{digest}"
    return attributes.build_item(
        {"pk": partition, "sk": "I", "expires": now + IDEMPOTENCY_TTL_SECONDS}
    )
