"""A fake DynamoDB table that throttles calls and loses responses."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from waypost.repositories.dynamodb.short_links import (
    MAX_LINKS_PER_TRANSACTION,
    DynamoShortLinkRepository,
)


class DynamoRefusal(Exception):
    """The error that a client raises for an error response of DynamoDB."""

    def __init__(self, code: str, reasons: list[str] | None = None) -> None:
        super().__init__(code)
        self.response = {
            "Error": {"Code": code},
            "CancellationReasons": [{"Code": reason} for reason in reasons or []],
        }


class ThrottlingTable:
    """A table for idempotent transactions of conditional puts.

    With ``faults``, calls fail at random, before or after the write.
    """

    def __init__(self, faults: random.Random | None = None) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.fault_counts: Counter[str] = Counter()
        self._random = faults
        self._transactions: dict[str, list[dict[str, Any]]] = {}

    def transact_write_items(self, **request: Any) -> dict[str, Any]:
        dice = self._random.random() if self._random else 1.0
        if dice < 0.15:
            self.fault_counts["throttled"] += 1
            reasons = ["None"] * (len(request["TransactItems"]) - 1) + ["ThrottlingError"]
            raise DynamoRefusal("TransactionCanceledException", reasons)
        if dice < 0.2:
            self.fault_counts["refused"] += 1
            raise DynamoRefusal("ProvisionedThroughputExceededException")
        self._write(request)
        if dice < 0.3:
            self.fault_counts["answer lost"] += 1
            raise OSError("the response was lost")
        return {}

    def _write(self, request: dict[str, Any]) -> None:
        actions: list[dict[str, Any]] = request["TransactItems"]
        assert len(actions) <= MAX_LINKS_PER_TRANSACTION
        if self._transactions.setdefault(request["ClientRequestToken"], actions) is not actions:
            assert self._transactions[request["ClientRequestToken"]] == actions
            return
        keys = [action["Put"]["Item"]["pk"]["S"] for action in actions]
        assert len(set(keys)) == len(keys)
        assert all("attribute_not_exists" in a["Put"]["ConditionExpression"] for a in actions)
        if taken := set(keys) & self.items.keys():
            del self._transactions[request["ClientRequestToken"]]
            reasons = ["ConditionalCheckFailed" if key in taken else "None" for key in keys]
            raise DynamoRefusal("TransactionCanceledException", reasons)
        self.items |= {a["Put"]["Item"]["pk"]["S"]: a["Put"]["Item"] for a in actions}

    def get_item(self, **request: Any) -> dict[str, Any]:
        item = self.items.get(request["Key"]["pk"]["S"])
        return {"Item": item} if item else {}


def create_repository(
    table: ThrottlingTable, sleep: Callable[[float], None] = lambda _: None
) -> DynamoShortLinkRepository:
    """Create the repository of short links on the table; it retries without delay by default."""
    return DynamoShortLinkRepository(table, "short-links", sleep)  # type: ignore[arg-type]
