"""Settings and opt-outs in memory."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from datetime import datetime

from waypost.errors import Clash, Conflict
from waypost.ids import WorkspaceCode, workspace_code
from waypost.model.person import OptOut, person_hash
from waypost.models.workspace import WorkspaceSettings
from waypost.repositories.workspaces import (
    Person,
    Versioned,
    read_settings,
    read_versioned,
    write_settings,
)


class MemoryWorkspaces:
    """``waypost.store.workspaces.WorkspaceStore``."""

    def __init__(self) -> None:
        self._settings: dict[WorkspaceCode, tuple[str, str, int]] = {}
        self._opt_outs: dict[Person, OptOut] = {}

    def settings(self, workspace: WorkspaceCode) -> WorkspaceSettings:
        stored = self._settings.get(workspace)
        return read_settings(workspace, stored[1]) if stored else WorkspaceSettings()

    def versioned(self, workspace: WorkspaceCode) -> Versioned:
        stored = self._settings.get(workspace)
        return read_versioned(*stored[1:]) if stored else Versioned(WorkspaceSettings(), 0)

    def save(self, workspace: str, settings: WorkspaceSettings, *, over: int | None = None) -> None:
        code = workspace_code(workspace)
        name, _, version = self._settings.get(code, (workspace, "", 0))
        if name != workspace:
            raise Clash("workspace", workspace, "its code belongs to another name")
        if over not in (None, version):
            raise Conflict("settings were saved since they were read")
        self._settings[code] = (workspace, write_settings(settings), version + 1)

    def opt_out(self, workspace: WorkspaceCode, person: str, now: datetime) -> OptOut:
        wish = OptOut(
            workspace=workspace,
            person_hash=person_hash(workspace, person),
            salt=secrets.token_hex(16),
            since=now,
        )
        return self._opt_outs.setdefault((workspace, wish.person_hash), wish)

    def opt_in(self, workspace: WorkspaceCode, person: str) -> None:
        self._opt_outs.pop((workspace, person_hash(workspace, person)), None)

    def opted_out(self, people: Collection[Person]) -> Mapping[Person, OptOut]:
        found = {
            (workspace, person): self._opt_outs.get((workspace, person_hash(workspace, person)))
            for workspace, person in people
        }
        return {person: wish for person, wish in found.items() if wish is not None}
