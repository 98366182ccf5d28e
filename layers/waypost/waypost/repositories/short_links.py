"""Interface to short links and very long destinations."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from waypost.ids import WorkspaceId
from waypost.models.short_link import LongDestination, ShortLink


class ShortLinkReader(Protocol):
    """The part that the redirect needs. All methods raise StoreUnavailable."""

    def get(self, code: str) -> ShortLink | None:
        """Return the short link of a code, expired or not, or None."""
        ...

    def get_destination(self, workspace: WorkspaceId, digest: str) -> str | None:
        """Return the destination stored under a digest, or None."""
        ...


class ShortLinkRepository(ShortLinkReader, Protocol):
    """The part that rewriting needs as well."""

    def add(self, links: Sequence[ShortLink]) -> frozenset[str]:
        """Store short links, and replace none. Return the codes that were taken.

        All others are stored when it returns. When it raises StoreUnavailable, some may be stored:
        they work, but no message contains them.
        """
        ...

    def add_destinations(self, destinations: Collection[LongDestination]) -> None:
        """Store destinations. Safe to repeat."""
        ...
