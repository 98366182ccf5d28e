"""Where a click leads, and how it is kept: verify, decide, record, respond.

The token alone says where to go; a short link's is read first (``lookup``). Recording has a
budget; what cannot be recorded within it is parked, and what cannot be parked is logged, and the
recipient arrives all the same. An open is recorded like a click, and leads nowhere.

What links do not carry themselves: the token of a short link, a destination too long for one.

Both never change once they are stored, so what was read is remembered. Here alone a redirect
depends on a table; while it cannot be read, nobody knows where the link leads, and saying so is
all that can be done.

Opens the tokens of links and pixels, under whichever key signed them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol, TypeVar

from aws_lambda_powertools.logging import Logger

from waypost.clicks.factory import as_click, click_of
from waypost.clicks.fallback_queue import LOG_KEY
from waypost.clicks.request import Request
from waypost.clicks.settings_cache import STRICTEST, Policies
from waypost.errors import (
    BadSignature,
    ExpiredShortLink,
    MalformedItem,
    MalformedToken,
    StoreError,
    StoreUnavailable,
    UnknownShortLink,
    UnsafeDestination,
)
from waypost.ids import LinkCode, workspace_of
from waypost.models.click import Click
from waypost.models.short_link import ShortLink, digest_of, read_code
from waypost.observability import Metric, count
from waypost.repositories.short_links import ShortLinkReader
from waypost.tokens import ClickToken, OpenToken, Sealer
from waypost.tokens.codec import with_person
from waypost.tokens.keyring import KeyringSource
from waypost.tokens.repair import mended, unwrapped
from waypost.urls import ascii_form, check_destination, scheme_of

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


_Token = TypeVar("_Token", ClickToken, OpenToken)


class Tokens:
    """Opens tokens under the current keyring, and once more under a fresh one where a signature is
    unknown: a key may have been told to sign at once.
    """

    def __init__(self, keys: KeyringSource) -> None:
        self._keys = keys

    def open(self, text: str) -> ClickToken:
        """What a link carries. Raises TokenError, or StoreUnavailable while no key is known."""
        return self._opened(text, lambda sealer: sealer.open)

    def open_pixel(self, text: str) -> OpenToken:
        """What a pixel carries. Raises as ``open`` does."""
        return self._opened(text, lambda sealer: sealer.opens.open)

    def _opened(self, text: str, by: Callable[[Sealer], Callable[[str], _Token]]) -> _Token:
        try:
            return _read(text, by(self._keys.sealer()))
        except BadSignature:
            if self._keys.reloaded() is None:
                raise
            return _read(text, by(self._keys.sealer()))


def _read(text: str, opened: Callable[[str], _Token]) -> _Token:
    """The text as it is, else as it was before a mail client had it."""
    try:
        return opened(text)
    except (BadSignature, MalformedToken) as e:
        refused: BadSignature | MalformedToken = e
    for reading in mended(text):
        try:
            return opened(reading)
        except BadSignature as e:
            refused = e
    raise refused


BUDGET_SECONDS: Final = 0.3
"""What reading settings and recording may take together before the click is parked."""
ATTEMPTS: Final = 2
ATTEMPT_SECONDS: Final = 0.13


class Kept(StrEnum):
    """What became of a click."""

    RECORDED = "recorded"
    REPEATED = "repeated"
    PARKED = "parked"
    LOGGED = "logged"
    NOT_A_CLICK = "not_a_click"


class Ledger(Protocol):
    """The one call of the ledger that a click needs."""

    def record(self, click: Click) -> bool: ...


class Parking(Protocol):
    """Where a click waits for the ledger."""

    def park(self, click: Click) -> None: ...


@dataclass(frozen=True, slots=True)
class Arrival:
    """Where the recipient goes, and what became of the click. ``href`` fits a header."""

    href: str
    kept: Kept


@dataclass(frozen=True, slots=True)
class Redirecting:
    """The redirect function's use case. ``now`` is a monotonic clock in seconds."""

    tokens: Tokens
    ledger: Ledger
    parking: Parking
    policies: Policies
    lookup: Lookup
    retention_days: int
    log: Logger
    now: Callable[[], float] = time.monotonic

    def follow(self, token_text: str, request: Request) -> Arrival:
        """Where a link leads; the click is kept on the way.

        Raises TokenError for a link that leads nowhere, StoreUnavailable while no key is known or
        a stored destination cannot be read. Nothing that goes wrong with keeping the click is
        raised.
        """
        token = self.tokens.open(token_text)
        href = self.lookup.destination(token)
        arrival = _location(href)
        kept = self._keep(token, href, request) if request.counts else Kept.NOT_A_CLICK
        return Arrival(arrival, kept)

    def follow_short(self, code: str, request: Request) -> Arrival:
        """The same for a short link, whose token is read first.

        Raises StoreUnavailable where it cannot be read as well.
        """
        return self.follow(self.lookup.token(code), request)

    def opened(self, token_text: str, request: Request) -> Kept:
        """Keep the open that a pixel tells of. Raises TokenError and StoreUnavailable."""
        token = self.tokens.open_pixel(token_text)
        if not request.counts:
            return Kept.NOT_A_CLICK
        return self._keep(as_click(token), "", request)

    def _keep(self, token: ClickToken, href: str, request: Request) -> Kept:
        deadline = self.now() + BUDGET_SECONDS
        click = self._made(token, href, request)
        try:
            return self._record(click, deadline)
        except StoreError:
            return self._park(click)
        except Exception:  # a fault of ours must not cost the recipient the way
            self.log.exception("recording a click broke")
            return self._park(click)

    def _made(self, token: ClickToken, href: str, request: Request) -> Click:
        workspace, days = workspace_of(token.link), self.retention_days
        try:
            return click_of(token, href, request, self.policies.of(workspace), days)
        except Exception:  # nor must settings that nobody can follow
            self.log.exception("settings cannot be followed", extra={"workspace": workspace})
            return click_of(token, href, request, STRICTEST, days)

    def _record(self, click: Click, deadline: float) -> Kept:
        for left in range(ATTEMPTS - 1, -1, -1):
            try:
                return Kept.RECORDED if self.ledger.record(click) else Kept.REPEATED
            except StoreError:
                if not left or self.now() + ATTEMPT_SECONDS > deadline:
                    raise
        raise AssertionError("unreachable")

    def _park(self, click: Click) -> Kept:
        try:
            self.parking.park(click)
        except StoreError:
            self.log.error("click neither recorded nor parked", extra={LOG_KEY: click.stored()})
            return Kept.LOGGED
        return Kept.PARKED


def _location(href: str) -> str:
    """The destination as a header takes it.

    It was checked before it was signed, against the workspace's schemes as they were then. What
    may never be followed is refused again: a mistake in signing must not outlive its repair.
    """
    try:
        check_destination(href, schemes=(scheme_of(href) or "",))
        return ascii_form(href)
    except UnsafeDestination as e:
        raise MalformedToken("the destination is not one to redirect to") from e
