"""Cache the settings of workspaces, and fail closed while they cannot be read."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from waypost.cache import Cache
from waypost.errors import CorruptItem, StoreError, StoreUnavailable
from waypost.ids import WorkspaceId
from waypost.models.workspace import WorkspaceSettings

if TYPE_CHECKING:
    from waypost.repositories.workspaces import WorkspaceRepository

SETTINGS_TTL_SECONDS: Final = 60
SETTINGS_RETRY_SECONDS: Final = 5
"""Pause after settings could not be read; no click waits for the store until then."""
FAIL_CLOSED_SETTINGS: Final = WorkspaceSettings(ip="none", events="none")
"""Settings of a workspace whose own were never read. Nothing that it may forbid is stored or
published; the stack's retention applies.
"""
_MAX_CACHED_WORKSPACES: Final = 1_000


class SettingsCache:
    """Settings by workspace, at most ``SETTINGS_TTL_SECONDS`` old, or stale if reading fails.

    ``monotonic`` is a monotonic clock in seconds.
    """

    def __init__(
        self, repository: WorkspaceRepository, monotonic: Callable[[], float] = time.monotonic
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
        """Return the latest settings of a workspace, or the fail-closed ones. Never raises."""
        return self._get_latest(workspace) or FAIL_CLOSED_SETTINGS

    def get_or_raise(self, workspace: WorkspaceId) -> WorkspaceSettings:
        """Return the latest settings of a workspace, for callers that can retry.

        Raises StoreUnavailable if none were ever read. For corrupt settings it returns
        ``FAIL_CLOSED_SETTINGS``, since a retry cannot help.
        """
        settings = self._get_latest(workspace)
        if settings is None:
            raise StoreUnavailable(f"settings of workspace {workspace}: never read")
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
