"""The interface to tracking domains: each host belongs to one workspace."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from waypost.codes import WorkspaceCode
from waypost.domains.domain import TrackingDomain


class DomainStore(Protocol):
    """Tracking domains. Reads are consistent; all methods raise StoreUnavailable."""

    def add(self, domain: TrackingDomain) -> None:
        """Take a host for its workspace. Raises Clash where any workspace has it."""
        ...

    def get(self, workspace: WorkspaceCode, host: str) -> TrackingDomain | None:
        """A workspace's domain by its host."""
        ...

    def by_host(self, host: str) -> TrackingDomain | None:
        """The domain of a host, whoever has it."""
        ...

    def of_workspace(self, workspace: WorkspaceCode) -> list[TrackingDomain]:
        """All domains of a workspace, oldest first."""
        ...

    def save(self, domain: TrackingDomain) -> TrackingDomain:
        """Write over the version that was read; gives the domain with its new version.

        Raises Conflict where another version is there by now, or none.
        """
        ...

    def delete(self, domain: TrackingDomain) -> None:
        """Forget a domain and free its host. Raises Conflict as ``save`` does."""
        ...

    def due(self, now: datetime, limit: int) -> list[tuple[WorkspaceCode, str]]:
        """Domains that are to be checked by ``now``, those waiting longest first."""
        ...
