"""What links do not carry themselves: the token of a short link, a destination too long for one.

Both never change once they are stored, so what was read is remembered. Here alone a redirect
depends on a table; while it cannot be read, nobody knows where the link leads, and saying so is
all that can be done.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

from waypost.errors import (
    ExpiredShortLink,
    MalformedItem,
    MalformedToken,
    StoreUnavailable,
    UnknownShortLink,
)
from waypost.ids import LinkCode, workspace_of
from waypost.models.short_link import ShortLink, digest_of, read_code
from waypost.observability import Metric, count
from waypost.repositories.short_links import ShortLinkReader
from waypost.tokens import ClickToken
from waypost.tokens.destination import with_person
from waypost.tokens.repair import unwrapped

LOOKUP_ATTEMPTS: Final = 2
_REMEMBERED: Final = 1_000

_Found = TypeVar("_Found")


class Lookup:
    """Reads, and remembers some of what it read. ``clock`` tells seconds since 1970."""

    def __init__(self, store: ShortLinkReader, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock
        self._links: dict[str, ShortLink] = {}
        self._destinations: dict[tuple[LinkCode, str], str] = {}

    def token(self, text: str) -> str:
        """The token (``payload/signature``) that a short link's code stands for.

        Raises UnknownShortLink, ExpiredShortLink, MalformedToken where what is stored cannot be
        read, or StoreUnavailable where it cannot be known.
        """
        code = read_code(text) or read_code(unwrapped(text).lstrip("/"))
        link = self._link(code) if code is not None else None
        if link is None:
            count(Metric.SHORT_LINK_UNKNOWN)
            raise UnknownShortLink("nobody was given this code")
        if link.expired(self._clock()):
            raise ExpiredShortLink("the short link has expired")
        return link.token

    def destination(self, token: ClickToken) -> str:
        """Where a token leads, its own destination or the one that is stored for it.

        Raises MalformedToken where that is gone or not the one that was signed, StoreUnavailable
        where it cannot be known.
        """
        if token.stored is None:
            return token.href
        digest, workspace = token.stored, workspace_of(token.link)
        href = self._destinations.get((token.link, digest))
        if href is None:
            href = _patiently(lambda: self._store.destination(workspace, digest))
            if href is None or digest_of(workspace, href) != digest:
                raise MalformedToken("its destination is not stored")
            _remember(self._destinations, (token.link, digest), href)
        try:
            return with_person(href, token.person)
        except ValueError as e:
            raise MalformedToken("its destination names a person and it does not") from e

    def _link(self, code: str) -> ShortLink | None:
        link = self._links.get(code)
        if link is None:
            link = _patiently(lambda: self._store.find(code))
            if link is not None:
                _remember(self._links, code, link)
        return link


def _patiently(read: Callable[[], _Found]) -> _Found:
    for left in range(LOOKUP_ATTEMPTS - 1, -1, -1):
        try:
            return read()
        except MalformedItem as e:
            raise MalformedToken("what is stored for it cannot be read") from e
        except StoreUnavailable:
            if not left:
                count(Metric.LOOKUP_FAILED)
                raise
    raise AssertionError("unreachable")


_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


def _remember(memory: dict[_Key, _Value], key: _Key, value: _Value) -> None:
    if len(memory) >= _REMEMBERED:
        memory.clear()
    memory[key] = value
