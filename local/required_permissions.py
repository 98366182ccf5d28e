"""Permissions that a request to an AWS service needs.

The rules are those of the Service Authorization Reference. A transaction needs the permissions of
its actions, and none for itself. For a service without rules here the resource is ``*``, which only
a statement about ``*`` allows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qs

OperationParameters: TypeAlias = Mapping[str, Any]  # of one request
PartitionKeyLookup: TypeAlias = Callable[[str], str]  # from a table's name to its key's

_ITEM_OPERATIONS: Final = frozenset({"GetItem", "PutItem", "UpdateItem", "DeleteItem"})
_TRANSACTION_OPERATIONS: Final = {
    "Get": "GetItem",
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}
_CONDITION: Final = re.compile(r"(?<![#\w])([#\w]+) *= *(:\w+)")


@dataclass(frozen=True, slots=True)
class RequiredPermission:
    """An action on a resource; ``leading_keys`` are the partition keys of the request, ``context``
    the other condition keys that it has, with their values.
    """

    action: str
    resource: str
    leading_keys: frozenset[str] = frozenset()
    context: frozenset[tuple[str, str]] = frozenset()


def require_s3(
    action: str, path: str, query: str, headers: Mapping[str, str]
) -> RequiredPermission:
    """Return the permission of a request to S3; ``path`` is the bucket, or bucket and key."""
    parameters = parse_qs(query, keep_blank_values=True)
    context = {
        (f"s3:{name.lower()}", value)
        for name in ("If-Match", "If-None-Match")
        if (value := headers.get(name))
    }
    if action == "PutObject":
        is_upload_step = "uploads" in parameters or "partNumber" in parameters
        context.add(("s3:ObjectCreationOperation", "false" if is_upload_step else "true"))
    return RequiredPermission(f"s3:{action}", f"arn:aws:s3:::{path}", context=frozenset(context))


@dataclass(frozen=True, slots=True)
class PermissionRules:
    """The rules in one region of one account."""

    region: str
    account: str
    partition_key_of: PartitionKeyLookup

    def list_requirements(
        self, service: str, operation: str, request: OperationParameters
    ) -> list[RequiredPermission]:
        """List the permissions of a request; ``service`` is its name in signatures."""
        if service == "dynamodb":
            return list(self._list_dynamodb(operation, request))
        return [
            RequiredPermission(f"{service}:{operation}", each)
            for each in self._list_resources(service, request)
        ]

    def _list_resources(self, service: str, request: OperationParameters) -> list[str]:
        if service == "sqs" and "QueueUrl" in request:
            return [self._format_arn("sqs", request["QueueUrl"].rpartition("/")[2])]
        if service == "secretsmanager" and "SecretId" in request:
            name = request["SecretId"]
            return [
                name if name.startswith("arn:") else self._format_arn(service, f"secret:{name}")
            ]
        if service == "events" and "Entries" in request:
            buses = [entry.get("EventBusName", "default") for entry in request["Entries"]]
            names = {bus.rpartition("/")[2] for bus in buses}
            return [self._format_arn("events", f"event-bus/{name}") for name in sorted(names)]
        if service == "ses" and "EmailIdentity" in request:
            return [self._format_arn("ses", f"identity/{request['EmailIdentity']}")]
        return ["*"]

    def _list_dynamodb(
        self, operation: str, request: OperationParameters
    ) -> Iterator[RequiredPermission]:
        if "TransactItems" in request:
            for item in request["TransactItems"]:
                for name, action in item.items():
                    yield self._require_item(_TRANSACTION_OPERATIONS[name], action)
        elif "RequestItems" in request:
            for table, entries in request["RequestItems"].items():
                yield self._require_batch(operation, table, entries)
        elif operation in _ITEM_OPERATIONS:
            yield self._require_item(operation, request)
        elif "StreamArn" in request or "ShardIterator" in request:
            stream = request.get("StreamArn") or request["ShardIterator"].partition("|")[0]
            yield RequiredPermission(f"dynamodb:{operation}", stream)
        elif operation == "ListStreams":
            yield RequiredPermission("dynamodb:ListStreams", "*")
        else:
            yield self._require_read(operation, request)

    def _require_item(self, operation: str, request: OperationParameters) -> RequiredPermission:
        table = request["TableName"]
        item = request.get("Key") or request["Item"]
        return RequiredPermission(
            f"dynamodb:{operation}",
            self._format_table_arn(table),
            self._collect_keys(table, [item]),
        )

    def _require_batch(self, operation: str, table: str, entries: Any) -> RequiredPermission:  # noqa: ANN401
        if operation == "BatchGetItem":
            items = entries["Keys"]
        else:
            changes = [change for each in entries for change in each.values()]
            items = [change.get("Key") or change["Item"] for change in changes]
        return RequiredPermission(
            f"dynamodb:{operation}", self._format_table_arn(table), self._collect_keys(table, items)
        )

    def _require_read(self, operation: str, request: OperationParameters) -> RequiredPermission:
        """Find the partition key in a Query's expression; a Scan has none."""
        resource = self._format_table_arn(request["TableName"])
        if "IndexName" in request:
            return RequiredPermission(
                f"dynamodb:{operation}", f"{resource}/index/{request['IndexName']}"
            )
        names = request.get("ExpressionAttributeNames", {})
        keys = {
            _format_key(request["ExpressionAttributeValues"][value])
            for name, value in _CONDITION.findall(request.get("KeyConditionExpression", ""))
            if names.get(name, name) == self.partition_key_of(request["TableName"])
        }
        return RequiredPermission(f"dynamodb:{operation}", resource, frozenset(keys))

    def _collect_keys(self, table: str, items: Sequence[Mapping[str, Any]]) -> frozenset[str]:
        name = self.partition_key_of(table)
        return frozenset(_format_key(item[name]) for item in items if name in item)

    def _format_table_arn(self, name: str) -> str:
        return self._format_arn("dynamodb", f"table/{name}")

    def _format_arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"


def _format_key(value: Mapping[str, Any]) -> str:
    """Format a key's value of any type."""
    return str(next(iter(value.values())))
