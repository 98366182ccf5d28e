"""Names, settings and opt-outs of workspaces in DynamoDB."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from waypost.cache import Cache
from waypost.errors import CorruptItem, CorruptItemSet, WriteConflict
from waypost.ids import WorkspaceId, check_owner, derive_workspace_id
from waypost.models import attributes
from waypost.models.attributes import Item
from waypost.models.workspace import (
    OptOut,
    WorkspaceSettings,
    opt_out_key,
    person_hash,
    workspace_partition,
)
from waypost.repositories.corrupt_items import log_corrupt_item, report_corrupt_item
from waypost.repositories.dynamodb.client import DynamoClient, batch_get, translate_dynamo_errors
from waypost.repositories.workspaces import (
    UNSAVED_SETTINGS,
    PersonKey,
    VersionedSettings,
    parse_settings,
    parse_settings_with_version,
    serialize_settings,
)

_MAX_CACHED_NAMES: Final = 10_000
_NAME_CONDITION: Final = "(attribute_not_exists(#name) OR #name = :name)"
_VERSION_CONDITIONS: Final = {None: "", 0: " AND attribute_not_exists(version)"}
"""Items without a version come from before versions, and count as never saved."""


class DynamoWorkspaceRepository:
    """``waypost.repositories.workspaces.WorkspaceRepository``.

    The names that claimed ids are cached, because a claim never changes.
    """

    def __init__(self, client: DynamoClient, table: str) -> None:
        self._client = client
        self._table = table
        self._owners = Cache[WorkspaceId, str](_MAX_CACHED_NAMES)

    def resolve_id(self, workspace: str) -> WorkspaceId:
        workspace_id = derive_workspace_id(workspace)
        check_owner(workspace, self._owners.get(workspace_id) or self._load_owner(workspace_id))
        return workspace_id

    def claim_id(self, workspace: str) -> WorkspaceId:
        workspace_id = self.resolve_id(workspace)
        if self._owners.get(workspace_id) is None:
            self._update_settings_item(
                workspace,
                "SET #name = :name, settings = if_not_exists(settings, :settings)",
                _NAME_CONDITION,
                {":settings": UNSAVED_SETTINGS},
            )
        return workspace_id

    def get_settings(self, workspace: WorkspaceId) -> WorkspaceSettings:
        return _parse_item(workspace, self._load_settings_item(workspace, consistent=False))

    def get_settings_by_name(self, workspace: str) -> WorkspaceSettings:
        workspace_id = derive_workspace_id(workspace)
        stored = self._load_settings_item(workspace_id, consistent=False)
        check_owner(workspace, self._cache_owner(workspace_id, stored))
        return _parse_item(workspace_id, stored)

    def get_settings_with_version(self, workspace: str) -> VersionedSettings:
        workspace_id = derive_workspace_id(workspace)
        stored = self._load_settings_item(workspace_id, consistent=True)
        check_owner(workspace, self._cache_owner(workspace_id, stored))
        if not stored:
            return VersionedSettings(WorkspaceSettings(), 0)
        return parse_settings_with_version(
            _get_settings_text(stored), attributes.get_number(stored, "version", default=0)
        )

    def save_settings(
        self, workspace: str, settings: WorkspaceSettings, *, expected_version: int | None = None
    ) -> None:
        values: dict[str, attributes.Value] = {
            ":settings": serialize_settings(settings),
            ":once": 1,
        }
        self._update_settings_item(
            workspace,
            "SET #name = :name, settings = :settings ADD version :once",
            _NAME_CONDITION + _VERSION_CONDITIONS.get(expected_version, " AND version = :over"),
            values | ({":over": expected_version} if expected_version else {}),
        )

    def _update_settings_item(
        self, workspace: str, update: str, condition: str, values: Mapping[str, attributes.Value]
    ) -> None:
        """Update the item and store the workspace's name. Raises AlreadyExists if another name is
        stored, WriteConflict if the rest of the condition fails.
        """
        workspace_id = derive_workspace_id(workspace)
        try:
            with translate_dynamo_errors():
                self._client.update_item(
                    TableName=self._table,
                    Key=_settings_key(workspace_id),
                    UpdateExpression=update,
                    ConditionExpression=condition,
                    ExpressionAttributeNames={"#name": "name"},
                    ExpressionAttributeValues=attributes.build_item({":name": workspace, **values}),
                )
        except WriteConflict:
            check_owner(workspace, self._load_owner(workspace_id))
            raise
        self._owners.set(workspace_id, workspace)

    def _load_owner(self, workspace: WorkspaceId) -> str | None:
        """Load the name that claimed an id, None before the first write."""
        return self._cache_owner(workspace, self._load_settings_item(workspace, consistent=True))

    def _cache_owner(self, workspace: WorkspaceId, stored: Item) -> str | None:
        with report_corrupt_item(
            "settings", f"settings of workspace {workspace}", workspace=workspace
        ):
            owner = attributes.get_optional_text(stored, "name")
        if owner is not None:
            self._owners.set(workspace, owner)
        return owner

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


def _parse_item(workspace: WorkspaceId, stored: Item) -> WorkspaceSettings:
    return parse_settings(workspace, _get_settings_text(stored)) if stored else WorkspaceSettings()


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
