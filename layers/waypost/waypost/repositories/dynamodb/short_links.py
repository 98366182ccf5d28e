"""Short links and long destinations in DynamoDB.

Short links are written in transactions of conditional puts: BatchWriteItem has no conditions and
could replace another link (docs/decisions/2026-11-21-short-links.md). A client request token makes
a transaction idempotent, so that it is retried when its response is lost.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Final
from uuid import uuid4

from waypost.errors import StoreUnavailable, WriteConflict
from waypost.ids import WorkspaceId
from waypost.models import attributes
from waypost.models.short_link import LongDestination, ShortLink, destination_key, short_link_key
from waypost.repositories.dynamodb.client import (
    DynamoClient,
    get_cancellation_reasons,
    translate_dynamo_errors,
)
from waypost.retry import Backoff, call_with_retry

MAX_LINKS_PER_TRANSACTION: Final = 100
"""DynamoDB's limit for a transaction."""
MAX_TRANSACTION_ATTEMPTS: Final = 9
"""With the pauses up to 8 s: a table that is new or was idle splits its partitions meanwhile."""
MAX_DESTINATION_ATTEMPTS: Final = 5
"""Write conflicts on one destination after which its message is refused."""
LINK_BACKOFF_SECONDS: Final = 0.05
MAX_LINK_BACKOFF_SECONDS: Final = 2.0

_CONDITION_FAILED: Final = "ConditionalCheckFailed"


class DynamoShortLinkRepository:
    """``waypost.repositories.short_links.ShortLinkRepository``."""

    def __init__(
        self, client: DynamoClient, table: str, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._client = client
        self._table = table
        self._sleep = sleep

    def add(self, links: Sequence[ShortLink]) -> frozenset[str]:
        taken: set[str] = set()
        for start in range(0, len(links), MAX_LINKS_PER_TRANSACTION):
            pending = list(links[start : start + MAX_LINKS_PER_TRANSACTION])
            while pending and (conflicts := self._add_all_or_none(pending)):
                taken |= conflicts
                pending = [link for link in pending if link.code not in conflicts]
        return frozenset(taken)

    def add_destinations(self, destinations: Collection[LongDestination]) -> None:
        for destination in destinations:
            self._add_destination(destination)

    def _add_destination(self, destination: LongDestination) -> None:
        for _ in range(MAX_DESTINATION_ATTEMPTS):
            with suppress(WriteConflict):
                self._put_or_update(destination)
                return
        raise StoreUnavailable("stored destination: write conflicts")

    def _put_or_update(self, destination: LongDestination) -> None:
        """Put a new destination; update one that only one recipient had. Raises WriteConflict."""
        key = destination_key(destination.workspace, destination.digest)
        with translate_dynamo_errors():
            response = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        stored = response.get("Item", {})
        if not stored:
            with translate_dynamo_errors():
                self._client.put_item(
                    TableName=self._table,
                    Item=destination.to_item(),
                    ConditionExpression="attribute_not_exists(pk)",
                )
        elif "recipient" in stored and stored != destination.to_item():
            self._update_destination(destination, stored)

    def _update_destination(self, destination: LongDestination, stored: attributes.Item) -> None:
        """Extend the expiry for the same recipient; for another one, share the destination."""
        values = {":recipient": stored["recipient"]}
        update = "REMOVE recipient, expires"
        if attributes.get_text(stored, "recipient") == destination.recipient:
            update = "SET expires = :expires"
            values |= attributes.build_item({":expires": destination.expires})
        with translate_dynamo_errors():
            self._client.update_item(
                TableName=self._table,
                Key=destination_key(destination.workspace, destination.digest),
                UpdateExpression=update,
                ConditionExpression="recipient = :recipient",
                ExpressionAttributeValues=values,
            )

    def delete(self, code: str) -> bool:
        with translate_dynamo_errors():
            response = self._client.delete_item(
                TableName=self._table, Key=short_link_key(code), ReturnValues="ALL_OLD"
            )
        return bool(response.get("Attributes"))

    def delete_destination(self, workspace: WorkspaceId, digest: str, recipient: str) -> bool:
        try:
            with translate_dynamo_errors():
                self._client.delete_item(
                    TableName=self._table,
                    Key=destination_key(workspace, digest),
                    ConditionExpression="recipient = :recipient",
                    ExpressionAttributeValues={":recipient": {"S": recipient}},
                )
        except WriteConflict:
            return False
        return True

    def get(self, code: str) -> ShortLink | None:
        stored = self._load_item(short_link_key(code))
        return ShortLink.from_item(stored) if stored else None

    def get_destination(self, workspace: WorkspaceId, digest: str) -> str | None:
        stored = self._load_item(destination_key(workspace, digest))
        return attributes.get_text(stored, "href") if stored else None

    def _load_item(self, key: attributes.Item) -> attributes.Item:
        """Read eventually consistent: a message is read long after its links were written."""
        with translate_dynamo_errors():
            response = self._client.get_item(TableName=self._table, Key=key)
        item: attributes.Item = response.get("Item", {})
        return item

    def _add_all_or_none(self, links: Sequence[ShortLink]) -> frozenset[str]:
        """Store all links, or none if codes are taken. Return the taken codes."""
        puts = [
            {
                "TableName": self._table,
                "Item": link.to_item(),
                "ConditionExpression": "attribute_not_exists(pk)",
            }
            for link in links
        ]
        request_token = str(uuid4())

        def write() -> frozenset[str]:
            try:
                with translate_dynamo_errors():
                    self._client.transact_write_items(
                        TransactItems=[{"Put": put} for put in puts],
                        ClientRequestToken=request_token,
                    )
            except WriteConflict as conflict:
                if taken := _conflicting_codes(links, conflict):
                    return taken
                raise StoreUnavailable("short links: write conflict") from conflict
            return frozenset()

        # Equal jitter: a partition splits in time, so short pauses would only spend attempts.
        backoff = Backoff(
            LINK_BACKOFF_SECONDS, MAX_LINK_BACKOFF_SECONDS, fixed_share=0.5, sleep=self._sleep
        )
        return call_with_retry(
            write,
            attempts=MAX_TRANSACTION_ATTEMPTS,
            retry_on=StoreUnavailable,
            before_retry=backoff.wait,
        )


def _conflicting_codes(links: Sequence[ShortLink], conflict: WriteConflict) -> frozenset[str]:
    reasons = get_cancellation_reasons(conflict)
    return frozenset(
        link.code
        for link, reason in zip(links, reasons, strict=False)
        if reason == _CONDITION_FAILED
    )
