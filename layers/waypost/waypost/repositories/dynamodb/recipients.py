"""Recipients' rows and the transactions that count, in DynamoDB.

Events that are not told yet, beside the rows that they were counted in, in DynamoDB.

Rows and sheets of recipients by their keys, out of DynamoDB.

Who clicked a link, out of the rows of its campaign in DynamoDB.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, TypeVar

from waypost.errors import Conflict, MalformedItem, MalformedRows
from waypost.ids import CampaignCode, LinkCode, WorkspaceCode, campaign_of
from waypost.models import attributes
from waypost.models.attributes import Item
from waypost.models.recipient import (
    SHARDS,
    LinkVisitor,
    Row,
    RowKey,
    Sheet,
    key_of_item,
    recipient_partition,
)
from waypost.repositories.corrupt_items import readable, tell_damaged
from waypost.repositories.dynamodb.client import (
    DynamoClient,
    batch_get,
    cancellations,
    pages,
    scan,
    translated,
)
from waypost.repositories.dynamodb.counters import CounterShards, counter_updates
from waypost.repositories.pagination import Page, is_key, made_up, read_cursor, write_cursor
from waypost.repositories.recipients import Commit, Notice

_HASH_BYTES: Final = 8


def read_notices(
    client: DynamoClient, table: str, campaign: CampaignCode, batches: Collection[int]
) -> Mapping[int, frozenset[bytes]]:
    """Of these batches, the clicks whose events are not told yet."""
    keys = [_key(campaign, batch) for batch in set(batches)]
    found = {}
    for stored in batch_get(client, table, keys):
        try:
            found[int(attributes.text(stored, "sk")[1:])] = _clicks(
                attributes.data(stored, "clicks", None)
            )
        except MalformedItem as why:
            tell_damaged("notice", why, campaign=campaign)
    return found


def write_notice(client: DynamoClient, table: str, notice: Notice) -> None:
    """Keep what is left to tell; nothing left: the notice goes."""
    with translated():
        if notice.clicks:
            client.put_item(TableName=table, Item=notice_item(notice))
        else:
            client.delete_item(TableName=table, Key=_key(notice.campaign, notice.batch))


def notice_item(notice: Notice) -> Item:
    packed = b"".join(sorted(notice.clicks))
    return _key(notice.campaign, notice.batch) | attributes.item({"clicks": packed})


def _clicks(packed: bytes) -> frozenset[bytes]:
    if len(packed) % _HASH_BYTES:
        raise MalformedItem("the clicks of a notice are cut")
    return frozenset(packed[i : i + _HASH_BYTES] for i in range(0, len(packed), _HASH_BYTES))


def _key(campaign: CampaignCode, batch: int) -> Item:
    shard = batch % SHARDS
    return attributes.item({"pk": recipient_partition(campaign, shard), "sk": f"!{batch}"})


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


Action = dict[str, Any]


class DynamoRecipients:
    """``waypost.repositories.recipients.RecipientStore``."""

    def __init__(self, client: DynamoClient, table: str) -> None:
        self._client = client
        self._table = table
        self._shards = CounterShards(client, table)

    def rows(self, keys: Collection[RowKey]) -> dict[RowKey, Row]:
        found = read_records(self._client, self._table, Row, keys)
        return {key: found.get(key) or Row(key) for key in keys}

    def sheets(self, keys: Collection[RowKey]) -> dict[RowKey, Sheet]:
        return read_records(self._client, self._table, Sheet, keys)

    def sheets_of(self, key: RowKey) -> list[Sheet]:
        stored = pages(
            self._client,
            self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sheets)",
            ExpressionAttributeValues={
                ":pk": {"S": key.partition},
                ":sheets": {"S": f"~{key.recipient}#"},
            },
            ConsistentRead=True,
        )
        keyed = [(key_of_item(sheet), sheet) for sheet in stored]
        # Another recipient's name may begin with this one's and a "#".
        return [Sheet.from_item(own, sheet) for own, sheet in keyed if own[:2] == key[:2]]

    def commit(self, commit: Commit) -> None:
        versioned = [self._put(row) for row in commit.rows]
        versioned += [self._put(sheet) for sheet in commit.sheets]
        versioned += [self._delete(record) for record in commit.removed]
        if commit.notice is not None:
            versioned.append(
                {"Put": {"TableName": self._table, "Item": notice_item(commit.notice)}}
            )
        partition = self._shards.partition(commit.campaign)
        updates = counter_updates(self._table, partition, commit.increments)
        try:
            with translated():
                self._client.transact_write_items(
                    TransactItems=[*versioned, *({"Update": update} for update in updates)]
                )
        except Conflict as conflict:
            if "TransactionConflict" in cancellations(conflict)[len(versioned) :]:
                self._shards.move(commit.campaign)
            raise

    def notices(
        self, campaign: CampaignCode, batches: Collection[int]
    ) -> Mapping[int, frozenset[bytes]]:
        return read_notices(self._client, self._table, campaign, batches)

    def told(self, campaign: CampaignCode, batch: int, left: frozenset[bytes]) -> None:
        write_notice(self._client, self._table, Notice(campaign, batch, left))

    def of_link(self, link: LinkCode, *, cursor: str | None, limit: int) -> Page[LinkVisitor]:
        return read_visitors(self._client, self._table, link, cursor, limit)

    def campaigns_of(self, workspace: WorkspaceCode, recipient: str) -> set[CampaignCode]:
        keys = scan(
            self._client,
            self._table,
            FilterExpression="begins_with(pk, :rows) AND (sk = :row OR begins_with(sk, :sheets))",
            ProjectionExpression="pk, sk",
            ExpressionAttributeValues={
                ":rows": {"S": f"R#{workspace}"},
                ":row": {"S": recipient},
                ":sheets": {"S": f"~{recipient}#"},
            },
        )
        return {key.campaign for key in map(key_of_item, keys) if key.recipient == recipient}

    def of_campaign(self, campaign: CampaignCode) -> Iterator[Row | Sheet]:
        for shard in range(SHARDS):
            stored = pages(
                self._client,
                self._table,
                KeyConditionExpression="pk = :pk AND sk >= :rows",
                ExpressionAttributeValues={
                    ":pk": {"S": recipient_partition(campaign, shard)},
                    ":rows": {"S": ROWS_START},
                },
                ConsistentRead=True,
            )
            for record in stored:
                key = key_of_item(record)
                yield (Row if key.sheet is None else Sheet).from_item(key, record)

    def _put(self, record: Row | Sheet) -> Action:
        action = {"TableName": self._table, "Item": record.to_item()}
        return {"Put": action | _only_over(record.version - 1)}

    def _delete(self, record: Row | Sheet) -> Action:
        action: Action = {"TableName": self._table, "Key": record.key.item()}
        return {"Delete": action | _only_over(record.version)}


def _only_over(version: int) -> Action:
    """The condition that nobody wrote the record since its version was read."""
    if version == 0:
        return {"ConditionExpression": "attribute_not_exists(pk)"}
    return {
        "ConditionExpression": "version = :version",
        "ExpressionAttributeValues": {":version": attributes.attribute(version)},
    }
