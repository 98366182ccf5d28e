"""Who clicked a link, out of the rows of its campaign in DynamoDB."""

from __future__ import annotations

from waypost.ids import LinkCode, campaign_of
from waypost.model.row_key import SHARDS, key_of_item, recipient_partition
from waypost.models import attributes
from waypost.models.attributes import Item
from waypost.models.recipient import LinkVisitor, Row
from waypost.repositories.corrupt_items import readable
from waypost.repositories.dynamodb.client import DynamoClient, translated
from waypost.repositories.pagination import Page, is_key, made_up, read_cursor, write_cursor

_ROWS_END = "~"
"""Sorts after every row and before every sheet; notices (``!``) sort before every row."""
ROWS_START = "a:"
_ROWS_A_READ = 500
_READS_A_PAGE = 40
"""Bounds the time of a page of a link that few people clicked in a campaign of many."""


def read_visitors(
    client: DynamoClient, table: str, link: LinkCode, cursor: str | None, limit: int
) -> Page[LinkVisitor]:
    """A page of who clicked a link, shard by shard of its campaign's rows."""
    shard, after = _read_position(cursor)
    visitors: list[LinkVisitor] = []
    for _ in range(_READS_A_PAGE):
        rows, last = _some_rows(client, table, recipient_partition(campaign_of(link), shard), after)
        for row in rows:
            after = row.key.recipient
            if link in row.links:
                visitors.append(row.visitor(link))
            if len(visitors) == limit:
                return Page(visitors, write_cursor(f"{shard}#{after}"))
        shard, after = (shard, last) if last else (shard + 1, "")
        if shard == SHARDS:
            return Page(visitors, None)
    return Page(visitors, write_cursor(f"{shard}#{after}"))


def _some_rows(
    client: DynamoClient, table: str, partition: str, after: str
) -> tuple[list[Row], str]:
    """Rows of a shard, and the sort key to go on after; empty at the end."""
    start = {"ExclusiveStartKey": {"pk": {"S": partition}, "sk": {"S": after}}}
    with translated():
        answer = client.query(
            TableName=table,
            KeyConditionExpression="pk = :pk AND sk BETWEEN :start AND :end",
            ExpressionAttributeValues={
                ":pk": {"S": partition},
                ":start": {"S": ROWS_START},
                ":end": {"S": _ROWS_END},
            },
            Limit=_ROWS_A_READ,
            **(start if after else {}),
        )
    last = answer.get("LastEvaluatedKey")
    rows = readable("recipient", _row, answer["Items"], partition=partition)
    return list(rows), attributes.text(last, "sk") if last else ""


def _row(stored: Item) -> Row:
    return Row.from_item(key_of_item(stored), stored)


def _read_position(cursor: str | None) -> tuple[int, str]:
    if cursor is None:
        return 0, ""
    shard, separator, after = read_cursor(cursor).partition("#")
    numbered = separator and shard.isascii() and shard.isdigit() and int(shard) < SHARDS
    if not numbered or (after and not (is_key(after) and ROWS_START <= after < _ROWS_END)):
        raise made_up()
    return int(shard), after
