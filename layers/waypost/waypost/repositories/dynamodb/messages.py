"""Messages of campaigns in DynamoDB."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from functools import partial

from waypost.errors import Conflict
from waypost.ids import CampaignCode, WorkspaceCode
from waypost.models import attributes
from waypost.models.attributes import Item
from waypost.models.campaign import (
    MESSAGE_SORT,
    SentMessage,
    campaign_of_partition,
    campaign_partition,
    is_rendered,
    message_key,
)
from waypost.repositories.corrupt_items import readable
from waypost.repositories.dynamodb.client import DynamoClient, batch_get, scan, translated


class DynamoMessages:
    """``waypost.repositories.messages.MessageStore``. ``clock`` gives seconds since 1970."""

    def __init__(
        self, client: DynamoClient, table: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._client = client
        self._table = table
        self._clock = clock

    def keep(self, message: SentMessage) -> bool:
        stored = message.to_item()
        if stored is None:
            return False
        try:
            with translated():
                self._client.put_item(
                    TableName=self._table,
                    Item=stored,
                    ConditionExpression="attribute_not_exists(pk)",
                )
        except Conflict:
            return False
        return True

    def message(self, campaign: CampaignCode) -> SentMessage | None:
        with translated():
            answer = self._client.get_item(TableName=self._table, Key=message_key(campaign))
        stored = answer.get("Item")
        read = partial(SentMessage.from_item, campaign)
        message = next(
            readable("message", read, [stored] if stored else [], campaign=campaign), None
        )
        # An item outlives its time by days.
        return message if message and message.expires > self._clock() else None

    def forget(self, campaign: CampaignCode) -> None:
        with translated():
            self._client.delete_item(TableName=self._table, Key=message_key(campaign))

    def forget_rendered(self, workspace: WorkspaceCode) -> int:
        partition = campaign_partition(CampaignCode(workspace))
        stored = scan(
            self._client,
            self._table,
            FilterExpression="begins_with(pk, :campaigns) AND sk = :message AND NOT rendered = :no",
            ProjectionExpression="pk",
            ExpressionAttributeValues={
                ":campaigns": {"S": partition},
                ":message": {"S": MESSAGE_SORT},
                ":no": {"BOOL": False},
            },
        )
        return self._forget(stored)

    def forget_rendered_of(self, campaigns: Collection[CampaignCode]) -> int:
        keys = map(message_key, campaigns)
        stored = batch_get(self._client, self._table, keys, attributes="pk, rendered")
        return self._forget(one for one in stored if is_rendered(one))

    def _forget(self, stored: Iterable[Item]) -> int:
        campaigns = [campaign_of_partition(attributes.text(found, "pk")) for found in stored]
        for campaign in campaigns:
            self.forget(campaign)
        return len(campaigns)
