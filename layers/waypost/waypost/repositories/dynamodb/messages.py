"""Sent messages in DynamoDB."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from functools import partial
from typing import Final

from waypost.errors import CorruptItem, WriteConflict
from waypost.ids import CampaignId, WorkspaceId
from waypost.models import attributes
from waypost.models.attributes import Item
from waypost.models.campaign import (
    MESSAGE_SLOTS,
    MESSAGE_SORT_KEY,
    MESSAGE_STATE_SORT_KEY,
    MessageAbsence,
    SentMessage,
    campaign_partition,
    may_name_recipient,
    message_keys,
    message_state_key,
    parse_campaign_partition,
)
from waypost.repositories.corrupt_items import skip_corrupt_items
from waypost.repositories.dynamodb.client import (
    DynamoClient,
    batch_get,
    scan_all,
    translate_dynamo_errors,
)

_STORED: Final = "stored"
"""The state of a campaign with a message; without one, the message has expired."""


class DynamoMessageRepository:
    """``waypost.repositories.messages.MessageRepository``. ``clock`` gives seconds since 1970."""

    def __init__(
        self, client: DynamoClient, table: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._client = client
        self._table = table
        self._clock = clock

    def add(self, message: SentMessage) -> bool:
        values = message.to_attributes()
        if values is None:
            self.note_absence(message.campaign, MessageAbsence.TOO_LARGE)
            return False
        # Reading the items costs a tenth of a put that fails.
        for _ in range(MESSAGE_SLOTS + 1):
            key = self._find_free_key(message)
            if key is None:
                return False
            with suppress(WriteConflict):
                self._put_with_state(key | values)
                return True
        return False

    def _find_free_key(self, message: SentMessage) -> Item | None:
        """Return the key under which to store a message, None if it is not needed."""
        keys = message_keys(message.campaign)
        stored = list(batch_get(self._client, self._table, keys, projection="pk, sk, recipient"))
        stored_keys = [{"pk": item["pk"], "sk": item["sk"]} for item in stored]
        shared_key, *slot_keys = keys
        if shared_key in stored_keys:
            return None
        if message.recipient is None:
            return shared_key
        if attributes.to_attribute(message.recipient) in [item.get("recipient") for item in stored]:
            return None
        return next((key for key in slot_keys if key not in stored_keys), None)

    def note_absence(self, campaign: CampaignId, reason: MessageAbsence) -> None:
        state = message_state_key(campaign) | attributes.build_item({"reason": reason})
        with suppress(WriteConflict), translate_dynamo_errors():
            self._client.put_item(
                TableName=self._table, Item=state, ConditionExpression="attribute_not_exists(pk)"
            )

    def get(self, campaign: CampaignId) -> SentMessage | MessageAbsence:
        keys = [*message_keys(campaign), message_state_key(campaign)]
        loaded = batch_get(self._client, self._table, keys, consistent=False)
        items = {attributes.get_text(item, "sk"): item for item in loaded}
        state = items.pop(MESSAGE_STATE_SORT_KEY, {})
        parse = partial(SentMessage.from_item, campaign)
        stored = [items[sort_key] for sort_key in sorted(items)]
        messages = list(skip_corrupt_items("message", parse, stored, campaign=campaign))
        for message in messages:
            if message.expires > self._clock():  # DynamoDB deletes an expired item days later
                return message
        if messages:
            return MessageAbsence.EXPIRED
        return MessageAbsence.CORRUPT if stored else _parse_state(state)

    def delete_personal_by_workspace(self, workspace: WorkspaceId, recipient: str) -> int:
        stored = scan_all(
            self._client,
            self._table,
            FilterExpression="begins_with(pk, :campaigns) AND begins_with(sk, :message)"
            " AND sk <> :state",
            ProjectionExpression="pk, sk, rendered, recipient",
            ExpressionAttributeValues={
                ":campaigns": {"S": campaign_partition(CampaignId(workspace))},
                ":message": {"S": MESSAGE_SORT_KEY},
                ":state": {"S": MESSAGE_STATE_SORT_KEY},
            },
        )
        return self._delete_personal(stored, recipient)

    def delete_personal_by_campaigns(
        self, campaigns: Collection[CampaignId], recipient: str
    ) -> int:
        keys = [key for campaign in campaigns for key in message_keys(campaign)]
        projection = "pk, sk, rendered, recipient"
        stored = batch_get(self._client, self._table, keys, projection=projection)
        return self._delete_personal(stored, recipient)

    def _delete_personal(self, items: Iterable[Item], recipient: str) -> int:
        personal = [item for item in items if may_name_recipient(item, recipient)]
        for item in personal:
            self._delete(item)
        return len(personal)

    def _delete(self, item: Item) -> None:
        """Delete a message; before the last one, note the reason, so that both are repeatable."""
        campaign = parse_campaign_partition(attributes.get_text(item, "pk"))
        keys = message_keys(campaign)
        if len(list(batch_get(self._client, self._table, keys, projection="pk"))) <= 1:
            self._note_erasure(campaign)
        with translate_dynamo_errors():
            self._client.delete_item(
                TableName=self._table, Key={"pk": item["pk"], "sk": item["sk"]}
            )

    def _note_erasure(self, campaign: CampaignId) -> None:
        with translate_dynamo_errors():
            self._client.update_item(
                TableName=self._table,
                Key=message_state_key(campaign),
                UpdateExpression="SET reason = :reason",
                ExpressionAttributeValues={":reason": {"S": MessageAbsence.ERASED}},
            )

    def _put_with_state(self, item: Item) -> None:
        """Put a message unless its place is taken, together with its state."""
        campaign = parse_campaign_partition(attributes.get_text(item, "pk"))
        state = message_state_key(campaign) | attributes.build_item({"reason": _STORED})
        condition = {"ConditionExpression": "attribute_not_exists(pk)"}
        with translate_dynamo_errors():
            self._client.transact_write_items(
                TransactItems=[
                    {"Put": {"TableName": self._table, "Item": item, **condition}},
                    {"Put": {"TableName": self._table, "Item": state}},
                ]
            )


def _parse_state(item: Item) -> MessageAbsence:
    """Return the reason of a state. Without one, no message was ever stored."""
    try:
        state = attributes.get_text(item, "reason")
        return MessageAbsence.EXPIRED if state == _STORED else MessageAbsence(state)
    except (ValueError, CorruptItem):
        return MessageAbsence.NOT_STORED
