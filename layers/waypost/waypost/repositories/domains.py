"""The interface to tracking domains: each host belongs to one workspace."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from typing import Protocol, TypeVar

from waypost.domains import item_mapping
from waypost.domains.model import Stage, TrackingDomain
from waypost.errors import MalformedItem
from waypost.ids import WorkspaceCode
from waypost.models import attributes
from waypost.models.attributes import Item
from waypost.repositories.corrupt_items import Row, tell_damaged

_Read = TypeVar("_Read")


class DomainStore(Protocol):
    """Tracking domains. Reads are consistent; all methods raise StoreUnavailable.

    What cannot be read back is told in the log. Where one domain is asked for, MalformedItem is
    raised; a list goes on without it.
    """

    def add(self, domain: TrackingDomain) -> None:
        """Take a host for its workspace. Raises Clash where any workspace has it."""
        ...

    def get(self, workspace: WorkspaceCode, host: str) -> TrackingDomain | None:
        """A workspace's domain by its host."""
        ...

    def stage(self, workspace: WorkspaceCode, host: str) -> Stage | None:
        """Where a workspace's domain stands, whatever else of it cannot be read."""
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
        """Domains that are to be checked by ``now``, those waiting longest first. One that is
        left out, since its claim cannot be read, is back when it is saved.
        """
        ...


def read_domain(kept: Item) -> TrackingDomain:
    """Read the item of a domain. Raises MalformedItem, and says so in the log."""
    return _told("domain", item_mapping.from_item, kept)


def read_stage(kept: Item) -> Stage:
    """Read where it stands. Raises MalformedItem, and says so in the log."""
    return _told("domain", item_mapping.stage_of, kept)


def read_owner(claim: Item) -> WorkspaceCode:
    """Read whose a host is. Raises MalformedItem, and says so in the log."""
    return _told("claim", item_mapping.from_claim, claim)[0]


def oldest_first(kept: Iterable[Item]) -> list[TrackingDomain]:
    """Those of a workspace's domains that can be read."""
    return sorted(_readable(read_domain, kept), key=lambda domain: (domain.added, domain.host))


def due_first(claims: Iterable[Item], now: datetime, limit: int) -> list[tuple[WorkspaceCode, str]]:
    """Of the hosts whose claims can be read those that are due."""
    read = _readable(lambda claim: _told("claim", item_mapping.from_claim, claim), claims)
    waiting = sorted((due, host, code) for code, host, due in read if due <= now)
    return [(code, host) for _, host, code in waiting[:limit]]


def _told(row: Row, read: Callable[[Item], _Read], kept: Item) -> _Read:
    try:
        return read(kept)
    except MalformedItem as why:
        tell_damaged(row, why, host=attributes.text(kept, "sk").removeprefix("D#"))
        raise


def _readable(read: Callable[[Item], _Read], rows: Iterable[Item]) -> Iterator[_Read]:
    for row in rows:
        with suppress(MalformedItem):  # told by then
            yield read(row)
