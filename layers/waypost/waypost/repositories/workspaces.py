"""The interface to workspaces: their settings, and who opted out."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from waypost.ids import WorkspaceId
from waypost.models.workspace import OptOut, WorkspaceSettings
from waypost.repositories.corrupt_items import report_corrupt_item


@dataclass(frozen=True, slots=True)
class VersionedSettings:
    """Settings and how often they were saved. ``damaged`` fields cannot be read and have their
    defaults here, which nobody chose: they need a value before anything is saved.
    """

    settings: WorkspaceSettings
    version: int
    corrupt_fields: tuple[str, ...] = ()


class WorkspaceRepository(Protocol):
    """Settings and opt-outs. All methods raise StoreUnavailable."""

    def get_settings(self, workspace: WorkspaceId) -> WorkspaceSettings:
        """The settings of a workspace; the defaults where nobody configured it.

        Raises MalformedItem, naming workspace and fields, where they cannot be read back, and says
        so in the log.
        """
        ...

    def get_settings_with_version(self, workspace: WorkspaceId) -> VersionedSettings:
        """The settings as of now, as far as they can be read: what ``save`` goes by."""
        ...

    def save_settings(
        self, workspace: str, settings: WorkspaceSettings, *, expected_version: int | None = None
    ) -> None:
        """Keep settings over those of a version; None: over whatever there is.

        Raises Conflict where others were saved since (nothing is written: read them again), Clash
        where another workspace's name has the code.
        """
        ...

    def opt_out(self, workspace: WorkspaceId, person: str, now: datetime) -> OptOut:
        """Count the person's clicks without identity from now on. Repeated, it changes nothing, but
        mends what cannot be read: the person is somebody else from then on.
        """
        ...

    def opt_in(self, workspace: WorkspaceId, person: str) -> None:
        """Take an opt-out back. What was counted meanwhile stays nobody's."""
        ...

    def get_opt_outs(self, people: Collection[PersonKey]) -> Mapping[PersonKey, OptOut]:
        """Of these people, those who opted out, as of now. Raises MalformedRows with the people
        whose opt-out is there and cannot be read.
        """
        ...


PersonKey = tuple[WorkspaceId, str]
"""A person of a workspace."""


def serialize_settings(settings: WorkspaceSettings) -> str:
    """Settings as a store keeps them."""
    return json.dumps(settings.to_dict(), ensure_ascii=False)


def parse_settings(workspace: WorkspaceId, text: str) -> WorkspaceSettings:
    """Read what ``write_settings`` wrote. Raises MalformedItem, and says so in the log."""
    with report_corrupt_item(
        "settings", f"the settings of workspace {workspace}", workspace=workspace
    ):
        return WorkspaceSettings.from_dict(_parse_json(text))


def parse_settings_with_version(text: str, version: int) -> VersionedSettings:
    """The same as far as it can be read."""
    settings, damaged = WorkspaceSettings.parse_valid_fields(_parse_json(text))
    return VersionedSettings(settings, version, damaged)


def _parse_json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
