"""Settings and opt-outs in DynamoDB."""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Mapping
from datetime import datetime

from waypost.codes import WorkspaceCode, workspace_code
from waypost.errors import Clash, Conflict, MalformedItem
from waypost.model import item
from waypost.model.item import Item
from waypost.model.person import OptOut, opt_out_key, person_hash
from waypost.model.workspace import WorkspaceSettings, workspace_partition
from waypost.store.dynamodb.client import DynamoClient, batch_get, translated
from waypost.store.workspaces import Person


class DynamoWorkspaces:
    """``waypost.store.workspaces.WorkspaceStore``."""

    def __init__(self, client: DynamoClient, table: str) -> None:
        self._client = client
        self._table = table

    def settings(self, workspace: WorkspaceCode) -> WorkspaceSettings:
        with translated():
            answer = self._client.get_item(TableName=self._table, Key=_settings_key(workspace))
        if "Item" not in answer:
            return WorkspaceSettings()
        try:
            values = json.loads(item.text(answer["Item"], "settings"))
            return WorkspaceSettings.from_stored(values)
        except (ValueError, TypeError) as e:
            raise MalformedItem(f"the settings of workspace {workspace}") from e

    def save(self, workspace: str, settings: WorkspaceSettings) -> None:
        values = {"name": workspace, "settings": json.dumps(settings.stored(), ensure_ascii=False)}
        try:
            with translated():
                self._client.put_item(
                    TableName=self._table,
                    Item=_settings_key(workspace_code(workspace)) | item.item(values),
                    ConditionExpression="attribute_not_exists(pk) OR #name = :name",
                    ExpressionAttributeNames={"#name": "name"},
                    ExpressionAttributeValues={":name": {"S": workspace}},
                )
        except Conflict as e:
            raise Clash("workspace", workspace, "its code belongs to another name") from e

    def opt_out(self, workspace: WorkspaceCode, person: str, now: datetime) -> OptOut:
        hashed = person_hash(workspace, person)
        wish = OptOut(
            workspace=workspace, person_hash=hashed, salt=secrets.token_hex(16), since=now
        )
        try:
            with translated():
                self._client.put_item(
                    TableName=self._table,
                    Item=wish.to_item(),
                    ConditionExpression="attribute_not_exists(pk)",
                )
        except Conflict:
            return self.opted_out([(workspace, person)]).get((workspace, person), wish)
        return wish

    def opt_in(self, workspace: WorkspaceCode, person: str) -> None:
        key = opt_out_key(workspace, person_hash(workspace, person))
        with translated():
            self._client.delete_item(TableName=self._table, Key=key)

    def opted_out(self, people: Collection[Person]) -> Mapping[Person, OptOut]:
        keys = {_sort_values(opt_out_key(w, person_hash(w, p))): (w, p) for w, p in people}
        wanted = [opt_out_key(w, person_hash(w, p)) for w, p in keys.values()]
        found = {}
        for stored in batch_get(self._client, self._table, wanted):
            person = keys[_sort_values(stored)]
            found[person] = OptOut.from_item(person[0], stored)
        return found


def _settings_key(workspace: WorkspaceCode) -> Item:
    return item.item({"pk": workspace_partition(workspace), "sk": "W"})


def _sort_values(stored: Item) -> tuple[str, str]:
    return item.text(stored, "pk"), item.text(stored, "sk")
