"""Assigns short codes to links, and stores destinations that are too long for a link.

Codes and destinations are collected while texts are filled, and stored before any message is
returned: a message never carries a link that leads nowhere. A code that is already taken (expected
at most once in the lifetime of a stack) is replaced in the messages that carry it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from waypost.models.short_link import LongDestination, ShortLink, generate_code
from waypost.repositories.short_links import ShortLinkRepository

SHORT_LINK_PATH: Final = "/s/"
"""Path between a host and a code."""


def compute_expiry(now: datetime, days: int | None) -> int | None:
    """Compute when a short link expires, in seconds since 1970; None (never) for no ``days``."""
    return None if days is None else int((now + timedelta(days=days)).timestamp())


class LinkShortener:
    """The short links and long destinations of one message, pending until they are stored."""

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
        self._pending_destinations: dict[str, LongDestination] = {}
        self._stored_digests: set[str] = set()

    def assign_code(self, token: str) -> str:
        """Assign a new code to a token."""
        code = self._generate_code()
        while code in self._pending_links:
            code = self._generate_code()
        self._pending_links[code] = ShortLink(code, token, self._expires_at)
        return code

    def add_destinations(self, destinations: Iterable[LongDestination]) -> None:
        """Add destinations to store; each is stored once."""
        self._pending_destinations |= {each.digest: each for each in destinations}

    def store_pending(self) -> Mapping[str, str]:
        """Store pending links and destinations; return new codes by the taken ones they replace.

        :raises StoreUnavailable: then no message may be returned.
        """
        new = [
            destination
            for digest, destination in self._pending_destinations.items()
            if digest not in self._stored_digests
        ]
        if new:
            self._repository.add_destinations(new)
        self._stored_digests |= self._pending_destinations.keys()
        self._pending_destinations = {}
        replacements: dict[str, str] = {}
        while self._pending_links:
            links, self._pending_links = self._pending_links, {}
            for taken in self._repository.add(list(links.values())):
                new_code = self.assign_code(links[taken].token)
                # A replacement may be taken too: messages still carry the first code.
                original = next((old for old, new in replacements.items() if new == taken), taken)
                replacements[original] = new_code
        return replacements


def replace_codes(text: str, new_codes: Mapping[str, str]) -> str:
    """Replace taken codes in a text."""
    for code, new_code in new_codes.items():
        text = text.replace(code, new_code)
    return text
