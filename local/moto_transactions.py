"""Makes moto's TransactWriteItems undo what it touched, instead of putting back whole tables.

moto copies the table for every action of a transaction, which takes seconds with thousands of rows,
and putting a copy back leaves iterators of its stream with the table that is gone. Correct only
while requests are answered one at a time, as ``moto_server`` does it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table

Undo: TypeAlias = Callable[[], None]
TransactAction: TypeAlias = dict[str, Any]  # {"Put": {"TableName": …, "Item": …}}


def install_rollback(set_attribute: Callable[[type, str, object], None] = setattr) -> None:
    """Patch moto in this process; with pytest's ``monkeypatch.setattr`` for one test."""
    transact = DynamoDBBackend.transact_write_items

    def transact_write_items(backend: Any, transact_items: list[TransactAction]) -> None:  # noqa: ANN401
        rollback = [_build_undo(backend.tables, action) for action in transact_items]
        try:
            transact(backend, transact_items)
        except Exception:
            for undo in rollback:
                undo()
            raise

    set_attribute(DynamoDBBackend, "transact_write_items", transact_write_items)
    set_attribute(Table, "__deepcopy__", lambda table, _: table)


def _build_undo(tables: Mapping[str, Any], action: TransactAction) -> Undo:
    (request,) = action.values()
    table, key = tables.get(request["TableName"]), request.get("Key") or request.get("Item") or {}
    if table is None or table.hash_key_attr not in key:
        return lambda: None  # moto refuses it before the first write
    hash_key = DynamoType(key[table.hash_key_attr])
    range_key = DynamoType(key[table.range_key_attr]) if table.range_key_attr in key else None
    before = copy.deepcopy(table.get_item(hash_key, range_key))
    shard = table.stream_shard
    length = len(shard.items) if shard else 0

    def undo() -> None:
        items, key = (table.items[hash_key], range_key) if range_key else (table.items, hash_key)
        items.pop(key, None)
        if before is not None:
            items[key] = before
        if shard:
            del shard.items[length:]

    return undo
