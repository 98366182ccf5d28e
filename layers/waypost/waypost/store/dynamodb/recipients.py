"""Recipients' rows and the transactions that count, in DynamoDB."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from waypost.codes import CampaignCode, LinkCode, WorkspaceCode, campaign_of
from waypost.errors import Conflict
from waypost.model import item
from waypost.model.item import Item
from waypost.model.recipient import (
    SHARDS,
    LinkVisitor,
    Row,
    RowKey,
    Sheet,
    key_of_item,
    recipient_partition,
)
from waypost.store.dynamodb.client import (
    DynamoClient,
    batch_get,
    cancellations,
    pages,
    scan,
    translated,
)
from waypost.store.dynamodb.spread import CounterShards, counter_updates
from waypost.store.paging import Page, is_key, made_up, read_cursor, write_cursor
from waypost.store.recipients import Commit, Notice

Action = dict[str, Any]

_ROWS_END = "~"
"""Sorts after every row and before every sheet; notices (``!``) sort before every row."""
_ROWS_START = "a:"
_ROWS_A_READ = 500
_READS_A_PAGE = 40
"""Bounds the time of a page of a link that few people clicked in a campaign of many."""


class DynamoRecipients:
    """``waypost.store.recipients.RecipientStore``."""

    def __init__(self, client: DynamoClient, table: str) -> None:
        self._client = client
        self._table = table
        self._shards = CounterShards(client, table)

    def rows(self, keys: Collection[RowKey]) -> dict[RowKey, Row]:
        found = {key: Row.from_item(key, stored) for key, stored in self._stored(keys)}
        return {key: found.get(key) or Row(key) for key in keys}

    def sheets(self, keys: Collection[RowKey]) -> dict[RowKey, Sheet]:
        return {key: Sheet.from_item(key, stored) for key, stored in self._stored(keys)}

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
            versioned.append({"Put": {"TableName": self._table, "Item": _notice(commit.notice)}})
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
        keys = [_notice_key(campaign, batch) for batch in set(batches)]
        found = {}
        for stored in batch_get(self._client, self._table, keys):
            packed = item.data(stored, "clicks")
            clicks = frozenset(packed[i : i + 8] for i in range(0, len(packed), 8))
            found[int(item.text(stored, "sk")[1:])] = clicks
        return found

    def told(self, campaign: CampaignCode, batch: int, left: frozenset[bytes]) -> None:
        with translated():
            if left:
                notice = _notice(Notice(campaign, batch, left))
                self._client.put_item(TableName=self._table, Item=notice)
            else:
                key = _notice_key(campaign, batch)
                self._client.delete_item(TableName=self._table, Key=key)

    def of_link(self, link: LinkCode, *, cursor: str | None, limit: int) -> Page[LinkVisitor]:
        shard, after = _read_position(cursor)
        visitors: list[LinkVisitor] = []
        for _ in range(_READS_A_PAGE):
            rows, last = self._some_rows(campaign_of(link), shard, after)
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
                    ":rows": {"S": _ROWS_START},
                },
                ConsistentRead=True,
            )
            for record in stored:
                key = key_of_item(record)
                yield (Row if key.sheet is None else Sheet).from_item(key, record)

    def _stored(self, keys: Collection[RowKey]) -> Iterator[tuple[RowKey, Item]]:
        wanted = [key.item() for key in set(keys)]
        for stored in batch_get(self._client, self._table, wanted):
            yield key_of_item(stored), stored

    def _some_rows(self, campaign: CampaignCode, shard: int, after: str) -> tuple[list[Row], str]:
        """Rows of a shard, and the sort key to go on after; empty at the end."""
        partition = {"S": recipient_partition(campaign, shard)}
        start = {"ExclusiveStartKey": {"pk": partition, "sk": {"S": after}}}
        with translated():
            answer = self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND sk BETWEEN :start AND :end",
                ExpressionAttributeValues={
                    ":pk": partition,
                    ":start": {"S": _ROWS_START},
                    ":end": {"S": _ROWS_END},
                },
                Limit=_ROWS_A_READ,
                **(start if after else {}),
            )
        rows = [Row.from_item(key_of_item(stored), stored) for stored in answer["Items"]]
        last = answer.get("LastEvaluatedKey")
        return rows, item.text(last, "sk") if last else ""

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
        "ExpressionAttributeValues": {":version": item.attribute(version)},
    }


def _notice_key(campaign: CampaignCode, batch: int) -> Item:
    shard = batch % SHARDS
    return item.item({"pk": recipient_partition(campaign, shard), "sk": f"!{batch}"})


def _notice(notice: Notice) -> Item:
    packed = b"".join(sorted(notice.clicks))
    return _notice_key(notice.campaign, notice.batch) | item.item({"clicks": packed})


def _read_position(cursor: str | None) -> tuple[int, str]:
    if cursor is None:
        return 0, ""
    shard, separator, after = read_cursor(cursor).partition("#")
    numbered = separator and shard.isascii() and shard.isdigit() and int(shard) < SHARDS
    if not numbered or (after and not (is_key(after) and _ROWS_START <= after < _ROWS_END)):
        raise made_up()
    return int(shard), after
