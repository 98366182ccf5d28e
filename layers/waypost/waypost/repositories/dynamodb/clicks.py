"""The ledger in DynamoDB."""

from __future__ import annotations

from collections.abc import Iterator

from waypost.errors import Conflict
from waypost.ids import CampaignCode, WorkspaceCode
from waypost.models.click import Click, ledger_key
from waypost.repositories.clicks import CLICK_PLACES
from waypost.repositories.corrupt_items import readable
from waypost.repositories.dynamodb.client import DynamoClient, scan, translated
from waypost.repositories.pagination import Page, read_place, write_cursor

_NEW = "attribute_not_exists(pk)"


class DynamoClicks:
    """``waypost.repositories.clicks.ClickStore``."""

    def __init__(self, client: DynamoClient, table: str) -> None:
        self._client = client
        self._table = table

    def record(self, click: Click) -> bool:
        try:
            with translated():
                self._client.put_item(
                    TableName=self._table, Item=click.to_item(), ConditionExpression=_NEW
                )
        except Conflict:
            return False
        return True

    def anonymise(self, click: Click, anonymous: Click) -> None:
        with translated():
            self._client.put_item(TableName=self._table, Item=anonymous.to_item())
            self._client.delete_item(TableName=self._table, Key=click.key)

    def of_person(
        self, workspace: WorkspaceCode, person: str, *, cursor: str | None, limit: int
    ) -> Page[Click]:
        partition = {"S": ledger_key(workspace, f"p:{person}")}
        start = {}
        if cursor is not None:
            key = {"pk": partition, "sk": {"S": read_place(cursor, CLICK_PLACES)}}
            start = {"ExclusiveStartKey": key}
        with translated():
            answer = self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": partition},
                ScanIndexForward=False,
                Limit=limit,
                **start,
            )
        last = answer.get("LastEvaluatedKey")
        stored = answer["Items"]
        clicks = list(readable("click", Click.from_item, stored, workspace=workspace))
        cursor = write_cursor(last["sk"]["S"]) if last else None
        return Page(clicks, cursor, unread=len(stored) - len(clicks))

    def of_campaign(self, campaign: CampaignCode) -> Iterator[Click]:
        stored = scan(
            self._client,
            self._table,
            FilterExpression="begins_with(link, :campaign)",
            ExpressionAttributeValues={":campaign": {"S": campaign}},
        )
        return readable("click", Click.from_item, stored, campaign=campaign)
