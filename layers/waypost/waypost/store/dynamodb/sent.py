"""Deliveries counted as sent in DynamoDB, each batch once where its caller names it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Final

from waypost.errors import Conflict
from waypost.ids import CampaignCode, workspace_of
from waypost.models import attributes
from waypost.models.attributes import Item
from waypost.models.counters import SENT
from waypost.repositories.dynamodb.client import DynamoClient, cancellations, translated
from waypost.repositories.dynamodb.counters import CounterShards, add_figures

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
