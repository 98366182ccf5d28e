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

from waypost.cache import Cache
from waypost.clicks.factory import build_click, to_click_token
from waypost.clicks.fallback_queue import UNRECORDED_CLICK_LOG_KEY
from waypost.clicks.request import ClickRequest
from waypost.clicks.settings_cache import FAIL_CLOSED_SETTINGS, SettingsCache
from waypost.errors import (
    BadSignature,
    CorruptItem,
    ExpiredShortLink,
    MalformedToken,
    StoreError,
    StoreUnavailable,
    UnknownShortLink,
    UnsafeDestination,
)
from waypost.ids import LinkId, extract_workspace_id
from waypost.models.click import Click
from waypost.models.short_link import ShortLink, destination_digest, parse_code
from waypost.observability import Metric, emit_metric
from waypost.repositories.short_links import ShortLinkReader
from waypost.retry import call_with_retry
from waypost.tokens import ClickToken, OpenToken, TokenSealer
from waypost.tokens.codec import fill_person
from waypost.tokens.keyring import KeyringSource
from waypost.tokens.repair import iter_repairs, undo_line_wrapping
from waypost.urls import check_destination, get_scheme, to_ascii_url

MAX_LOOKUP_ATTEMPTS: Final = 2
_MAX_CACHE_ENTRIES: Final = 1_000

_Result = TypeVar("_Result")


class LinkResolver:
    """Reads, and remembers some of what it read. ``clock`` tells seconds since 1970."""

    def __init__(self, repository: ShortLinkReader, clock: Callable[[], float] = time.time) -> None:
        self._repository = repository
        self._clock = clock
        self._link_cache = Cache[str, ShortLink](_MAX_CACHE_ENTRIES)
        self._destination_cache = Cache[tuple[LinkId, str], str](_MAX_CACHE_ENTRIES)

    def resolve_short_link(self, text: str) -> str:
        """The token (``payload/signature``) that a short link's code stands for.

        Raises UnknownShortLink, ExpiredShortLink, MalformedToken where what is stored cannot be
        read, or StoreUnavailable where it cannot be known.
        """
        code = parse_code(text) or parse_code(undo_line_wrapping(text).lstrip("/"))
        link = self._load_short_link(code) if code is not None else None
        if link is None:
            emit_metric(Metric.SHORT_LINK_UNKNOWN)
            raise UnknownShortLink("nobody was given this code")
        if link.is_expired(self._clock()):
            raise ExpiredShortLink("the short link has expired")
        return link.token

    def resolve_destination(self, token: ClickToken) -> str:
        """Where a token leads, its own destination or the one that is stored for it.

        Raises MalformedToken where that is gone or not the one that was signed, StoreUnavailable
        where it cannot be known.
        """
        if token.stored_digest is None:
            return token.href
        digest, workspace = token.stored_digest, extract_workspace_id(token.link)
        href = self._destination_cache.get((token.link, digest))
        if href is None:
            href = _load_with_retry(lambda: self._repository.get_destination(workspace, digest))
            if href is None or destination_digest(workspace, href) != digest:
                raise MalformedToken("its destination is not stored")
            self._destination_cache.set((token.link, digest), href)
        try:
            return fill_person(href, token.person)
        except ValueError as e:
            raise MalformedToken("its destination names a person and it does not") from e

    def _load_short_link(self, code: str) -> ShortLink | None:
        link = self._link_cache.get(code)
        if link is None:
            link = _load_with_retry(lambda: self._repository.get(code))
            if link is not None:
                self._link_cache.set(code, link)
        return link


def _load_with_retry(load: Callable[[], _Result]) -> _Result:
    try:
        return call_with_retry(load, attempts=MAX_LOOKUP_ATTEMPTS, retry_on=StoreUnavailable)
    except CorruptItem as e:
        raise MalformedToken("what is stored for it cannot be read") from e
    except StoreUnavailable:
        emit_metric(Metric.LOOKUP_FAILED)
        raise


_Token = TypeVar("_Token", ClickToken, OpenToken)


class TokenVerifier:
    """Opens tokens under the current keyring, and once more under a fresh one where a signature is
    unknown: a key may have been told to sign at once.
    """

    def __init__(self, keyring_source: KeyringSource) -> None:
        self._keyring_source = keyring_source

    def verify_click_token(self, text: str) -> ClickToken:
        """What a link carries. Raises TokenError, or StoreUnavailable while no key is known."""
        return self._open_with_reload(text, lambda sealer: sealer.open)

    def verify_open_token(self, text: str) -> OpenToken:
        """What a pixel carries. Raises as ``open`` does."""
        return self._open_with_reload(text, lambda sealer: sealer.open_sealer.open)

    def _open_with_reload(
        self, text: str, select_opener: Callable[[TokenSealer], Callable[[str], _Token]]
    ) -> _Token:
        try:
            return _open_with_repair(text, select_opener(self._keyring_source.get_sealer()))
        except BadSignature:
            if self._keyring_source.reload_keyring() is None:
                raise
            return _open_with_repair(text, select_opener(self._keyring_source.get_sealer()))


