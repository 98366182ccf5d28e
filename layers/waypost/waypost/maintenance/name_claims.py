"""Claim the names of workspaces that wrote by a release without claims.

Their campaigns and tracking domains have the full name with the time of the first write. If two
names have one id, the earlier writer gets it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from waypost.errors import AlreadyExists
from waypost.models.tracking_domain import STACK_WORKSPACE
from waypost.repositories.campaigns import CampaignRepository
from waypost.repositories.domains import DomainRepository
from waypost.repositories.workspaces import WorkspaceRepository


@dataclass(frozen=True, slots=True)
class NameClaimResult:
    """Names that are claimed now, also by earlier runs, and names whose id belongs to another."""

    claimed: tuple[str, ...]
    refused: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NameClaimService:
    """Claims names from stored campaigns and domains. Safe to repeat."""

    campaigns: CampaignRepository
    domains: DomainRepository
    workspaces: WorkspaceRepository

    def claim_names(self) -> NameClaimResult:
        """Claim the id of each name, in the order of the first writes. Raises StoreUnavailable."""
        claimed, refused = [], []
        for name in self._list_names():
            try:
                self.workspaces.claim_id(name)
            except AlreadyExists:
                refused.append(name)
            else:
                claimed.append(name)
        return NameClaimResult(tuple(claimed), tuple(refused))

    def _list_names(self) -> list[str]:
        """List the names of workspaces, the earliest writer first."""
        first_writes: dict[str, datetime] = {}
        for name, time in self._iter_writes():
            first_writes[name] = min(time, first_writes.get(name, time))
        return sorted(first_writes, key=lambda name: (first_writes[name], name))

    def _iter_writes(self) -> Iterator[tuple[str, datetime]]:
        for campaign in self.campaigns.scan_all():
            yield campaign.workspace, campaign.first_seen
        for domain in self.domains.list_all():
            if domain.workspace != STACK_WORKSPACE:
                yield domain.workspace_name, domain.added
