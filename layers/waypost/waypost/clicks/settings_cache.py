"""What a workspace decided, for those who read it at every click: cached, and never waited for
twice while the store is down.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Protocol

from waypost.errors import MalformedItem, StoreError, StoreUnavailable
from waypost.ids import WorkspaceCode
from waypost.models.workspace import WorkspaceSettings

FRESH_SECONDS: Final = 60
RETRY_SECONDS: Final = 5
STRICTEST: Final = WorkspaceSettings(ip="none", events="none")
"""What holds for a workspace whose settings were never read: nothing is kept or told that it might
forbid; retention is the stack's own.
"""
_REMEMBERED: Final = 1_000


class SettingsReader(Protocol):
    """What is read of workspaces."""

    def settings(self, workspace: WorkspaceCode) -> WorkspaceSettings: ...


class Policies:
    """Settings by workspace, at most ``FRESH_SECONDS`` old, or older while the store is down.

    ``now`` is a monotonic clock in seconds.
    """

    def __init__(self, store: SettingsReader, now: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._now = now
        self._known: dict[WorkspaceCode, tuple[float, WorkspaceSettings | None]] = {}

    def of(self, workspace: WorkspaceCode) -> WorkspaceSettings:
        """The settings of a workspace. Never raises: without an answer, the last one known holds,
        else ``STRICTEST``.
        """
        return self._last(workspace) or STRICTEST

    def certain(self, workspace: WorkspaceCode) -> WorkspaceSettings:
        """The same for who can come again: raises StoreUnavailable where no answer was ever known.
        Settings that cannot be read back are an answer, and ``STRICTEST`` holds.
        """
        settings = self._last(workspace)
        if settings is None:
            raise StoreUnavailable(f"the settings of workspace {workspace} were never read")
        return settings

    def _last(self, workspace: WorkspaceCode) -> WorkspaceSettings | None:
        until, settings = self._known.get(workspace, (0.0, None))
        if self._now() < until:
            return settings
        try:
            settings, fresh = self._store.settings(workspace), FRESH_SECONDS
        except MalformedItem:
            settings, fresh = settings or STRICTEST, RETRY_SECONDS
        except StoreError:
            fresh = RETRY_SECONDS
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[workspace] = (self._now() + fresh, settings)
        return settings
