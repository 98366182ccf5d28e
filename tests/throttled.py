"""A table that throttles, loses answers, and otherwise does what DynamoDB says it does."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from waypost.repositories.dynamodb.short_links import ACTIONS, DynamoShortLinks


class Refused(Exception):
    """What a client raises for an answer of DynamoDB's that is an error."""

    def __init__(self, code: str, reasons: list[str] | None = None) -> None:
        super().__init__(code)
        self.response = {
            "Error": {"Code": code},
            "CancellationReasons": [{"Code": reason} for reason in reasons or []],
        }


class Table:
    """Takes transactions of conditional puts: all or none, known again by their token. ``faults``
    make it fail, before it wrote or after.
    """

    def __init__(self, faults: random.Random | None = None) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.seen: Counter[str] = Counter()
        self._faults = faults
        self._known: dict[str, list[dict[str, Any]]] = {}

    def transact_write_items(self, **request: Any) -> dict[str, Any]:
        dice = self._faults.random() if self._faults else 1.0
        if dice < 0.15:
            self.seen["throttled"] += 1
            reasons = ["None"] * (len(request["TransactItems"]) - 1) + ["ThrottlingError"]
            raise Refused("TransactionCanceledException", reasons)
        if dice < 0.2:
            self.seen["refused"] += 1
            raise Refused("ProvisionedThroughputExceededException")
        self._write(request)
        if dice < 0.3:
            self.seen["answer lost"] += 1
            raise OSError("the answer got lost")
        return {}

    def _write(self, request: dict[str, Any]) -> None:
        actions: list[dict[str, Any]] = request["TransactItems"]
        assert len(actions) <= ACTIONS
        if self._known.setdefault(request["ClientRequestToken"], actions) is not actions:
            assert self._known[request["ClientRequestToken"]] == actions
            return
        keys = [action["Put"]["Item"]["pk"]["S"] for action in actions]
        assert len(set(keys)) == len(keys)
        assert all("attribute_not_exists" in a["Put"]["ConditionExpression"] for a in actions)
        if taken := set(keys) & self.items.keys():
            del self._known[request["ClientRequestToken"]]
            reasons = ["ConditionalCheckFailed" if key in taken else "None" for key in keys]
            raise Refused("TransactionCanceledException", reasons)
        self.items |= {a["Put"]["Item"]["pk"]["S"]: a["Put"]["Item"] for a in actions}

    def get_item(self, **request: Any) -> dict[str, Any]:
        found = self.items.get(request["Key"]["pk"]["S"])
        return {"Item": found} if found else {}


def over(table: Table, sleep: Callable[[float], None] = lambda _: None) -> DynamoShortLinks:
    """The store over such a table, without its pauses."""
    return DynamoShortLinks(table, "short-links", sleep)  # type: ignore[arg-type]
