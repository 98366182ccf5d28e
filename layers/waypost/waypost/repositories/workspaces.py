"""Interface to workspaces: their names, settings and opt-outs.

Two names can have the same id. The first write of a workspace claims the id for its name, and
``waypost.ids.check_owner`` refuses all other names with that id. Use cases get the id of a name
only by ``resolve_id`` and ``claim_id``, so none can forget the comparison.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from waypost.ids import WorkspaceId
from waypost.models.workspace import OptOut, WorkspaceSettings
from waypost.repositories.corrupt_items import report_corrupt_item


@dataclass(frozen=True, slots=True)
class VersionedSettings:
    """Settings and the number of times they were saved. ``corrupt_fields`` have their defaults
    here, which the workspace did not choose: a save has to give them a value.
    """

    settings: WorkspaceSettings
    version: int
    corrupt_fields: tuple[str, ...] = ()


PersonKey = tuple[WorkspaceId, str]
"""A person of a workspace."""


class WorkspaceRepository(Protocol):
    """Names, settings and opt-outs. All methods raise StoreUnavailable.

    Methods with a workspace's name raise AlreadyExists if its id belongs to another name. Methods
    with an id serve callers that know no name, as the redirect and the tally.
    """

    def resolve_id(self, workspace: str) -> WorkspaceId:
        """Return the id of a workspace, to read what is stored under it."""
        ...

    def claim_id(self, workspace: str) -> WorkspaceId:
        """Return the id of a workspace, to write under it. The first call claims it for the name,
        which costs one read and one write; a process reads each claim once.
        """
        ...

    def get_settings_by_name(self, workspace: str) -> WorkspaceSettings:
        """Return a workspace's settings as ``get_settings`` does, with one read."""
        ...

    def get_settings(self, workspace: WorkspaceId) -> WorkspaceSettings:
        """Return a workspace's settings, or the defaults if it has none stored.

        Corrupt settings are logged. Raises CorruptItem with the workspace and the fields.
        """
        ...

    def get_settings_with_version(self, workspace: str) -> VersionedSettings:
        """Return the present settings for ``save_settings``, as far as they are readable."""
        ...

    def save_settings(
        self, workspace: str, settings: WorkspaceSettings, *, expected_version: int | None = None
    ) -> None:
        """Store settings over the expected version, or over any version (None), and claim the id.

        Raises WriteConflict if another writer saved since (nothing is written: read them again).
        """
        ...

    def opt_out(
        self, workspace: WorkspaceId, person: str, now: datetime, *, is_erased: bool = False
    ) -> OptOut:
        """Count the person's clicks without identity from now on. Repeating it changes nothing,
        except that a corrupt opt-out is replaced, which gives the person another alias.

        ``is_erased`` notes an erasure at this time.
        """
        ...

    def opt_in(self, workspace: WorkspaceId, person: str, now: datetime) -> None:
        """End an opt-out. Clicks counted in the meantime stay anonymous, and clicks from before an
        erasure become so. Safe to repeat.
        """
        ...

    def get_opt_outs(self, people: Collection[PersonKey]) -> Mapping[PersonKey, OptOut]:
        """Return the opt-outs of these people, read consistently, also those that ended after an
        erasure. Raises CorruptItemSet with the people whose opt-out is corrupt.
        """
        ...


UNSAVED_SETTINGS: Final = "{}"
"""The stored text of a workspace that has a name and never saved settings: all are defaults. An
item without a text is corrupt, also for earlier releases.
"""


def serialize_settings(settings: WorkspaceSettings) -> str:
    """Write settings as stored text."""
    return json.dumps(settings.to_dict(), ensure_ascii=False)


def parse_settings(workspace: WorkspaceId, text: str) -> WorkspaceSettings:
    """Read the result of ``serialize_settings``. Raises CorruptItem, and logs it."""
    with report_corrupt_item("settings", f"settings of workspace {workspace}", workspace=workspace):
        return WorkspaceSettings.from_dict(_parse_json(text))


def parse_settings_with_version(text: str, version: int) -> VersionedSettings:
    """Read the result of ``serialize_settings``, as far as it is readable."""
    settings, corrupt_fields = WorkspaceSettings.parse_valid_fields(_parse_json(text))
    return VersionedSettings(settings, version, corrupt_fields)


def _parse_json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
