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

from waypost.models.short_link import LongDestination, ShortLink, generate_code
from waypost.repositories.short_links import ShortLinkRepository
from waypost.rewrite.link_writer import LinkSealer
from waypost.tokens import PreparedLink

SHORT_LINK_PATH: Final = "/s/"
"""Between a host and a code."""


def compute_expiry(now: datetime, days: int | None) -> int | None:
    """When links made now expire, in seconds since 1970; None for ``days`` None: never."""
    return None if days is None else int((now + timedelta(days=days)).timestamp())


@dataclass(frozen=True, slots=True)
class ShortLinkSealer:
    """Seals links like the sealer that it stands before, and gives their codes instead."""

    sealer: LinkSealer
    assign_code: Callable[[str], str]

    def seal(self, link: PreparedLink) -> str:
        """The code of one link for this recipient."""
        return self.assign_code(self.sealer.seal(link))


class LinkShortener:
    """What the links of one rewriting leave to the store."""

    def __init__(
        self,
        repository: ShortLinkRepository,
        expires_at: int | None,
        generate_code: Callable[[], str] = generate_code,
    ) -> None:
        self._repository = repository
        self._expires_at = expires_at
        self._generate_code = generate_code
        self._pending_links: dict[str, ShortLink] = {}
        self._destinations: dict[str, LongDestination] = {}
        self._stored_digests: set[str] = set()

    def assign_code(self, token: str) -> str:
        """A code for a token; every token of every recipient has its own."""
        code = self._generate_code()
        while code in self._pending_links:
            code = self._generate_code()
        self._pending_links[code] = ShortLink(code, token, self._expires_at)
        return code

    def add_destinations(self, destinations: Iterable[LongDestination]) -> None:
        """Note destinations; those of every recipient are stored once."""
        self._destinations |= {kept.digest: kept for kept in destinations}

    def store_pending(self) -> Mapping[str, str]:
        """Store what was noted; the codes that others had already, with those to use instead.

        Raises StoreUnavailable: no message may be handed over then.
        """
        new = [
            kept
            for digest, kept in self._destinations.items()
            if digest not in self._stored_digests
        ]
        if new:
            self._repository.add_destinations(new)
        self._stored_digests |= self._destinations.keys()
        self._destinations = {}
        replaced: dict[str, str] = {}
        while self._pending_links:
            noted, self._pending_links = self._pending_links, {}
            for code in self._repository.add(list(noted.values())):
                instead = self.assign_code(noted[code].token)
                first = next((old for old, new in replaced.items() if new == code), code)
                replaced[first] = instead
        return replaced


def replace_codes(text: str, new_codes: Mapping[str, str]) -> str:
    """A text with codes replaced."""
    for code, instead in new_codes.items():
        text = text.replace(code, instead)
    return text
