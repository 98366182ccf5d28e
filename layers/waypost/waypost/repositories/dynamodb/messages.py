"""Sent messages in DynamoDB."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from functools import partial

from waypost.errors import WriteConflict
from waypost.ids import CampaignId, WorkspaceId
from waypost.models import attributes
from waypost.models.attributes import Item
from waypost.models.campaign import (
    MESSAGE_SORT_KEY,
    SentMessage,
    campaign_partition,
    is_personal,
    message_key,
    parse_campaign_partition,
)
from waypost.repositories.corrupt_items import skip_corrupt_items
from waypost.repositories.dynamodb.client import (
    DynamoClient,
    batch_get,
    scan_all,
    translate_dynamo_errors,
)


class DynamoMessageRepository:
    """``waypost.repositories.messages.MessageRepository``. ``clock`` gives seconds since 1970."""

    def __init__(
        self, client: DynamoClient, table: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._client = client
        self._table = table
        self._clock = clock

    def add(self, message: SentMessage) -> bool:
        item = message.to_item()
        if item is None:
            return False
        try:
            with translate_dynamo_errors():
                self._client.put_item(
                    TableName=self._table,
                    Item=item,
                    ConditionExpression="attribute_not_exists(pk)",
                )
        except WriteConflict:
            return False
        return True

    def get(self, campaign: CampaignId) -> SentMessage | None:
        with translate_dynamo_errors():
            response = self._client.get_item(TableName=self._table, Key=message_key(campaign))
        items = [response["Item"]] if "Item" in response else []
        parse = partial(SentMessage.from_item, campaign)
        message = next(skip_corrupt_items("message", parse, items, campaign=campaign), None)
        # DynamoDB deletes an expired item days later.
        return message if message and message.expires > self._clock() else None

    def delete(self, campaign: CampaignId) -> None:
        with translate_dynamo_errors():
            self._client.delete_item(TableName=self._table, Key=message_key(campaign))

    def delete_personal_by_workspace(self, workspace: WorkspaceId) -> int:
        partition = campaign_partition(CampaignId(workspace))
        stored = scan_all(
            self._client,
            self._table,
            FilterExpression="begins_with(pk, :campaigns) AND sk = :message AND NOT rendered = :no",
            ProjectionExpression="pk",
            ExpressionAttributeValues={
                ":campaigns": {"S": partition},
                ":message": {"S": MESSAGE_SORT_KEY},
                ":no": {"BOOL": False},
            },
        )
        return self._delete_all(stored)

    def delete_personal_by_campaigns(self, campaigns: Collection[CampaignId]) -> int:
        keys = map(message_key, campaigns)
        stored = batch_get(self._client, self._table, keys, projection="pk, rendered")
        return self._delete_all(item for item in stored if is_personal(item))

    def _delete_all(self, items: Iterable[Item]) -> int:
        campaigns = [parse_campaign_partition(attributes.get_text(item, "pk")) for item in items]
        for campaign in campaigns:
            self.delete(campaign)
        return len(campaigns)
