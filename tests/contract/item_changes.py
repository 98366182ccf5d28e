"""Change stored items directly, as an operator could."""

from __future__ import annotations

from typing import Any

from tests.dynamodb_tables import TemporaryTables


def change_attributes(tables: TemporaryTables, table: str, key: Any, **attributes: Any) -> None:
    """Change attributes of a stored item, or remove those with the value None."""
    request = {"TableName": table, "Key": key}
    values = tables.client.get_item(**request)["Item"] | attributes
    item = {name: value for name, value in values.items() if value is not None}
    tables.client.put_item(TableName=table, Item=item)
