"""The ledger of clicks in DynamoDB."""

from __future__ import annotations

from collections.abc import Iterator

from waypost.errors import WriteConflict
from waypost.ids import CampaignId, WorkspaceId
from waypost.models.click import Click, click_partition
from waypost.repositories.clicks import CLICK_SORT_KEY_PATTERN
from waypost.repositories.corrupt_items import skip_corrupt_items
from waypost.repositories.dynamodb.client import DynamoClient, scan_all, translate_dynamo_errors
from waypost.repositories.pagination import Page, encode_cursor, parse_cursor

_IF_ABSENT = "attribute_not_exists(pk)"


class DynamoClickRepository:
    """``waypost.repositories.clicks.ClickRepository``."""

    def __init__(self, client: DynamoClient, table: str) -> None:
        self._client = client
        self._table = table

    def record(self, click: Click) -> bool:
        try:
            with translate_dynamo_errors():
                self._client.put_item(
                    TableName=self._table, Item=click.to_item(), ConditionExpression=_IF_ABSENT
                )
        except WriteConflict:
            return False
        return True

    def anonymize(self, click: Click, anonymous: Click) -> None:
        with translate_dynamo_errors():
            self._client.put_item(TableName=self._table, Item=anonymous.to_item())
            self._client.delete_item(TableName=self._table, Key=click.key)

    def list_by_person(
        self, workspace: WorkspaceId, person: str, *, cursor: str | None, limit: int
    ) -> Page[Click]:
        partition = {"S": click_partition(workspace, f"p:{person}")}
        start = {}
        if cursor is not None:
            key = {"pk": partition, "sk": {"S": parse_cursor(cursor, CLICK_SORT_KEY_PATTERN)}}
            start = {"ExclusiveStartKey": key}
        with translate_dynamo_errors():
            response = self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": partition},
                ScanIndexForward=False,
                Limit=limit,
                **start,
            )
        last_key = response.get("LastEvaluatedKey")
        items = response["Items"]
        clicks = list(skip_corrupt_items("click", Click.from_item, items, workspace=workspace))
        next_cursor = encode_cursor(last_key["sk"]["S"]) if last_key else None
        return Page(clicks, next_cursor, corrupt_count=len(items) - len(clicks))

    def scan_by_campaign(self, campaign: CampaignId) -> Iterator[Click]:
        stored = scan_all(
            self._client,
            self._table,
            FilterExpression="begins_with(link, :campaign)",
            ExpressionAttributeValues={":campaign": {"S": campaign}},
        )
        return skip_corrupt_items("click", Click.from_item, stored, campaign=campaign)
