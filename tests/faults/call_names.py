"""What a call is named in the table of promises: the operation, and what it is for."""

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
}
_NAMES_BY_TABLE = {"clicks": "click"}


def name_call(service: str, operation: str, parameters: Mapping[str, Any], url: str = "") -> str:
    """The name of a call, ``asked`` as JSON has it (empty where it is not JSON)."""
    if service == "dynamodb":
        kinds = dict.fromkeys(_name_items(operation, parameters))
        return f"{operation} of {', '.join(kinds)}"
    if service == "s3":
        return f"{operation} of {_name_object(url)}"
    return operation


def _name_object(url: str) -> str:
    """What an object is, of those of a file of recipients."""
    path = url.partition("?")[0]
    known = {".progress": "progress", ".report.json": "report", "/recipients.ndjson": "input"}
    return next((kind for end, kind in known.items() if path.endswith(end)), "output")


def _name_items(operation: str, parameters: Mapping[str, Any]) -> Iterator[str]:
    if operation == "TransactWriteItems":
        for action in parameters["TransactItems"]:
            [(_, what)] = action.items()
            yield _name_item(what["TableName"], what.get("Item") or what["Key"])
    elif operation == "BatchGetItem":
        for table, wanted in parameters["RequestItems"].items():
            yield from (_name_item(table, key) for key in wanted["Keys"])
    elif operation == "Query":
        values = {
            name[1:]: value for name, value in parameters["ExpressionAttributeValues"].items()
        }
        others = [value for name, value in values.items() if name != "pk"]
        yield _name_item(
            parameters["TableName"], {"pk": values["pk"], "sk": (others or [{"S": ""}])[0]}
        )
    elif operation == "Scan":
        yield str(parameters["TableName"])
    else:
        yield _name_item(parameters["TableName"], parameters.get("Item") or parameters["Key"])


def _name_item(table: str, key: Mapping[str, Mapping[str, str]]) -> str:
    partition, sort = key["pk"]["S"], key.get("sk", {}).get("S", "")
    if table == "short-links":
        return "short link" if partition.startswith("S#") else "destination"
    known = _NAMES_BY_TABLE.get(table) or _NAMES_BY_PARTITION.get(partition.partition("#")[0])
    if known is not None:
        return known if isinstance(known, str) else known.get(sort[:1], "row")
    return next(
        (kind for start, kind in _NAMES_BY_SORT_KEY.items() if sort.startswith(start)), "listing"
    )
