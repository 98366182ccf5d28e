"""Rows and sheets of recipients by their keys, out of DynamoDB."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeVar

from waypost.errors import MalformedItem, MalformedRows
from waypost.model.row_key import RowKey, key_of_item
from waypost.models.recipient import Row, Sheet
from waypost.repositories.corrupt_items import tell_damaged
from waypost.repositories.dynamodb.client import DynamoClient, batch_get

_Record = TypeVar("_Record", Row, Sheet)


def read_records(
    client: DynamoClient, table: str, kind: type[_Record], keys: Collection[RowKey]
) -> dict[RowKey, _Record]:
    """Those that there are. Raises MalformedRows with the keys of those that cannot be read."""
    found: dict[RowKey, _Record] = {}
    damaged: dict[RowKey, MalformedItem] = {}
    for stored in batch_get(client, table, [key.item() for key in set(keys)]):
        key = key_of_item(stored)
        try:
            found[key] = _stored(kind.from_item(key, stored))
        except MalformedItem as why:
            tell_damaged("recipient", why, campaign=key.campaign)
            damaged[key] = why
    if damaged:
        first = next(iter(damaged.values()))
        raise MalformedRows(f"{len(damaged)} rows of recipients cannot be read: {first}", damaged)
    return found


def _stored(record: _Record) -> _Record:
    """One of version 0 would be taken for a row that is not there, and never be written over."""
    if record.version < 1:
        raise MalformedItem("'version' is none that is stored")
    return record
