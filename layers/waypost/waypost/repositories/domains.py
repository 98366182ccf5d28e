"""The interface to tracking domains: each host belongs to one workspace."""

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

_Read = TypeVar("_Read")


class DomainRepository(Protocol):
    """Tracking domains. Reads are consistent; all methods raise StoreUnavailable.

    What cannot be read back is told in the log. Where one domain is asked for, MalformedItem is
    raised; a list goes on without it.
    """

    def add(self, domain: TrackingDomain) -> None:
        """Take a host for its workspace. Raises Clash where any workspace has it."""
        ...

    def get(self, workspace: WorkspaceId, host: str) -> TrackingDomain | None:
        """A workspace's domain by its host."""
        ...

    def get_stage(self, workspace: WorkspaceId, host: str) -> DomainStage | None:
        """Where a workspace's domain stands, whatever else of it cannot be read."""
        ...

    def get_by_host(self, host: str) -> TrackingDomain | None:
        """The domain of a host, whoever has it."""
        ...

    def list_by_workspace(self, workspace: WorkspaceId) -> list[TrackingDomain]:
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

    def list_due(self, now: datetime, limit: int) -> list[tuple[WorkspaceId, str]]:
        """Domains that are to be checked by ``now``, those waiting longest first. One that is
        left out, since its claim cannot be read, is back when it is saved.
        """
        ...


def parse_domain(stored_item: Item) -> TrackingDomain:
    """Read the item of a domain. Raises MalformedItem, and says so in the log."""
    return _parse_or_log("domain", tracking_domain.domain_from_item, stored_item)


def parse_stage(stored_item: Item) -> DomainStage:
    """Read where it stands. Raises MalformedItem, and says so in the log."""
    return _parse_or_log("domain", tracking_domain.stage_from_item, stored_item)


def parse_claim_owner(claim: Item) -> WorkspaceId:
    """Read whose a host is. Raises MalformedItem, and says so in the log."""
    return _parse_or_log("claim", tracking_domain.claim_from_item, claim)[0]


def parse_domains(items: Iterable[Item]) -> list[TrackingDomain]:
    """Those of a workspace's domains that can be read."""
    return sorted(
        _skip_unreadable(parse_domain, items), key=lambda domain: (domain.added, domain.host)
    )


def select_due(claims: Iterable[Item], now: datetime, limit: int) -> list[tuple[WorkspaceId, str]]:
    """Of the hosts whose claims can be read those that are due."""
    read = _skip_unreadable(
        lambda claim: _parse_or_log("claim", tracking_domain.claim_from_item, claim), claims
    )
    waiting = sorted((due, host, code) for code, host, due in read if due <= now)
    return [(code, host) for _, host, code in waiting[:limit]]


def _parse_or_log(item_type: ItemType, parse: Callable[[Item], _Read], stored_item: Item) -> _Read:
    try:
        return parse(stored_item)
    except CorruptItem as why:
        log_corrupt_item(
            item_type, why, host=attributes.get_text(stored_item, "sk").removeprefix("D#")
        )
        raise


def _skip_unreadable(parse: Callable[[Item], _Read], items: Iterable[Item]) -> Iterator[_Read]:
    for row in items:
        with suppress(CorruptItem):  # told by then
            yield parse(row)
