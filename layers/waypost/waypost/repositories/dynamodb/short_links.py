"""Short links and long destinations in DynamoDB.

Short links are written in transactions of conditional puts: BatchWriteItem knows no conditions and
would put one link in the place of another (docs/decisions/2026-11-21-short-links.md). A token of
the request makes its repetition harmless, so that an answer that got lost is asked for again.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Sequence
from typing import Final
from uuid import uuid4

from waypost.errors import Conflict, StoreUnavailable
from waypost.ids import WorkspaceCode
from waypost.models import attributes
from waypost.models.short_link import ShortLink, StoredDestination, destination_key, short_link_key
from waypost.repositories.dynamodb.client import DynamoClient, cancellations, translated

ACTIONS: Final = 100
"""What one transaction holds."""
ROUNDS: Final = 9
"""How often one transaction is tried: with its pauses up to 8 seconds, while a table that is new
or was idle splits its partitions.
"""
PAUSE_SECONDS: Final = 0.05
LONGEST_PAUSE_SECONDS: Final = 2.0

_TAKEN: Final = "ConditionalCheckFailed"


class DynamoShortLinks:
    """``waypost.repositories.short_links.ShortLinkStore``."""

    def __init__(
        self, client: DynamoClient, table: str, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._client = client
        self._table = table
        self._sleep = sleep

    def add(self, links: Sequence[ShortLink]) -> frozenset[str]:
        taken: set[str] = set()
        for start in range(0, len(links), ACTIONS):
            waiting = list(links[start : start + ACTIONS])
            while waiting and (lost := self._add(waiting)):
                taken |= lost
                waiting = [link for link in waiting if link.code not in lost]
        return frozenset(taken)

    def keep(self, destinations: Collection[StoredDestination]) -> None:
        for kept in destinations:
            with translated():
                self._client.put_item(TableName=self._table, Item=kept.to_item())

    def find(self, code: str) -> ShortLink | None:
        stored = self._read(short_link_key(code))
        return ShortLink.from_item(stored) if stored else None

    def destination(self, workspace: WorkspaceCode, digest: str) -> str | None:
        stored = self._read(destination_key(workspace, digest))
        return attributes.text(stored, "href") if stored else None

    def _read(self, key: attributes.Item) -> attributes.Item:
        """Not consistent: a message is read long after its links were written."""
        with translated():
            answer = self._client.get_item(TableName=self._table, Key=key)
        stored: attributes.Item = answer.get("Item", {})
        return stored

    def _add(self, links: Sequence[ShortLink]) -> frozenset[str]:
        """Store all links, or none where codes are taken: those codes."""
        puts = [
            {
                "TableName": self._table,
                "Item": link.to_item(),
                "ConditionExpression": "attribute_not_exists(pk)",
            }
            for link in links
        ]
        once = str(uuid4())
        for left in range(ROUNDS - 1, -1, -1):
            try:
                with translated():
                    self._client.transact_write_items(
                        TransactItems=[{"Put": put} for put in puts], ClientRequestToken=once
                    )
            except Conflict as conflict:
                if taken := _taken(links, conflict):
                    return taken
                if not left:
                    raise StoreUnavailable("short links were not stored") from conflict
            except StoreUnavailable:
                if not left:
                    raise
            else:
                return frozenset()
            self._pause(ROUNDS - 1 - left)
        raise AssertionError("unreachable")

    def _pause(self, failures: int) -> None:
        longest = min(PAUSE_SECONDS * 2**failures, LONGEST_PAUSE_SECONDS)
        self._sleep(random.uniform(longest / 2, longest))  # noqa: S311 - jitter


def _taken(links: Sequence[ShortLink], conflict: Conflict) -> frozenset[str]:
    reasons = cancellations(conflict)
    return frozenset(
        link.code for link, reason in zip(links, reasons, strict=False) if reason == _TAKEN
    )
