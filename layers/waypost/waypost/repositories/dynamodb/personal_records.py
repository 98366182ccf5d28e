"""Records of data of one person in DynamoDB, beside the campaigns."""

from __future__ import annotations

from collections.abc import Sequence

from waypost.ids import WorkspaceId
from waypost.models.attributes import Item
from waypost.models.campaign import PersonalRecord, personal_partition
from waypost.repositories.corrupt_items import skip_corrupt_items
from waypost.repositories.dynamodb.client import (
    DynamoClient,
    batch_put,
    translate_dynamo_errors,
)
from waypost.repositories.pagination import Page, encode_cursor, parse_cursor
from waypost.repositories.personal_records import PERSONAL_RECORD_SORT_KEY_PATTERN


class DynamoPersonalRecordRepository:
    """``waypost.repositories.personal_records.PersonalRecordRepository``."""

    def __init__(self, client: DynamoClient, table: str) -> None:
        self._client = client
        self._table = table

    def add(self, records: Sequence[PersonalRecord]) -> None:
        items = {record.sort_key + record.recipient: record.to_item() for record in records}
        batch_put(self._client, self._table, list(items.values()))

    def list_by_recipient(
        self, workspace: WorkspaceId, recipient: str, *, cursor: str | None, limit: int
    ) -> Page[PersonalRecord]:
        partition: Item = {"pk": {"S": personal_partition(workspace, recipient)}}
        start = {}
        if cursor is not None:
            sort_key = parse_cursor(cursor, PERSONAL_RECORD_SORT_KEY_PATTERN)
            start = {"ExclusiveStartKey": partition | {"sk": {"S": sort_key}}}
        with translate_dynamo_errors():
            response = self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": partition["pk"]},
                ConsistentRead=True,
                Limit=limit,
                **start,
            )
        items = response["Items"]
        parse = PersonalRecord.from_item
        records = list(skip_corrupt_items("personal", parse, items, workspace=workspace))
        last_key = response.get("LastEvaluatedKey")
        next_cursor = encode_cursor(last_key["sk"]["S"]) if last_key else None
        return Page(records, next_cursor, corrupt_count=len(items) - len(records))

    def delete(self, record: PersonalRecord) -> None:
        with translate_dynamo_errors():
            self._client.delete_item(TableName=self._table, Key=record.key)
