"""Sharded counters: a campaign's counters in DynamoDB, moved by atomic ADD.

Writers begin in the campaign's own partition. Two transactions on one item at once cancel each
other, so a writer that meets another marks the campaign as ``spread`` and moves to a
random shard. An ordinary campaign is never sharded, and its report stays one query.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Final

from waypost.cache import Cache
from waypost.errors import CorruptItem, WriteConflict
from waypost.ids import CampaignId, extract_workspace_id
from waypost.models import attributes
from waypost.models.attributes import Item
from waypost.models.campaign import CAMPAIGN_SORT_KEY, campaign_partition, parse_campaign_partition
from waypost.models.counters import SENT_COUNTER, CounterIncrements
from waypost.repositories.corrupt_items import log_corrupt_item
from waypost.repositories.dynamodb.client import (
    DynamoClient,
    DynamoResponse,
    get_cancellation_reasons,
    translate_dynamo_errors,
)
from waypost.retry import call_with_retry

COUNTER_SHARDS: Final = 16
COUNTER_SORT_KEY_PREFIX: Final = "N#"
IDEMPOTENCY_TTL_SECONDS: Final = 7 * 86_400
"""How long an idempotency key is stored: longer than any pipeline retries a batch."""
_MAX_CACHED_SHARDS: Final = 1_000
_MAX_ATTEMPTS: Final = 5


class CounterShards:
    """The shard that this writer uses, by campaign."""

    def __init__(self, client: DynamoClient, table: str) -> None:
        self._client = client
        self._table = table
        self._shards = Cache[CampaignId, int](_MAX_CACHED_SHARDS)

    def get_partition(self, campaign: CampaignId) -> str:
        """Return the partition to add to."""
        return campaign_partition(campaign, self._shards.get(campaign) or 0)

    def switch_shard(self, campaign: CampaignId) -> None:
        """Choose another shard. The mark is set before the first ADD there, so that no reader
        misses it.
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
        shard = random.randrange(1, COUNTER_SHARDS)  # noqa: S311 - spreads load, hides nothing
        self._shards.set(campaign, shard)


class DeliveryCounter:
    """Counts deliveries as sent, once for each idempotency key. ``clock``: seconds since 1970."""

    def __init__(self, client: DynamoClient, table: str, clock: Callable[[], float]) -> None:
        self._client = client
        self._table = table
        self._clock = clock
        self._counter_shards = CounterShards(client, table)

    def add(
        self, campaign: CampaignId, figures: Mapping[str, int], idempotency_key: str | None
    ) -> bool:
        """Add figures. Return False, and add nothing, if the idempotency key was used before."""

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
        update = _build_counter_update(self._table, partition, SENT_COUNTER, figures)
        if idempotency_key is None:
            with translate_dynamo_errors():
                self._client.update_item(**update)
            return
        put = {
            "TableName": self._table,
            "Item": _build_idempotency_item(campaign, idempotency_key, int(self._clock())),
            "ConditionExpression": "attribute_not_exists(pk)",
        }
        with translate_dynamo_errors():
            self._client.transact_write_items(TransactItems=[{"Put": put}, {"Update": update}])


def build_counter_updates(
    table: str, partition: str, increments: CounterIncrements
) -> list[DynamoResponse]:
    """Build one Update with ADD for each counter that the increments change."""
    by_counter: dict[str, dict[str, int]] = {}
    for (counter, figure), value in increments.items():
        by_counter.setdefault(counter, {})[figure] = value
    return [
        _build_counter_update(table, partition, counter, figures)
        for counter, figures in by_counter.items()
    ]


def parse_counter(counter: Item) -> tuple[str, dict[str, int]]:
    """Read a stored counter's name and figures. Raises CorruptItem, and logs it."""
    name = attributes.get_text(counter, "sk").removeprefix(COUNTER_SORT_KEY_PREFIX)
    try:
        figures = {
            figure: attributes.get_number(counter, figure)
            for figure in counter
            if figure not in {"pk", "sk"}
        }
    except CorruptItem as e:
        campaign = parse_campaign_partition(attributes.get_text(counter, "pk"))
        error = CorruptItem(f"counter {name} of campaign {campaign}: {e}")
        log_corrupt_item("counter", error, campaign=campaign, counter=name)
        raise error from e
    return name, figures


def _build_counter_update(
    table: str, partition: str, counter: str, figures: Mapping[str, int]
) -> DynamoResponse:
    """Build an Update that adds figures to a counter, and creates it if it is missing."""
    sort_key = f"{COUNTER_SORT_KEY_PREFIX}{counter}"
    return {
        "TableName": table,
        "Key": attributes.build_item({"pk": partition, "sk": sort_key}),
        "UpdateExpression": "ADD " + ", ".join(f"#{i} :{i}" for i in range(len(figures))),
        "ExpressionAttributeNames": {f"#{i}": name for i, name in enumerate(figures)},
        "ExpressionAttributeValues": {
            f":{i}": attributes.to_attribute(value) for i, value in enumerate(figures.values())
        },
    }


def _build_idempotency_item(campaign: CampaignId, key: str, now: int) -> Item:
    digest = sha256(f"{campaign}\n{key}".encode()).hexdigest()
    partition = f"I#{extract_workspace_id(campaign)}#{digest}"
    return attributes.build_item(
        {"pk": partition, "sk": "I", "expires": now + IDEMPOTENCY_TTL_SECONDS}
    )
