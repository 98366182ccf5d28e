"""The interface to workspaces: their settings, and who opted out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Protocol

from waypost.codes import WorkspaceCode
from waypost.model.person import OptOut
from waypost.model.workspace import WorkspaceSettings


class WorkspaceStore(Protocol):
    """Settings and opt-outs. All methods raise StoreUnavailable."""

    def settings(self, workspace: WorkspaceCode) -> WorkspaceSettings:
        """The settings of a workspace; the defaults where nobody configured it."""
        ...

    def versioned(self, workspace: WorkspaceCode) -> tuple[WorkspaceSettings, int]:
        """The settings as of now, and how often they were saved: what ``save`` goes by."""
        ...

    def save(self, workspace: str, settings: WorkspaceSettings, *, over: int | None = None) -> None:
        """Keep settings over those of a version; None: over whatever there is.

        Raises Conflict where others were saved since (nothing is written: read them again), Clash
        where another workspace's name has the code.
        """
        ...

    def opt_out(self, workspace: WorkspaceCode, person: str, now: datetime) -> OptOut:
        """Count the person's clicks without identity from now on. Repeated, it changes nothing."""
        ...

    def opt_in(self, workspace: WorkspaceCode, person: str) -> None:
        """Take an opt-out back. What was counted meanwhile stays nobody's."""
        ...

    def opted_out(self, people: Collection[Person]) -> Mapping[Person, OptOut]:
        """Of these people, those who opted out, as of now."""
        ...


Person = tuple[WorkspaceCode, str]
"""A person of a workspace."""
