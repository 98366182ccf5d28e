"""Which permissions a request to a service needs.

A request may need several: a transaction needs those of each of its actions, and none of its own.
The rules are those of the Service Authorization Reference. For a service that has none here the
resource is ``*``, which only a statement about ``*`` allows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

Request: TypeAlias = Mapping[str, Any]  # an operation's parameters
HashKey: TypeAlias = Callable[[str], str]  # a table's partition key, by the table's name

_KEYED: Final = frozenset({"GetItem", "PutItem", "UpdateItem", "DeleteItem"})
_IN_TRANSACTIONS: Final = {
    "Get": "GetItem",
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}
_CONDITION: Final = re.compile(r"([#\w]+) *= *(:\w+)")


@dataclass(frozen=True, slots=True)
class Need:
    """``action`` as policies name it; ``leading_keys``: the partition keys that are asked for."""

    action: str
    resource: str
    leading_keys: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Needs:
    """What operations need in one region of one account."""

    region: str
    account: str
    hash_key: HashKey

    def of(self, service: str, operation: str, request: Request) -> list[Need]:
        """``service`` as requests are signed for it."""
        if service == "dynamodb":
            return list(self._dynamodb(operation, request))
        return [Need(f"{service}:{operation}", each) for each in self._resources(service, request)]

    def _resources(self, service: str, request: Request) -> list[str]:
        if service == "sqs" and "QueueUrl" in request:
            return [self._arn("sqs", request["QueueUrl"].rpartition("/")[2])]
        if service == "secretsmanager" and "SecretId" in request:
            name = request["SecretId"]
            return [name if name.startswith("arn:") else self._arn(service, f"secret:{name}")]
        if service == "events" and "Entries" in request:
            buses = [entry.get("EventBusName", "default") for entry in request["Entries"]]
            names = {bus.rpartition("/")[2] for bus in buses}
            return [self._arn("events", f"event-bus/{name}") for name in sorted(names)]
        if service == "ses" and "EmailIdentity" in request:
            return [self._arn("ses", f"identity/{request['EmailIdentity']}")]
        return ["*"]

    def _dynamodb(self, operation: str, request: Request) -> Iterator[Need]:
        if "TransactItems" in request:
            for item in request["TransactItems"]:
                for name, action in item.items():
                    yield self._keyed(_IN_TRANSACTIONS[name], action)
        elif "RequestItems" in request:
            for table, asked in request["RequestItems"].items():
                yield self._batch(operation, table, asked)
        elif operation in _KEYED:
            yield self._keyed(operation, request)
        elif "StreamArn" in request or "ShardIterator" in request:
            stream = request.get("StreamArn") or request["ShardIterator"].partition("|")[0]
            yield Need(f"dynamodb:{operation}", stream)
        elif operation == "ListStreams":
            yield Need("dynamodb:ListStreams", "*")
        else:
            yield self._read(operation, request)

    def _keyed(self, operation: str, request: Request) -> Need:
        table = request["TableName"]
        item = request.get("Key") or request["Item"]
        return Need(f"dynamodb:{operation}", self._table(table), self._keys(table, [item]))

    def _batch(self, operation: str, table: str, asked: Any) -> Need:  # noqa: ANN401
        if operation == "BatchGetItem":
            items = asked["Keys"]
        else:
            changes = [change for each in asked for change in each.values()]
            items = [change.get("Key") or change["Item"] for change in changes]
        return Need(f"dynamodb:{operation}", self._table(table), self._keys(table, items))

    def _read(self, operation: str, request: Request) -> Need:
        """Query names its partition key in an expression; Scan names none."""
        resource = self._table(request["TableName"])
        if "IndexName" in request:
            return Need(f"dynamodb:{operation}", f"{resource}/index/{request['IndexName']}")
        names = request.get("ExpressionAttributeNames", {})
        keys = {
            _text(request["ExpressionAttributeValues"][value])
            for name, value in _CONDITION.findall(request.get("KeyConditionExpression", ""))
            if names.get(name, name) == self.hash_key(request["TableName"])
        }
        return Need(f"dynamodb:{operation}", resource, frozenset(keys))

    def _keys(self, table: str, items: Sequence[Mapping[str, Any]]) -> frozenset[str]:
        name = self.hash_key(table)
        return frozenset(_text(item[name]) for item in items if name in item)

    def _table(self, name: str) -> str:
        return self._arn("dynamodb", f"table/{name}")

    def _arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"


def _text(value: Mapping[str, Any]) -> str:
    """A key's value, whatever type it has."""
    return str(next(iter(value.values())))
