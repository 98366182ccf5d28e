"""Names of calls in the table of promises: the operation and the item that it is about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_NAMES_BY_SORT_KEY = {
    "L#": "link",
    "N#": "counter",
    "P#": "opt-out",
    "D#": "domain",
    "C": "campaign",
    "M": "message",
    "W": "settings",
}
_NAMES_BY_PARTITION: Mapping[str, str | Mapping[str, str]] = {
    "I": "idempotency key",
    "R": {"!": "outbox entry", "~": "overflow item"},
    "D": "claim",
    "P": "personal record",
}
_NAMES_BY_TABLE = {"clicks": "click"}


def name_call(service: str, operation: str, parameters: Mapping[str, Any], url: str = "") -> str:
    """Return the name of a call. ``parameters`` is empty if the request is not JSON."""
    if service == "dynamodb":
        item_names = dict.fromkeys(_name_items(operation, parameters))
        return f"{operation} of {', '.join(item_names)}"
    if service == "s3":
        return f"{operation} of {_name_object(url)}"
    return operation


def _name_object(url: str) -> str:
    """Return the role of an S3 object in a rewrite of a file of recipients."""
    path = url.partition("?")[0]
    roles = {".progress": "progress", ".report.json": "report", "/recipients.ndjson": "input"}
    return next((role for suffix, role in roles.items() if path.endswith(suffix)), "output")


def _name_items(operation: str, parameters: Mapping[str, Any]) -> Iterator[str]:
    if operation == "TransactWriteItems":
        for action in parameters["TransactItems"]:
            [write] = action.values()
            yield _name_item(write["TableName"], write.get("Item") or write["Key"])
    elif operation == "BatchWriteItem":
        for table, writes in parameters["RequestItems"].items():
            yield from (_name_item(table, write["PutRequest"]["Item"]) for write in writes)
    elif operation == "BatchGetItem":
        for table, table_request in parameters["RequestItems"].items():
            yield from (_name_item(table, key) for key in table_request["Keys"])
    elif operation == "Query":
        values = {
            name[1:]: value for name, value in parameters["ExpressionAttributeValues"].items()
        }
        sort_keys = [value for name, value in values.items() if name != "pk"]
        yield _name_item(
            parameters["TableName"], {"pk": values["pk"], "sk": (sort_keys or [{"S": ""}])[0]}
        )
    elif operation == "Scan":
        yield str(parameters["TableName"])
    else:
        yield _name_item(parameters["TableName"], parameters.get("Item") or parameters["Key"])


def _name_item(table: str, key: Mapping[str, Mapping[str, str]]) -> str:
    partition, sort = key["pk"]["S"], key.get("sk", {}).get("S", "")
    if table == "short-links":
        return "short link" if partition.startswith("S#") else "destination"
    name = _NAMES_BY_TABLE.get(table) or _NAMES_BY_PARTITION.get(partition.partition("#")[0])
    if name is not None:
        return name if isinstance(name, str) else name.get(sort[:1], "row")
    return next(
        (name for prefix, name in _NAMES_BY_SORT_KEY.items() if sort.startswith(prefix)), "listing"
    )
