"""Recipients' rows and the transactions that count, in DynamoDB.

Events that are not told yet, beside the rows that they were counted in, in DynamoDB.

Rows and sheets of recipients by their keys, out of DynamoDB.

Who clicked a link, out of the rows of its campaign in DynamoDB.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, TypeVar

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

_HASH_BYTES: Final = 8


def load_outbox_entries(
    client: DynamoClient, table: str, campaign: CampaignId, batches: Collection[int]
) -> Mapping[int, frozenset[bytes]]:
    """Of these batches, the clicks whose events are not told yet."""
    keys = [_outbox_key(campaign, batch) for batch in set(batches)]
    found = {}
    for stored in batch_get(client, table, keys):
        try:
            found[int(attributes.get_text(stored, "sk")[1:])] = _unpack_click_hashes(
                attributes.get_bytes(stored, "clicks", None)
            )
        except CorruptItem as why:
            log_corrupt_item("notice", why, campaign=campaign)
    return found


def save_outbox_entry(client: DynamoClient, table: str, entry: OutboxEntry) -> None:
    """Keep what is left to tell; nothing left: the notice goes."""
    with translate_dynamo_errors():
        if entry.click_hashes:
            client.put_item(TableName=table, Item=build_outbox_item(entry))
        else:
            client.delete_item(TableName=table, Key=_outbox_key(entry.campaign, entry.batch))


def build_outbox_item(entry: OutboxEntry) -> Item:
    packed = b"".join(sorted(entry.click_hashes))
    return _outbox_key(entry.campaign, entry.batch) | attributes.build_item({"clicks": packed})


def _unpack_click_hashes(packed: bytes) -> frozenset[bytes]:
    if len(packed) % _HASH_BYTES:
        raise CorruptItem("the clicks of a notice are cut")
    return frozenset(packed[i : i + _HASH_BYTES] for i in range(0, len(packed), _HASH_BYTES))


def _outbox_key(campaign: CampaignId, batch: int) -> Item:
    shard = batch % RECIPIENT_SHARDS
    return attributes.build_item({"pk": recipient_partition(campaign, shard), "sk": f"!{batch}"})


_Record = TypeVar("_Record", RecipientRow, OverflowItem)


def load_recipient_items(
    client: DynamoClient, table: str, item_class: type[_Record], keys: Collection[RecipientKey]
) -> dict[RecipientKey, _Record]:
    """Those that there are. Raises MalformedRows with the keys of those that cannot be read."""
    found: dict[RecipientKey, _Record] = {}
    damaged: dict[RecipientKey, CorruptItem] = {}
    for stored in batch_get(client, table, [key.to_attributes() for key in set(keys)]):
        key = parse_recipient_key(stored)
        try:
            found[key] = _check_version(item_class.from_item(key, stored))
        except CorruptItem as why:
            log_corrupt_item("recipient", why, campaign=key.campaign)
            damaged[key] = why
    if damaged:
        first = next(iter(damaged.values()))
        raise CorruptItemSet(f"{len(damaged)} rows of recipients cannot be read: {first}", damaged)
    return found


def _check_version(record: _Record) -> _Record:
    """One of version 0 would be taken for a row that is not there, and never be written over."""
    if record.version < 1:
        raise CorruptItem("'version' is none that is stored")
    return record


_ROWS_END_KEY = "~"
"""Sorts after every row and before every sheet; notices (``!``) sort before every row."""
ROWS_START_KEY = "a:"
_ROWS_PER_QUERY = 500
_QUERIES_PER_PAGE = 40
"""Bounds the time of a page of a link that few people clicked in a campaign of many."""


def load_link_visitors(
    client: DynamoClient, table: str, link: LinkId, cursor: str | None, limit: int
) -> Page[LinkVisitor]:
    """A page of who clicked a link, shard by shard of its campaign's rows."""
    shard, after = _parse_position(cursor)
    visitors: list[LinkVisitor] = []
    for _ in range(_QUERIES_PER_PAGE):
        rows, last = _query_rows(
            client, table, recipient_partition(extract_campaign_id(link), shard), after
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


def _query_rows(
    client: DynamoClient, table: str, partition: str, after: str
) -> tuple[list[RecipientRow], str]:
    """Rows of a shard, and the sort key to go on after; empty at the end."""
    start = {"ExclusiveStartKey": {"pk": {"S": partition}, "sk": {"S": after}}}
    with translate_dynamo_errors():
        answer = client.query(
            TableName=table,
            KeyConditionExpression="pk = :pk AND sk BETWEEN :start AND :end",
            ExpressionAttributeValues={
                ":pk": {"S": partition},
                ":start": {"S": ROWS_START_KEY},
                ":end": {"S": _ROWS_END_KEY},
            },
            Limit=_ROWS_PER_QUERY,
            **(start if after else {}),
        )
    last = answer.get("LastEvaluatedKey")
    rows = skip_corrupt_items("recipient", _parse_row, answer["Items"], partition=partition)
    return list(rows), attributes.get_text(last, "sk") if last else ""


def _parse_row(stored: Item) -> RecipientRow:
    return RecipientRow.from_item(parse_recipient_key(stored), stored)


def _parse_position(cursor: str | None) -> tuple[int, str]:
    if cursor is None:
        return 0, ""
    shard, separator, after = decode_cursor(cursor).partition("#")
    numbered = separator and shard.isascii() and shard.isdigit() and int(shard) < RECIPIENT_SHARDS
    if not numbered or (
        after and not (is_valid_sort_key(after) and ROWS_START_KEY <= after < _ROWS_END_KEY)
    ):
        raise build_cursor_error()
    return int(shard), after


TransactAction = dict[str, Any]


class DynamoRecipientRepository:
    """``waypost.repositories.recipients.RecipientStore``."""

    def __init__(self, client: DynamoClient, table: str) -> None:
        self._client = client
        self._table = table
        self._counter_shards = CounterShards(client, table)

    def get_rows(self, keys: Collection[RecipientKey]) -> dict[RecipientKey, RecipientRow]:
        found = load_recipient_items(self._client, self._table, RecipientRow, keys)
        return {key: found.get(key) or RecipientRow(key) for key in keys}

    def get_overflow_items(
        self, keys: Collection[RecipientKey]
    ) -> dict[RecipientKey, OverflowItem]:
        return load_recipient_items(self._client, self._table, OverflowItem, keys)

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
        keyed = [(parse_recipient_key(sheet), sheet) for sheet in stored]
        # Another recipient's name may begin with this one's and a "#".
        return [OverflowItem.from_item(own, sheet) for own, sheet in keyed if own[:2] == key[:2]]

    def commit(self, commit: Commit) -> None:
        versioned = [self._put_action(row) for row in commit.rows]
        versioned += [self._put_action(sheet) for sheet in commit.overflow_items]
        versioned += [self._delete_action(record) for record in commit.removed_items]
        if commit.outbox_entry is not None:
            versioned.append(
                {"Put": {"TableName": self._table, "Item": build_outbox_item(commit.outbox_entry)}}
            )
        partition = self._counter_shards.get_partition(commit.campaign)
        updates = build_counter_updates(self._table, partition, commit.increments)
        try:
            with translate_dynamo_errors():
                self._client.transact_write_items(
                    TransactItems=[*versioned, *({"Update": update} for update in updates)]
                )
        except WriteConflict as conflict:
            if "TransactionConflict" in get_cancellation_reasons(conflict)[len(versioned) :]:
                self._counter_shards.switch_shard(commit.campaign)
            raise

    def get_outbox_entries(
        self, campaign: CampaignId, batches: Collection[int]
    ) -> Mapping[int, frozenset[bytes]]:
        return load_outbox_entries(self._client, self._table, campaign, batches)

    def update_outbox(
        self, campaign: CampaignId, batch: int, unpublished: frozenset[bytes]
    ) -> None:
        save_outbox_entry(self._client, self._table, OutboxEntry(campaign, batch, unpublished))

    def list_link_visitors(
        self, link: LinkId, *, cursor: str | None, limit: int
    ) -> Page[LinkVisitor]:
        return load_link_visitors(self._client, self._table, link, cursor, limit)

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
                    ":rows": {"S": ROWS_START_KEY},
                },
                ConsistentRead=True,
            )
            for record in stored:
                key = parse_recipient_key(record)
                yield (RecipientRow if key.overflow is None else OverflowItem).from_item(
                    key, record
                )

    def _put_action(self, record: RecipientRow | OverflowItem) -> TransactAction:
        action = {"TableName": self._table, "Item": record.to_item()}
        return {"Put": action | _version_condition(record.version - 1)}

    def _delete_action(self, record: RecipientRow | OverflowItem) -> TransactAction:
        action: TransactAction = {"TableName": self._table, "Key": record.key.to_attributes()}
        return {"Delete": action | _version_condition(record.version)}


def _version_condition(version: int) -> TransactAction:
    """The condition that nobody wrote the record since its version was read."""
    if version == 0:
        return {"ConditionExpression": "attribute_not_exists(pk)"}
    return {
        "ConditionExpression": "version = :version",
        "ExpressionAttributeValues": {":version": attributes.to_attribute(version)},
    }
