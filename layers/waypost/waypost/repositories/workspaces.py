"""The interface to workspaces: their settings, and who opted out."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from waypost.ids import WorkspaceCode
from waypost.models.workspace import OptOut, WorkspaceSettings
from waypost.repositories.corrupt_items import telling


@dataclass(frozen=True, slots=True)
class Versioned:
    """Settings and how often they were saved. ``damaged`` fields cannot be read and have their
    defaults here, which nobody chose: they need a value before anything is saved.
    """

    settings: WorkspaceSettings
    version: int
    damaged: tuple[str, ...] = ()


class WorkspaceStore(Protocol):
    """Settings and opt-outs. All methods raise StoreUnavailable."""

    def settings(self, workspace: WorkspaceCode) -> WorkspaceSettings:
        """The settings of a workspace; the defaults where nobody configured it.

        Raises MalformedItem, naming workspace and fields, where they cannot be read back, and says
        so in the log.
        """
        ...

    def versioned(self, workspace: WorkspaceCode) -> Versioned:
        """The settings as of now, as far as they can be read: what ``save`` goes by."""
        ...

    def save(self, workspace: str, settings: WorkspaceSettings, *, over: int | None = None) -> None:
        """Keep settings over those of a version; None: over whatever there is.

        Raises Conflict where others were saved since (nothing is written: read them again), Clash
        where another workspace's name has the code.
        """
        ...

    def opt_out(self, workspace: WorkspaceCode, person: str, now: datetime) -> OptOut:
        """Count the person's clicks without identity from now on. Repeated, it changes nothing, but
        mends what cannot be read: the person is somebody else from then on.
        """
        ...

    def opt_in(self, workspace: WorkspaceCode, person: str) -> None:
        """Take an opt-out back. What was counted meanwhile stays nobody's."""
        ...

    def opted_out(self, people: Collection[Person]) -> Mapping[Person, OptOut]:
        """Of these people, those who opted out, as of now. Raises MalformedRows with the people
        whose opt-out is there and cannot be read.
        """
        ...


Person = tuple[WorkspaceCode, str]
"""A person of a workspace."""


def write_settings(settings: WorkspaceSettings) -> str:
    """Settings as a store keeps them."""
    return json.dumps(settings.stored(), ensure_ascii=False)


def read_settings(workspace: WorkspaceCode, text: str) -> WorkspaceSettings:
    """Read what ``write_settings`` wrote. Raises MalformedItem, and says so in the log."""
    with telling("settings", f"the settings of workspace {workspace}", workspace=workspace):
        return WorkspaceSettings.from_stored(_values(text))


def read_versioned(text: str, version: int) -> Versioned:
    """The same as far as it can be read."""
    settings, damaged = WorkspaceSettings.readable(_values(text))
    return Versioned(settings, version, damaged)


def _values(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
