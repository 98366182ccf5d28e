"""Settings and opt-outs in DynamoDB."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

from waypost.errors import AlreadyExists, CorruptItem, CorruptItemSet, WriteConflict
from waypost.ids import WorkspaceId, derive_workspace_id
from waypost.models import attributes
from waypost.models.attributes import Item
from waypost.models.workspace import (
    OptOut,
    WorkspaceSettings,
    opt_out_key,
    person_hash,
    workspace_partition,
)
from waypost.repositories.corrupt_items import log_corrupt_item
from waypost.repositories.dynamodb.client import DynamoClient, batch_get, translate_dynamo_errors
from waypost.repositories.workspaces import (
    PersonKey,
    VersionedSettings,
    parse_settings,
    parse_settings_with_version,
    serialize_settings,
)

_NAME_CONDITION: Final = "(attribute_not_exists(pk) OR #name = :name)"
_VERSION_CONDITIONS: Final = {None: "", 0: " AND attribute_not_exists(version)"}
"""Rows of before versions count as never saved."""


class DynamoWorkspaceRepository:
    """``waypost.repositories.workspaces.WorkspaceStore``."""

    def __init__(self, client: DynamoClient, table: str) -> None:
        self._client = client
        self._table = table

    def get_settings(self, workspace: WorkspaceId) -> WorkspaceSettings:
        stored = self._load_settings_item(workspace, consistent=False)
        return (
            parse_settings(workspace, _get_settings_text(stored)) if stored else WorkspaceSettings()
        )

    def get_settings_with_version(self, workspace: WorkspaceId) -> VersionedSettings:
        stored = self._load_settings_item(workspace, consistent=True)
        if not stored:
            return VersionedSettings(WorkspaceSettings(), 0)
        return parse_settings_with_version(
            _get_settings_text(stored), attributes.get_number(stored, "version", default=0)
        )

    def save_settings(
        self, workspace: str, settings: WorkspaceSettings, *, expected_version: int | None = None
    ) -> None:
        code = derive_workspace_id(workspace)
        values: dict[str, attributes.Value] = {
            ":name": workspace,
            ":settings": serialize_settings(settings),
            ":once": 1,
        }
        try:
            with translate_dynamo_errors():
                self._client.update_item(
                    TableName=self._table,
                    Key=_settings_key(code),
                    UpdateExpression="SET #name = :name, settings = :settings ADD version :once",
                    ConditionExpression=_NAME_CONDITION
                    + _VERSION_CONDITIONS.get(expected_version, " AND version = :over"),
                    ExpressionAttributeNames={"#name": "name"},
                    ExpressionAttributeValues=attributes.build_item(
                        values | ({":over": expected_version} if expected_version else {})
                    ),
                )
        except WriteConflict as e:
            owner = attributes.get_optional_text(
                self._load_settings_item(code, consistent=True), "name"
            )
            if owner in (None, workspace):
                raise
            raise AlreadyExists("workspace", workspace, "its code belongs to another name") from e

    def opt_out(self, workspace: WorkspaceId, person: str, now: datetime) -> OptOut:
        hashed = person_hash(workspace, person)
        wish = OptOut(
            workspace=workspace, person_hash=hashed, salt=secrets.token_hex(16), since=now
        )
        try:
            with translate_dynamo_errors():
                self._client.put_item(
                    TableName=self._table,
                    Item=wish.to_item(),
                    ConditionExpression="attribute_not_exists(pk)",
                )
        except WriteConflict:
            return self._load_or_replace_opt_out(workspace, person, wish)
        return wish

    def _load_or_replace_opt_out(
        self, workspace: WorkspaceId, person: str, opt_out: OptOut
    ) -> OptOut:
        """The opt-out that is there already; this one in its place where it cannot be read."""
        asked = (workspace, person)
        try:
            return self.get_opt_outs([asked]).get(asked, opt_out)
        except CorruptItem:
            with translate_dynamo_errors():
                self._client.put_item(TableName=self._table, Item=opt_out.to_item())
            return self.get_opt_outs([asked]).get(asked, opt_out)

    def opt_in(self, workspace: WorkspaceId, person: str) -> None:
        key = opt_out_key(workspace, person_hash(workspace, person))
        with translate_dynamo_errors():
            self._client.delete_item(TableName=self._table, Key=key)

    def get_opt_outs(self, people: Collection[PersonKey]) -> Mapping[PersonKey, OptOut]:
        keys = {_key_values(opt_out_key(w, person_hash(w, p))): (w, p) for w, p in people}
        wanted = [opt_out_key(w, person_hash(w, p)) for w, p in keys.values()]
        found: dict[PersonKey, OptOut] = {}
        damaged: list[PersonKey] = []
        for stored in batch_get(self._client, self._table, wanted):
            person = keys[_key_values(stored)]
            try:
                found[person] = OptOut.from_item(person[0], stored)
            except CorruptItem as why:
                log_corrupt_item(
                    "opt_out", why, workspace=person[0], key=attributes.get_text(stored, "sk")
                )
                damaged.append(person)
        if damaged:
            workspaces = ", ".join(sorted({workspace for workspace, _ in damaged}))
            raise CorruptItemSet(
                f"{len(damaged)} opt-outs of workspace {workspaces} cannot be read", damaged
            )
        return found

    def _load_settings_item(self, workspace: WorkspaceId, *, consistent: bool) -> Item:
        """The item of the settings; an empty one where there is none."""
        more = {"ConsistentRead": True} if consistent else {}
        with translate_dynamo_errors():
            answer = self._client.get_item(
                TableName=self._table, Key=_settings_key(workspace), **more
            )
        stored: Item = answer.get("Item", {})
        return stored


def _get_settings_text(stored: Item) -> str:
    """The text of the settings; an empty one where there is none, which nothing reads."""
    try:
        return attributes.get_text(stored, "settings")
    except CorruptItem:
        return ""


def _settings_key(workspace: WorkspaceId) -> Item:
    return attributes.build_item({"pk": workspace_partition(workspace), "sk": "W"})


def _key_values(stored: Item) -> tuple[str, str]:
    return attributes.get_text(stored, "pk"), attributes.get_text(stored, "sk")