def _open_with_repair(text: str, open_token: Callable[[str], _Token]) -> _Token:
    """The text as it is, else as it was before a mail client had it."""
    try:
        return open_token(text)
    except (BadSignature, MalformedToken) as e:
        refused: BadSignature | MalformedToken = e
    for reading in iter_repairs(text):
        try:
            return open_token(reading)
        except BadSignature as e:
            refused = e
    raise refused


RECORD_BUDGET_SECONDS: Final = 0.3
"""What reading settings and recording may take together before the click is parked."""
MAX_RECORD_ATTEMPTS: Final = 2
RECORD_ATTEMPT_SECONDS: Final = 0.13


class ClickOutcome(StrEnum):
    """What became of a click."""

    RECORDED = "recorded"
    DUPLICATE = "repeated"
    QUEUED = "parked"
    LOGGED = "logged"
    NOT_A_CLICK = "not_a_click"


class ClickRecorder(Protocol):
    """The one call of the ledger that a click needs."""

    def record(self, click: Click) -> bool: ...


class ClickSender(Protocol):
    """Where a click waits for the ledger."""

    def send(self, click: Click) -> None: ...


@dataclass(frozen=True, slots=True)
class RedirectResult:
    """Where the recipient goes, and what became of the click. ``href`` fits a header."""

    location: str
    outcome: ClickOutcome


@dataclass(frozen=True, slots=True)
class RedirectService:
    """The redirect function's use case. ``now`` is a monotonic clock in seconds."""

    token_verifier: TokenVerifier
    clicks: ClickRecorder
    fallback_queue: ClickSender
    settings_cache: SettingsCache
    link_resolver: LinkResolver
    retention_days: int
    logger: Logger
    monotonic: Callable[[], float] = time.monotonic

    def handle_click(self, token_text: str, request: ClickRequest) -> RedirectResult:
        """Where a link leads; the click is kept on the way.

        Raises TokenError for a link that leads nowhere, StoreUnavailable while no key is known or
        a stored destination cannot be read. Nothing that goes wrong with keeping the click is
        raised.
        """
        token = self.token_verifier.verify_click_token(token_text)
        href = self.link_resolver.resolve_destination(token)
        arrival = _build_location(href)
        kept = (
            self._record_within_budget(token, href, request)
            if request.is_click
            else ClickOutcome.NOT_A_CLICK
        )
        return RedirectResult(arrival, kept)

    def handle_short_link(self, code: str, request: ClickRequest) -> RedirectResult:
        """The same for a short link, whose token is read first.

        Raises StoreUnavailable where it cannot be read as well.
        """
        return self.handle_click(self.link_resolver.resolve_short_link(code), request)

    def handle_open(self, token_text: str, request: ClickRequest) -> ClickOutcome:
        """Keep the open that a pixel tells of. Raises TokenError and StoreUnavailable."""
        token = self.token_verifier.verify_open_token(token_text)
        if not request.is_click:
            return ClickOutcome.NOT_A_CLICK
        return self._record_within_budget(to_click_token(token), "", request)

    def _record_within_budget(
        self, token: ClickToken, href: str, request: ClickRequest
    ) -> ClickOutcome:
        deadline = self.monotonic() + RECORD_BUDGET_SECONDS
        click = self._build_click(token, href, request)
        try:
            return self._record_with_retry(click, deadline)
        except StoreError:
            return self._send_to_queue(click)
        except Exception:  # a fault of ours must not cost the recipient the way
            self.logger.exception("recording a click broke")
            return self._send_to_queue(click)

    def _build_click(self, token: ClickToken, href: str, request: ClickRequest) -> Click:
        workspace, days = extract_workspace_id(token.link), self.retention_days
        try:
            return build_click(
                token, href, request, self.settings_cache.get_or_default(workspace), days
            )
        except Exception:  # nor must settings that nobody can follow
            self.logger.exception("settings cannot be followed", extra={"workspace": workspace})
            return build_click(token, href, request, FAIL_CLOSED_SETTINGS, days)

    def _record_with_retry(self, click: Click, deadline: float) -> ClickOutcome:
        for left in range(MAX_RECORD_ATTEMPTS - 1, -1, -1):
            try:
                return (
                    ClickOutcome.RECORDED if self.clicks.record(click) else ClickOutcome.DUPLICATE
                )
            except StoreError:
                if not left or self.monotonic() + RECORD_ATTEMPT_SECONDS > deadline:
                    raise
        raise AssertionError("unreachable")

    def _send_to_queue(self, click: Click) -> ClickOutcome:
        try:
            self.fallback_queue.send(click)
        except StoreError:
            self.logger.error(
                "click neither recorded nor parked",
                extra={UNRECORDED_CLICK_LOG_KEY: click.to_dict()},
            )
            return ClickOutcome.LOGGED
        return ClickOutcome.QUEUED


def _build_location(href: str) -> str:
    """The destination as a header takes it.

    It was checked before it was signed, against the workspace's schemes as they were then. What
    may never be followed is refused again: a mistake in signing must not outlive its repair.
    """
    try:
        check_destination(href, schemes=(get_scheme(href) or "",))
        return to_ascii_url(href)
    except UnsafeDestination as e:
        raise MalformedToken("the destination is not one to redirect to") from e
