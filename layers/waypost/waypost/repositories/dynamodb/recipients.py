"""Recipients' rows and the transactions that count, in DynamoDB."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from waypost.errors import Conflict
from waypost.ids import CampaignCode, LinkCode, WorkspaceCode
from waypost.model.row_key import SHARDS, RowKey, key_of_item, recipient_partition
from waypost.models import attributes
from waypost.models.recipient import LinkVisitor, Row, Sheet
from waypost.repositories.dynamodb.client import (
    DynamoClient,
    cancellations,
    pages,
    scan,
    translated,
)
from waypost.repositories.dynamodb.counters import CounterShards, counter_updates
from waypost.repositories.pagination import Page
from waypost.repositories.recipients import Commit, Notice
from waypost.store.dynamodb.notices import notice_item, read_notices, write_notice
from waypost.store.dynamodb.records import read_records
from waypost.store.dynamodb.visitors import ROWS_START, read_visitors

Action = dict[str, Any]


class DynamoRecipients:
    """``waypost.store.recipients.RecipientStore``."""

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
