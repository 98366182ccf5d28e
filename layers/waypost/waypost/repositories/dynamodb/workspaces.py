"""Settings and opt-outs of workspaces in DynamoDB."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from dataclasses import replace
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
"""Items without a version come from before versions, and count as never saved."""


class DynamoWorkspaceRepository:
    """``waypost.repositories.workspaces.WorkspaceRepository``."""

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
        workspace_id = derive_workspace_id(workspace)
        values: dict[str, attributes.Value] = {
            ":name": workspace,
            ":settings": serialize_settings(settings),
            ":once": 1,
        }
        try:
            with translate_dynamo_errors():
                self._client.update_item(
                    TableName=self._table,
                    Key=_settings_key(workspace_id),
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
                self._load_settings_item(workspace_id, consistent=True), "name"
            )
            if owner in (None, workspace):
                raise
            raise AlreadyExists("workspace", workspace, "its id belongs to another name") from e

    def opt_out(
        self, workspace: WorkspaceId, person: str, now: datetime, *, is_erased: bool = False
    ) -> OptOut:
        opt_out = OptOut(
            workspace=workspace,
            person_hash=person_hash(workspace, person),
            salt=secrets.token_hex(16),
            since=now,
            erased=now if is_erased else None,
        )
        try:
            with translate_dynamo_errors():
                self._client.put_item(
                    TableName=self._table,
                    Item=opt_out.to_item(),
                    ConditionExpression="attribute_not_exists(pk)",
                )
        except WriteConflict:
            return self._update_opt_out(workspace, person, opt_out)
        return opt_out

    def _update_opt_out(self, workspace: WorkspaceId, person: str, opt_out: OptOut) -> OptOut:
        """Return the stored opt-out with this erasure, or replace it if it is corrupt or ended."""
        key = (workspace, person)
        try:
            stored = self.get_opt_outs([key]).get(key)
        except CorruptItem:
            stored = None
        if stored is None or not stored.is_active:
            last_erasure = stored.erased if stored else None
            opt_out = replace(opt_out, erased=opt_out.erased or last_erasure)
        elif opt_out.erased is None:
            return stored
        else:
            opt_out = replace(stored, erased=opt_out.erased)
        with translate_dynamo_errors():
            self._client.put_item(TableName=self._table, Item=opt_out.to_item())
        return self.get_opt_outs([key]).get(key, opt_out)

    def opt_in(self, workspace: WorkspaceId, person: str, now: datetime) -> None:
        key = (workspace, person)
        try:
            stored = self.get_opt_outs([key]).get(key)
        except CorruptItem:
            stored = None
        with translate_dynamo_errors():
            if stored is None or stored.erased is None:
                item_key = opt_out_key(workspace, person_hash(workspace, person))
                self._client.delete_item(TableName=self._table, Key=item_key)
            elif stored.is_active:
                ended = replace(stored, salt=secrets.token_hex(16), opted_in=now)
                self._client.put_item(TableName=self._table, Item=ended.to_item())

    def get_opt_outs(self, people: Collection[PersonKey]) -> Mapping[PersonKey, OptOut]:
        keys = {_key_values(opt_out_key(w, person_hash(w, p))): (w, p) for w, p in people}
        item_keys = [opt_out_key(w, person_hash(w, p)) for w, p in keys.values()]
        opt_outs: dict[PersonKey, OptOut] = {}
        corrupt: list[PersonKey] = []
        for item in batch_get(self._client, self._table, item_keys):
            person = keys[_key_values(item)]
            try:
                opt_outs[person] = OptOut.from_item(person[0], item)
            except CorruptItem as e:
                log_corrupt_item(
                    "opt_out", e, workspace=person[0], key=attributes.get_text(item, "sk")
                )
                corrupt.append(person)
        if corrupt:
            workspaces = ", ".join(sorted({workspace for workspace, _ in corrupt}))
            raise CorruptItemSet(
                f"opt-outs of workspace {workspaces}: corrupt items ({len(corrupt)})", corrupt
            )
        return opt_outs

    def _load_settings_item(self, workspace: WorkspaceId, *, consistent: bool) -> Item:
        """Return the item of the settings, or an empty one."""
        options = {"ConsistentRead": True} if consistent else {}
        with translate_dynamo_errors():
            response = self._client.get_item(
                TableName=self._table, Key=_settings_key(workspace), **options
            )
        item: Item = response.get("Item", {})
        return item


def _get_settings_text(stored: Item) -> str:
    """Return the text of the settings, or the empty text, which no parser reads, without one."""
    try:
        return attributes.get_text(stored, "settings")
    except CorruptItem:
        return ""


def _settings_key(workspace: WorkspaceId) -> Item:
    return attributes.build_item({"pk": workspace_partition(workspace), "sk": "W"})


def _key_values(stored: Item) -> tuple[str, str]:
    return attributes.get_text(stored, "pk"), attributes.get_text(stored, "sk")
