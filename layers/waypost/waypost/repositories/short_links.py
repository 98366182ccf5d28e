"""The interface to what does not fit into a link: short links and very long destinations."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from waypost.ids import WorkspaceId
from waypost.models.short_link import LongDestination, ShortLink


class ShortLinkReader(Protocol):
    """What following a link needs. All methods raise StoreUnavailable."""

    def get(self, code: str) -> ShortLink | None:
        """The short link of a code, expired or not; None where there is none."""
        ...

    def get_destination(self, workspace: WorkspaceId, digest: str) -> str | None:
        """The destination stored under a digest; None where there is none."""
        ...


class ShortLinkRepository(ShortLinkReader, Protocol):
    """Writing as well."""

    def add(self, links: Sequence[ShortLink]) -> frozenset[str]:
        """Store short links, never in the place of another; the codes that were taken.

        All others are stored when it returns. Where it raises StoreUnavailable, some may be:
        those lead where they should, but no message carries them.
        """
        ...

    def add_destinations(self, destinations: Collection[LongDestination]) -> None:
        """Store destinations. Safe to repeat."""
        ...
