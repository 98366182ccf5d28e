"""Gives links short codes, and keeps what links do not carry themselves.

Tokens and long destinations are noted while messages are stamped and stored before any message is
handed over, so that no message ever carries a link that leads nowhere. A code that turns out to be
taken (once in a stack's lifetime, if ever) is replaced in the messages that carry it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from waypost.models.short_link import ShortLink, StoredDestination, new_code
from waypost.repositories.short_links import ShortLinkStore
from waypost.rewrite.link_writer import Seals
from waypost.tokens import PreparedLink

PATH: Final = "/s/"
"""Between a host and a code."""


def expiry(now: datetime, days: int | None) -> int | None:
    """When links made now expire, in seconds since 1970; None for ``days`` None: never."""
    return None if days is None else int((now + timedelta(days=days)).timestamp())


@dataclass(frozen=True, slots=True)
class ShortSealer:
    """Seals links like the sealer that it stands before, and gives their codes instead."""

    sealer: Seals
    note: Callable[[str], str]

    def seal(self, link: PreparedLink) -> str:
        """The code of one link for this recipient."""
        return self.note(self.sealer.seal(link))


class Shortener:
    """What the links of one rewriting leave to the store."""

    def __init__(
        self,
        store: ShortLinkStore,
        expires: int | None,
        new: Callable[[], str] = new_code,
    ) -> None:
        self._store = store
        self._expires = expires
        self._new = new
        self._noted: dict[str, ShortLink] = {}
        self._destinations: dict[str, StoredDestination] = {}
        self._kept: set[str] = set()

    def code_for(self, token: str) -> str:
        """A code for a token; every token of every recipient has its own."""
        code = self._new()
        while code in self._noted:
            code = self._new()
        self._noted[code] = ShortLink(code, token, self._expires)
        return code

    def keep(self, destinations: Iterable[StoredDestination]) -> None:
        """Note destinations; those of every recipient are stored once."""
        self._destinations |= {kept.digest: kept for kept in destinations}

    def store(self) -> Mapping[str, str]:
        """Store what was noted; the codes that others had already, with those to use instead.

        Raises StoreUnavailable: no message may be handed over then.
        """
        new = [kept for digest, kept in self._destinations.items() if digest not in self._kept]
        if new:
            self._store.keep(new)
        self._kept |= self._destinations.keys()
        self._destinations = {}
        replaced: dict[str, str] = {}
        while self._noted:
            noted, self._noted = self._noted, {}
            for code in self._store.add(list(noted.values())):
                instead = self.code_for(noted[code].token)
                first = next((old for old, new in replaced.items() if new == code), code)
                replaced[first] = instead
        return replaced


def with_codes(text: str, replaced: Mapping[str, str]) -> str:
    """A text with codes replaced."""
    for code, instead in replaced.items():
        text = text.replace(code, instead)
    return text
