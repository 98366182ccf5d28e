"""Recipient rows in DynamoDB: overflow items and outbox entries lie beside them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final, TypeVar

from waypost.errors import CorruptItem, CorruptItemSet, WriteConflict
from waypost.ids import CampaignId, LinkId, WorkspaceId, extract_campaign_id
from waypost.models import attributes
from waypost.models.attributes import Item
from waypost.models.recipient import (
    RECIPIENT_SHARDS,
    LinkVisitor,
    OverflowItem,
    RecipientKey,
    RecipientRow,
    parse_recipient_key,
    recipient_partition,
)
from waypost.repositories.corrupt_items import log_corrupt_item, skip_corrupt_items
from waypost.repositories.dynamodb.client import (
    DynamoClient,
    DynamoResponse,
    batch_get,
    get_cancellation_reasons,
    query_all,
    scan_all,
    translate_dynamo_errors,
)
from waypost.repositories.dynamodb.counters import CounterShards, build_counter_updates
from waypost.repositories.pagination import (
    Page,
    build_cursor_error,
    decode_cursor,
    encode_cursor,
    is_valid_sort_key,
)
from waypost.repositories.recipients import Commit, OutboxEntry

_CLICK_HASH_BYTES: Final = 8
_ROWS_START_KEY: Final = "a:"
_ROWS_END_KEY: Final = "~"
"""Sorts after all rows and before all overflow items; outbox entries (``!``) sort before rows."""
_ROWS_PER_QUERY: Final = 500
_QUERIES_PER_PAGE: Final = 40
"""Limits the time of a page if few people of a large campaign clicked the link."""

_Record = TypeVar("_Record", RecipientRow, OverflowItem)


class DynamoRecipientRepository:
    """``waypost.repositories.recipients.RecipientRepository``."""

    def __init__(self, client: DynamoClient, table: str) -> None:
        self._client = client
        self._table = table
        self._counter_shards = CounterShards(client, table)

    def get_rows(self, keys: Collection[RecipientKey]) -> dict[RecipientKey, RecipientRow]:
        rows = self._load_records(RecipientRow, keys)
        return {key: rows.get(key) or RecipientRow(key) for key in keys}

    def get_overflow_items(
        self, keys: Collection[RecipientKey]
    ) -> dict[RecipientKey, OverflowItem]:
        return self._load_records(OverflowItem, keys)

    def list_overflow_items(self, key: RecipientKey) -> list[OverflowItem]:
        stored = query_all(
            self._client,
            self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sheets)",
            ExpressionAttributeValues={
                ":pk": {"S": key.partition},
                ":sheets": {"S": f"~{key.recipient}#"},
            },
            ConsistentRead=True,
        )
        keyed = [(parse_recipient_key(item), item) for item in stored]
        # Another recipient's name may begin with this one's and a "#".
        return [OverflowItem.from_item(own, item) for own, item in keyed if own[:2] == key[:2]]

    def commit(self, commit: Commit) -> None:
        actions = [self._put_action(row) for row in commit.rows]
        actions += [self._put_action(item) for item in commit.overflow_items]
        actions += [self._delete_action(record) for record in commit.removed_items]
        if commit.outbox_entry is not None:
            item = _build_outbox_item(commit.outbox_entry)
            actions.append({"Put": {"TableName": self._table, "Item": item}})
        partition = self._counter_shards.get_partition(commit.campaign)
        updates = build_counter_updates(self._table, partition, commit.increments)
        try:
            with translate_dynamo_errors():
                self._client.transact_write_items(
                    TransactItems=[*actions, *({"Update": update} for update in updates)]
                )
        except WriteConflict as conflict:
            if "TransactionConflict" in get_cancellation_reasons(conflict)[len(actions) :]:
                self._counter_shards.switch_shard(commit.campaign)
            raise

    def get_outbox_entries(
        self, campaign: CampaignId, batches: Collection[int]
    ) -> Mapping[int, frozenset[bytes]]:
        keys = [_outbox_key(campaign, batch) for batch in set(batches)]
        entries = {}
        for item in batch_get(self._client, self._table, keys):
            try:
                packed = attributes.get_bytes(item, "clicks", None)
                entries[int(attributes.get_text(item, "sk")[1:])] = _unpack_click_hashes(packed)
            except CorruptItem as e:
                log_corrupt_item("notice", e, campaign=campaign)
        return entries

    def update_outbox(
        self, campaign: CampaignId, batch: int, unpublished: frozenset[bytes]
    ) -> None:
        with translate_dynamo_errors():
            if unpublished:
                item = _build_outbox_item(OutboxEntry(campaign, batch, unpublished))
                self._client.put_item(TableName=self._table, Item=item)
            else:
                self._client.delete_item(TableName=self._table, Key=_outbox_key(campaign, batch))

    def list_link_visitors(
        self, link: LinkId, *, cursor: str | None, limit: int
    ) -> Page[LinkVisitor]:
        shard, after = _parse_position(cursor)
        visitors: list[LinkVisitor] = []
        for _ in range(_QUERIES_PER_PAGE):
            rows, last = self._query_rows(
                recipient_partition(extract_campaign_id(link), shard), after
            )
            for row in rows:
                after = row.key.recipient
                if link in row.links:
                    visitors.append(row.to_visitor(link))
                if len(visitors) == limit:
                    return Page(visitors, encode_cursor(f"{shard}#{after}"))
            shard, after = (shard, last) if last else (shard + 1, "")
            if shard == RECIPIENT_SHARDS:
                return Page(visitors, None)
        return Page(visitors, encode_cursor(f"{shard}#{after}"))

    def scan_campaigns(self, workspace: WorkspaceId, recipient: str) -> set[CampaignId]:
        keys = scan_all(
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
        return {
            key.campaign for key in map(parse_recipient_key, keys) if key.recipient == recipient
        }

    def iter_by_campaign(self, campaign: CampaignId) -> Iterator[RecipientRow | OverflowItem]:
        for shard in range(RECIPIENT_SHARDS):
            stored = query_all(
                self._client,
                self._table,
                KeyConditionExpression="pk = :pk AND sk >= :rows",
                ExpressionAttributeValues={
                    ":pk": {"S": recipient_partition(campaign, shard)},
                    ":rows": {"S": _ROWS_START_KEY},
                },
                ConsistentRead=True,
            )
            for item in stored:
                key = parse_recipient_key(item)
                yield (RecipientRow if key.overflow is None else OverflowItem).from_item(key, item)

    def _load_records(
        self, record_class: type[_Record], keys: Collection[RecipientKey]
    ) -> dict[RecipientKey, _Record]:
        """Load the existing records. Raises CorruptItemSet with the keys of corrupt ones."""
        records: dict[RecipientKey, _Record] = {}
        corrupt: dict[RecipientKey, CorruptItem] = {}
        item_keys = [key.to_attributes() for key in set(keys)]
        for item in batch_get(self._client, self._table, item_keys):
            key = parse_recipient_key(item)
            try:
                records[key] = _check_version(record_class.from_item(key, item))
            except CorruptItem as e:
                log_corrupt_item("recipient", e, campaign=key.campaign)
                corrupt[key] = e
        if corrupt:
            first = next(iter(corrupt.values()))
            raise CorruptItemSet(
                f"recipient rows: corrupt items ({len(corrupt)}); first: {first}", corrupt
            )
        return records

    def _query_rows(self, partition: str, after: str) -> tuple[list[RecipientRow], str]:
        """Return rows of a shard, and the sort key to continue after, empty at the end."""
        start = {"ExclusiveStartKey": {"pk": {"S": partition}, "sk": {"S": after}}}
        with translate_dynamo_errors():
            response = self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND sk BETWEEN :start AND :end",
                ExpressionAttributeValues={
                    ":pk": {"S": partition},
                    ":start": {"S": _ROWS_START_KEY},
                    ":end": {"S": _ROWS_END_KEY},
                },
                Limit=_ROWS_PER_QUERY,
                **(start if after else {}),
            )
        last_key = response.get("LastEvaluatedKey")
        rows = skip_corrupt_items("recipient", _parse_row, response["Items"], partition=partition)
        return list(rows), attributes.get_text(last_key, "sk") if last_key else ""

    def _put_action(self, record: RecipientRow | OverflowItem) -> DynamoResponse:
        action = {"TableName": self._table, "Item": record.to_item()}
        return {"Put": action | _build_version_condition(record.version - 1)}

    def _delete_action(self, record: RecipientRow | OverflowItem) -> DynamoResponse:
        action: DynamoResponse = {"TableName": self._table, "Key": record.key.to_attributes()}
        return {"Delete": action | _build_version_condition(record.version)}


def _build_version_condition(version: int) -> DynamoResponse:
    """Build the condition that the stored version is this one (0: none is stored)."""
    if version == 0:
        return {"ConditionExpression": "attribute_not_exists(pk)"}
    return {
        "ConditionExpression": "version = :version",
        "ExpressionAttributeValues": {":version": attributes.to_attribute(version)},
    }


def _check_version(record: _Record) -> _Record:
    """Reject version 0: it means a missing row, which no write could replace."""
    if record.version < 1:
        raise CorruptItem(f"'version': not a stored version ({record.version})")
    return record


def _parse_row(item: Item) -> RecipientRow:
    return RecipientRow.from_item(parse_recipient_key(item), item)


def _parse_position(cursor: str | None) -> tuple[int, str]:
    """Return a cursor's shard and sort key. Raises InvalidRequest."""
    if cursor is None:
        return 0, ""
    shard, separator, after = decode_cursor(cursor).partition("#")
    is_shard = separator and shard.isascii() and shard.isdigit() and int(shard) < RECIPIENT_SHARDS
    if not is_shard or (
        after and not (is_valid_sort_key(after) and _ROWS_START_KEY <= after < _ROWS_END_KEY)
    ):
        raise build_cursor_error()
    return int(shard), after


def _outbox_key(campaign: CampaignId, batch: int) -> Item:
    shard = batch % RECIPIENT_SHARDS
    return attributes.build_item({"pk": recipient_partition(campaign, shard), "sk": f"!{batch}"})


def _build_outbox_item(entry: OutboxEntry) -> Item:
    packed = b"".join(sorted(entry.click_hashes))
    return _outbox_key(entry.campaign, entry.batch) | attributes.build_item({"clicks": packed})


def _unpack_click_hashes(packed: bytes) -> frozenset[bytes]:
    size = _CLICK_HASH_BYTES
    if len(packed) % size:
        raise CorruptItem(f"outbox entry: truncated hashes ({len(packed)} bytes)")
    return frozenset(packed[i : i + size] for i in range(0, len(packed), size))
