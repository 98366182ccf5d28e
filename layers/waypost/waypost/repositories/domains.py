"""Interface to tracking domains. Each host belongs to one workspace."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from typing import Protocol, TypeVar

from waypost.errors import CorruptItem
from waypost.ids import WorkspaceId
from waypost.models import attributes, tracking_domain
from waypost.models.attributes import Item
from waypost.models.tracking_domain import DomainStage, TrackingDomain
from waypost.repositories.corrupt_items import ItemType, log_corrupt_item
from waypost.repositories.workspaces import WorkspaceRepository

_Read = TypeVar("_Read")


class DomainRepository(Protocol):
    """Tracking domains. Reads are consistent; all methods raise StoreUnavailable.

    Corrupt items are logged. Methods for one domain raise CorruptItem, lists leave it out.
    """

    def add(self, domain: TrackingDomain) -> None:
        """Store a domain and claim its host. Raises AlreadyExists if any workspace has the host."""
        ...

    def get(self, workspace: WorkspaceId, host: str) -> TrackingDomain | None:
        """Return a workspace's domain by its host."""
        ...

    def get_stage(self, workspace: WorkspaceId, host: str) -> DomainStage | None:
        """Return the stage of a workspace's domain, even if other parts of it are corrupt."""
        ...

    def get_by_host(self, host: str) -> TrackingDomain | None:
        """Return the domain of a host, of any workspace."""
        ...

    def list_by_workspace(self, workspace: WorkspaceId) -> list[TrackingDomain]:
        """Return all domains of a workspace, oldest first."""
        ...

    def list_all(self) -> list[TrackingDomain]:
        """Return the domains of all workspaces, oldest first: for operators' tools."""
        ...

    def save(self, domain: TrackingDomain) -> TrackingDomain:
        """Replace the version that was read. Return the domain with its new version.

        Raises WriteConflict if another version, or none, is stored by now.
        """
        ...

    def delete(self, domain: TrackingDomain) -> None:
        """Delete a domain and free its host. Raises WriteConflict as ``save`` does."""
        ...

    def list_due(self, now: datetime, limit: int) -> list[tuple[WorkspaceId, str]]:
        """Return domains with a check due, the longest overdue first. A domain with a corrupt claim
        is left out until it is saved.
        """
        ...


def resolve_owner_id(workspaces: WorkspaceRepository, workspace: str) -> WorkspaceId:
    """Return the id of a workspace with domains, which may be the stack's own.

    Raises AlreadyExists as ``WorkspaceRepository.resolve_id``.
    """
    if workspace == tracking_domain.STACK_WORKSPACE_NAME:
        return tracking_domain.STACK_WORKSPACE
    return workspaces.resolve_id(workspace)


def parse_domain(stored_item: Item) -> TrackingDomain:
    """Read a domain's item. Raises CorruptItem, and logs it."""
    return _parse_or_log("domain", tracking_domain.domain_from_item, stored_item)


def parse_stage(stored_item: Item) -> DomainStage:
    """Read the stage of a domain's item. Raises CorruptItem, and logs it."""
    return _parse_or_log("domain", tracking_domain.stage_from_item, stored_item)


def parse_claim_owner(claim: Item) -> WorkspaceId:
    """Read the workspace of a claim. Raises CorruptItem, and logs it."""
    return _parse_or_log("claim", tracking_domain.claim_from_item, claim)[0]


def parse_domains(items: Iterable[Item]) -> list[TrackingDomain]:
    """Read domains, without corrupt ones, oldest first."""
    return sorted(
        _skip_unreadable(parse_domain, items), key=lambda domain: (domain.added, domain.host)
    )


def parse_claims(claims: Iterable[Item]) -> Iterator[tuple[WorkspaceId, str, datetime]]:
    """Read the workspace, host and due time of each claim, without corrupt ones."""
    return _skip_unreadable(
        lambda claim: _parse_or_log("claim", tracking_domain.claim_from_item, claim), claims
    )


def select_due(claims: Iterable[Item], now: datetime, limit: int) -> list[tuple[WorkspaceId, str]]:
    """Return the due hosts of readable claims, the longest overdue first."""
    parsed = parse_claims(claims)
    overdue = sorted((due, host, workspace) for workspace, host, due in parsed if due <= now)
    return [(workspace, host) for _, host, workspace in overdue[:limit]]


def _parse_or_log(item_type: ItemType, parse: Callable[[Item], _Read], stored_item: Item) -> _Read:
    try:
        return parse(stored_item)
    except CorruptItem as e:
        host = attributes.get_text(stored_item, "sk").removeprefix("D#")
        log_corrupt_item(item_type, e, host=host)
        raise


def _skip_unreadable(parse: Callable[[Item], _Read], items: Iterable[Item]) -> Iterator[_Read]:
    for item in items:
        with suppress(CorruptItem):  # _parse_or_log has logged it
            yield parse(item)
