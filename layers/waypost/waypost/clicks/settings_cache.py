"""What a workspace decided, for those who read it at every click: cached, and never waited for
twice while the store is down.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Protocol

from waypost.cache import Cache
from waypost.errors import CorruptItem, StoreError, StoreUnavailable
from waypost.ids import WorkspaceId
from waypost.models.workspace import WorkspaceSettings

SETTINGS_TTL_SECONDS: Final = 60
SETTINGS_RETRY_SECONDS: Final = 5
FAIL_CLOSED_SETTINGS: Final = WorkspaceSettings(ip="none", events="none")
"""What holds for a workspace whose settings were never read: nothing is kept or told that it might
forbid; retention is the stack's own.
"""
_MAX_CACHED_WORKSPACES: Final = 1_000


class SettingsReader(Protocol):
    """What is read of workspaces."""

    def get_settings(self, workspace: WorkspaceId) -> WorkspaceSettings: ...


class SettingsCache:
    """Settings by workspace, at most ``FRESH_SECONDS`` old, or older while the store is down.

    ``now`` is a monotonic clock in seconds.
    """

    def __init__(
        self, repository: SettingsReader, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._repository = repository
        # None: the settings were never read, and the store was unavailable a moment ago.
        self._cache = Cache[WorkspaceId, WorkspaceSettings | None](
            _MAX_CACHED_WORKSPACES,
            ttl_seconds=SETTINGS_TTL_SECONDS,
            retry_seconds=SETTINGS_RETRY_SECONDS,
            stale_on=StoreError,
            clock=monotonic,
        )

    def get_or_default(self, workspace: WorkspaceId) -> WorkspaceSettings:
        """The settings of a workspace. Never raises: without an answer, the last one known holds,
        else ``STRICTEST``.
        """
        return self._get_latest(workspace) or FAIL_CLOSED_SETTINGS

    def get_or_raise(self, workspace: WorkspaceId) -> WorkspaceSettings:
        """The same for who can come again: raises StoreUnavailable where no answer was ever known.
        Settings that cannot be read back are an answer, and ``STRICTEST`` holds.
        """
        settings = self._get_latest(workspace)
        if settings is None:
            raise StoreUnavailable(f"the settings of workspace {workspace} were never read")
        return settings

    def _get_latest(self, workspace: WorkspaceId) -> WorkspaceSettings | None:
        try:
            return self._cache.get_or_load(
                workspace, lambda: self._repository.get_settings(workspace)
            )
        except StoreError as e:
            settings = FAIL_CLOSED_SETTINGS if isinstance(e, CorruptItem) else None
            self._cache.set(workspace, settings, SETTINGS_RETRY_SECONDS)
            return settings
