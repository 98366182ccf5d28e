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
        """Store destinations. One of another recipient becomes one of several, which no erasure
        deletes and which does not expire. Safe to repeat.
        """
        ...

    def delete(self, code: str) -> bool:
        """Delete a short link. Return False if it is not stored."""
        ...

    def delete_destination(self, workspace: WorkspaceId, digest: str, recipient: str) -> bool:
        """Delete a destination that only this recipient has (their hash). Return False, and change
        nothing, if others have it as well, or if it is not stored.
        """
        ...
