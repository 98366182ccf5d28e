"""Settings and opt-outs in DynamoDB."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

from waypost.errors import Clash, Conflict, MalformedItem, MalformedRows
from waypost.ids import WorkspaceCode, workspace_code
from waypost.models import attributes
from waypost.models.attributes import Item
from waypost.models.workspace import (
    OptOut,
    WorkspaceSettings,
    opt_out_key,
    person_hash,
    workspace_partition,
)
from waypost.repositories.corrupt_items import tell_damaged
from waypost.repositories.dynamodb.client import DynamoClient, batch_get, translated
from waypost.repositories.workspaces import (
    Person,
    Versioned,
    read_settings,
    read_versioned,
    write_settings,
)

_MINE: Final = "(attribute_not_exists(pk) OR #name = :name)"
_OVER: Final = {None: "", 0: " AND attribute_not_exists(version)"}
"""Rows of before versions count as never saved."""


class DynamoWorkspaces:
    """``waypost.repositories.workspaces.WorkspaceStore``."""

    def __init__(self, client: DynamoClient, table: str) -> None:
        self._client = client
        self._table = table

    def settings(self, workspace: WorkspaceCode) -> WorkspaceSettings:
        stored = self._stored(workspace, consistent=False)
        return read_settings(workspace, _text(stored)) if stored else WorkspaceSettings()

    def versioned(self, workspace: WorkspaceCode) -> Versioned:
        stored = self._stored(workspace, consistent=True)
        if not stored:
            return Versioned(WorkspaceSettings(), 0)
        return read_versioned(_text(stored), attributes.number(stored, "version", default=0))

    def save(self, workspace: str, settings: WorkspaceSettings, *, over: int | None = None) -> None:
        code = workspace_code(workspace)
        values: dict[str, attributes.Value] = {
            ":name": workspace,
            ":settings": write_settings(settings),
            ":once": 1,
        }
        try:
            with translated():
                self._client.update_item(
                    TableName=self._table,
                    Key=_settings_key(code),
                    UpdateExpression="SET #name = :name, settings = :settings ADD version :once",
                    ConditionExpression=_MINE + _OVER.get(over, " AND version = :over"),
                    ExpressionAttributeNames={"#name": "name"},
                    ExpressionAttributeValues=attributes.item(
                        values | ({":over": over} if over else {})
                    ),
                )
        except Conflict as e:
            owner = attributes.optional_text(self._stored(code, consistent=True), "name")
            if owner in (None, workspace):
                raise
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
            return self._stands(workspace, person, wish)
        return wish

    def _stands(self, workspace: WorkspaceCode, person: str, wish: OptOut) -> OptOut:
        """The opt-out that is there already; this one in its place where it cannot be read."""
        asked = (workspace, person)
        try:
            return self.opted_out([asked]).get(asked, wish)
        except MalformedItem:
            with translated():
                self._client.put_item(TableName=self._table, Item=wish.to_item())
            return self.opted_out([asked]).get(asked, wish)

    def opt_in(self, workspace: WorkspaceCode, person: str) -> None:
        key = opt_out_key(workspace, person_hash(workspace, person))
        with translated():
            self._client.delete_item(TableName=self._table, Key=key)

    def opted_out(self, people: Collection[Person]) -> Mapping[Person, OptOut]:
        keys = {_sort_values(opt_out_key(w, person_hash(w, p))): (w, p) for w, p in people}
        wanted = [opt_out_key(w, person_hash(w, p)) for w, p in keys.values()]
        found: dict[Person, OptOut] = {}
        damaged: list[Person] = []
        for stored in batch_get(self._client, self._table, wanted):
            person = keys[_sort_values(stored)]
            try:
                found[person] = OptOut.from_item(person[0], stored)
            except MalformedItem as why:
                tell_damaged("opt_out", why, workspace=person[0], key=attributes.text(stored, "sk"))
                damaged.append(person)
        if damaged:
            workspaces = ", ".join(sorted({workspace for workspace, _ in damaged}))
            raise MalformedRows(
                f"{len(damaged)} opt-outs of workspace {workspaces} cannot be read", damaged
            )
        return found

    def _stored(self, workspace: WorkspaceCode, *, consistent: bool) -> Item:
        """The item of the settings; an empty one where there is none."""
        more = {"ConsistentRead": True} if consistent else {}
        with translated():
            answer = self._client.get_item(
                TableName=self._table, Key=_settings_key(workspace), **more
            )
        stored: Item = answer.get("Item", {})
        return stored


def _text(stored: Item) -> str:
    """The text of the settings; an empty one where there is none, which nothing reads."""
    try:
        return attributes.text(stored, "settings")
    except MalformedItem:
        return ""


def _settings_key(workspace: WorkspaceCode) -> Item:
    return attributes.item({"pk": workspace_partition(workspace), "sk": "W"})


def _sort_values(stored: Item) -> tuple[str, str]:
    return attributes.text(stored, "pk"), attributes.text(stored, "sk")
