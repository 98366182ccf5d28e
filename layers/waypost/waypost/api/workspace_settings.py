"""Reads, changes and mends what a workspace decided."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Protocol

from pydantic import ValidationError

from waypost.errors import Conflict, InvalidRequest, MalformedItem, Overtaken, Problem
from waypost.ids import WorkspaceCode, workspace_code
from waypost.management.settings_body import SettingsChange
from waypost.models.workspace import WorkspaceSettings
from waypost.repositories.corrupt_items import tell_damaged
from waypost.repositories.workspaces import Versioned

_ATTEMPTS: Final = 5
"""Each fails only where somebody else's change succeeded."""
MOST_BYTES: Final = 350_000
"""Of all settings together, of the 400 KB that DynamoDB takes an item."""
_UNREADABLE: Final = "cannot be read back as it is stored; give it a value, too"


class Workspaces(Protocol):
    """What is read and written of workspaces (``waypost.store.workspaces``)."""

    def settings(self, workspace: WorkspaceCode) -> WorkspaceSettings: ...
    def versioned(self, workspace: WorkspaceCode) -> Versioned: ...
    def save(
        self, workspace: str, settings: WorkspaceSettings, *, over: int | None = None
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Configuration:
    """The settings of workspaces, which exist as soon as somebody names them."""

    workspaces: Workspaces

    def told(self, workspace: str) -> SettingsChange:
        """All settings of a workspace. Raises MalformedItem where they cannot be read back."""
        try:
            return _told(self.workspaces.settings(workspace_code(workspace)))
        except ValidationError as e:
            code, named = workspace_code(workspace), ", ".join(map(repr, _fields(e)))
            why = MalformedItem(f"the settings of workspace {code}: {named} cannot be read")
            tell_damaged("settings", why, workspace=code)
            raise why from e

    def changed(self, workspace: str, change: SettingsChange) -> SettingsChange:
        """All settings after a change, which takes nothing back that others change meanwhile.

        Settings that cannot be read back are mended by it: each of them has to be given.

        Raises Clash where the name's code is another's, Overtaken where others never cease,
        InvalidRequest where all of it together is too much to keep, a parameter is no Liquid, or
        something that cannot be read back would stay.
        """
        _check_parameters(change)
        for _ in range(_ATTEMPTS):
            stored = self.workspaces.versioned(workspace_code(workspace))
            settings = change.applied_to(stored.settings)
            _check_size(settings)
            told = _mended(change, settings, stored.damaged)
            try:
                self.workspaces.save(workspace, settings, over=stored.version)
            except Conflict:
                continue
            return told
        raise Overtaken("settings of workspace", workspace)


def _check_parameters(change: SettingsChange) -> None:
    """Values that no message could be rewritten with are refused before they stop all of them."""
    if change.url_params:
        from waypost.rewrite.url_parameters import Parameters  # Liquid: no other route's

        Parameters(change.url_params, identify=False)


def _check_size(settings: WorkspaceSettings) -> None:
    size = len(json.dumps(settings.stored(), ensure_ascii=False).encode())
    if size > MOST_BYTES:
        reason = f"makes settings of {size:,} bytes; at most {MOST_BYTES:,} are kept"
        raise InvalidRequest.of("body", reason)


def _mended(
    change: SettingsChange, settings: WorkspaceSettings, damaged: Collection[str]
) -> SettingsChange:
    """What is told of the settings after a change. Raises InvalidRequest for what it leaves as it
    cannot be read: the default in its place would be nobody's wish.
    """
    left = [name for name in damaged if name not in change.model_fields_set]
    if not left:
        try:
            return _told(settings)
        except ValidationError as e:
            left = _fields(e)
    raise InvalidRequest(*(Problem(name, _UNREADABLE) for name in left))


def _fields(error: ValidationError) -> list[str]:
    return list(dict.fromkeys(str(each["loc"][0]) for each in error.errors()))


def _told(settings: WorkspaceSettings) -> SettingsChange:
    return SettingsChange.model_validate(settings.stored())
