"""Short links and long destinations in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from waypost.ids import WorkspaceCode
from waypost.models.short_link import ShortLink, StoredDestination


class MemoryShortLinks:
    """``waypost.store.short_links.ShortLinkStore``."""

    def __init__(self) -> None:
        self._links: dict[str, ShortLink] = {}
        self._destinations: dict[tuple[WorkspaceCode, str], str] = {}

    def add(self, links: Sequence[ShortLink]) -> frozenset[str]:
        taken = set()
        for link in links:
            if self._links.setdefault(link.code, link) is not link:
                taken.add(link.code)
        return frozenset(taken)

    def keep(self, destinations: Collection[StoredDestination]) -> None:
        for kept in destinations:
            self._destinations[kept.workspace, kept.digest] = kept.href

    def find(self, code: str) -> ShortLink | None:
        return self._links.get(code)

    def destination(self, workspace: WorkspaceCode, digest: str) -> str | None:
        return self._destinations.get((workspace, digest))
