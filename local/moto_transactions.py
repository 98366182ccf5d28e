"""Patch of moto: roll back a cancelled TransactWriteItems action by action.

moto copies the whole table for every action. Measured with 10 puts in one transaction on a table of
2,000 items of 34 values, processor time of moto's process: 0.012 s with the patch, 4.1 s
without. Measure it with ``MotoCloud(file).client("dynamodb")``, with and without the call of
``install_rollback`` in ``moto_server``: ``utime + stime`` in /proc/PID/stat over the calls.

Without the patch a rollback also replaces the table by its copy, and iterators of its stream still
read the old table. The patch is correct only while ``moto_server`` serves one request at a time.
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
