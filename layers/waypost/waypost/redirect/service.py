"""Redirect a click: verify its token, resolve its link, record the click, build the response.

The token contains the destination. Only short links and very long destinations are read from a
table. Recording has a time budget: a click that cannot be recorded is queued, and a click that
cannot be queued is logged. The recipient is redirected in each case. An open is recorded like a
click, and its response is the pixel.
"""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeVar

from aws_lambda_powertools.logging import Logger

from waypost.cache import Cache
from waypost.clicks.fallback_queue import UNRECORDED_CLICK_LOG_KEY, FallbackQueue
from waypost.clicks.request import ClickRequest, build_click, to_click_token
from waypost.clicks.settings_cache import FAIL_CLOSED_SETTINGS, SettingsCache
from waypost.errors import (
    BadSignature,
    CorruptItem,
    ExpiredShortLink,
    MalformedToken,
    MissingDestination,
    StoreError,
    StoreUnavailable,
    TokenError,
    UnknownShortLink,
    UnsafeDestination,
    WaypostError,
)
from waypost.ids import LinkId, extract_workspace_id
from waypost.models.click import Click
from waypost.models.short_link import ShortLink, destination_digest, parse_code
from waypost.observability import Metric, emit_metric
from waypost.responses import Response, get_error_status, plain_page_response
from waypost.retry import call_with_retry
from waypost.tokens import ClickToken, OpenToken, TokenSealer
from waypost.tokens.codec import fill_person, remove_parameters
from waypost.tokens.keyring import KeyringSource
from waypost.tokens.repair import iter_repairs, undo_line_wrapping
from waypost.urls import MAX_LOCATION_LENGTH, check_destination, get_scheme, to_ascii_url

if TYPE_CHECKING:
    from waypost.repositories.clicks import ClickRepository
    from waypost.repositories.short_links import ShortLinkReader

RECORD_BUDGET_SECONDS: Final = 0.3
"""Time for reading settings and recording together; after it, the click is queued."""
RECORD_ATTEMPT_SECONDS: Final = 0.13
MAX_RECORD_ATTEMPTS: Final = 2
MAX_LOOKUP_ATTEMPTS: Final = 2
RETRY_AFTER_SECONDS: Final = 5
_MAX_CACHE_ENTRIES: Final = 1_000


class ClickOutcome(StrEnum):
    """The result of recording a click."""

    RECORDED = "recorded"
    DUPLICATE = "repeated"
    QUEUED = "parked"
    LOGGED = "logged"
    NOT_A_CLICK = "not_a_click"


@dataclass(frozen=True, slots=True)
class RedirectResult:
    """The destination, as it fits a Location header, and the outcome of the click."""

    location: str
    outcome: ClickOutcome


@dataclass(frozen=True, slots=True)
class RedirectService:
    """The use case of the redirect function. ``monotonic`` is a monotonic clock in seconds."""

    token_verifier: TokenVerifier
    clicks: ClickRepository
    fallback_queue: FallbackQueue
    settings_cache: SettingsCache
    link_resolver: LinkResolver
    retention_days: int
    logger: Logger
    monotonic: Callable[[], float] = time.monotonic

    def handle_click(self, token_text: str, request: ClickRequest) -> RedirectResult:
        """Resolve a link and record the click.

        Raises TokenError for an invalid link, StoreUnavailable if no keyring was ever read or a
        stored destination cannot be read. Never raises because recording failed.
        """
        token = self.token_verifier.verify_click_token(token_text)
        href = self.link_resolver.resolve_destination(token)
        location = _build_location(href, token.person)
        if not request.is_click:
            return RedirectResult(location, ClickOutcome.NOT_A_CLICK)
        return RedirectResult(location, self._record_within_budget(token, href, request))

    def handle_short_link(self, code: str, request: ClickRequest) -> RedirectResult:
        """Resolve a short link and record the click. Raises as ``handle_click`` does."""
        return self.handle_click(self.link_resolver.resolve_short_link(code), request)

    def handle_open(self, token_text: str, request: ClickRequest) -> ClickOutcome:
        """Record the open of a pixel. Raises TokenError and StoreUnavailable."""
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
        except Exception:  # never fail the redirect because recording failed
            self.logger.exception("Click recording failure")
            return self._send_to_queue(click)

    def _build_click(self, token: ClickToken, href: str, request: ClickRequest) -> Click:
        workspace, days = extract_workspace_id(token.link), self.retention_days
        try:
            settings = self.settings_cache.get_or_default(workspace)
            return build_click(token, href, request, settings, days)
        except Exception:  # for example retention beyond year 9999: use the fail-closed settings
            self.logger.exception("Unusable workspace settings", extra={"workspace": workspace})
            return build_click(token, href, request, FAIL_CLOSED_SETTINGS, days)

    def _record_with_retry(self, click: Click, deadline: float) -> ClickOutcome:
        for attempts_left in range(MAX_RECORD_ATTEMPTS - 1, -1, -1):
            try:
                is_new = self.clicks.record(click)
            except StoreError:
                if not attempts_left or self.monotonic() + RECORD_ATTEMPT_SECONDS > deadline:
                    raise
            else:
                return ClickOutcome.RECORDED if is_new else ClickOutcome.DUPLICATE
        raise AssertionError("unreachable")

    def _send_to_queue(self, click: Click) -> ClickOutcome:
        try:
            self.fallback_queue.send(click)
        except StoreError:
            extra = {UNRECORDED_CLICK_LOG_KEY: click.to_dict()}
            self.logger.error("Unrecorded click", extra=extra)
            return ClickOutcome.LOGGED
        return ClickOutcome.QUEUED


def _build_location(href: str, person: str | None) -> str:
    """Convert a destination to the value of a Location header.

    Destinations are checked before they are signed, against the workspace's schemes of that time.
    Forbidden ones are refused again, so a link that was signed by mistake does not work. Earlier
    versions signed destinations that no response can carry, because of their parameters: they lead
    to the destination without these.
    """
    try:
        check_destination(href, schemes=(get_scheme(href) or "",))
        location = to_ascii_url(href)
    except UnsafeDestination as e:
        raise MalformedToken("token: unsafe destination") from e
    if len(location) > MAX_LOCATION_LENGTH and person is not None:
        location = remove_parameters(location, person)
    if len(location) > MAX_LOCATION_LENGTH:
        raise MalformedToken(f"token: destination too long ({len(location):,} characters)")
    return location


_Token = TypeVar("_Token", ClickToken, OpenToken)
_Result = TypeVar("_Result")


class TokenVerifier:
    """Verifies tokens under the current keyring, and under a reloaded one if no key signed them.

    The reload is for a new key that signs at once.
    """

    def __init__(self, keyring_source: KeyringSource) -> None:
        self._keyring_source = keyring_source

    def verify_click_token(self, text: str) -> ClickToken:
        """Return the token of a link.

        Raises TokenError, or StoreUnavailable if no keyring was ever read.
        """
        return self._open_with_reload(text, lambda sealer: sealer.open)

    def verify_open_token(self, text: str) -> OpenToken:
        """Return the token of a pixel. Raises as ``verify_click_token`` does."""
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
    """Open a token, else a repaired form of it."""
    try:
        return open_token(text)
    except (BadSignature, MalformedToken) as e:
        error: BadSignature | MalformedToken = e
    for candidate in iter_repairs(text):
        try:
            return open_token(candidate)
        except BadSignature as e:
            error = e
    raise error


class LinkResolver:
    """Resolves short links to tokens, and tokens to destinations.

    Stored links never change, so they are cached without a TTL. ``clock`` gives seconds since 1970.
    """

    def __init__(self, repository: ShortLinkReader, clock: Callable[[], float] = time.time) -> None:
        self._repository = repository
        self._clock = clock
        self._link_cache = Cache[str, ShortLink](_MAX_CACHE_ENTRIES)
        self._destination_cache = Cache[tuple[LinkId, str], str](_MAX_CACHE_ENTRIES)

    def resolve_short_link(self, text: str) -> str:
        """Return the token (``payload/signature``) of a short link's code.

        Raises UnknownShortLink, ExpiredShortLink, MalformedToken for a corrupt item, or
        StoreUnavailable.
        """
        code = parse_code(text) or parse_code(undo_line_wrapping(text).lstrip("/"))
        link = self._load_short_link(code) if code is not None else None
        if link is None:
            emit_metric(Metric.SHORT_LINK_UNKNOWN)
            raise UnknownShortLink("short link: unknown code")
        if link.is_expired(self._clock()):
            raise ExpiredShortLink("short link: expired")
        return link.token

    def resolve_destination(self, token: ClickToken) -> str:
        """Return the destination that a token contains or refers to.

        Raises MissingDestination if the stored destination was deleted, MalformedToken if it was
        changed, StoreUnavailable if it cannot be read.
        """
        if token.stored_digest is None:
            return token.href
        digest, workspace = token.stored_digest, extract_workspace_id(token.link)
        href = self._destination_cache.get((token.link, digest))
        if href is None:
            href = _load_with_retry(lambda: self._repository.get_destination(workspace, digest))
            if href is None:
                raise MissingDestination(f"token: destination not stored ({digest})")
            if destination_digest(workspace, href) != digest:
                raise MalformedToken(f"token: stored destination was changed ({digest})")
            self._destination_cache.set((token.link, digest), href)
        try:
            return fill_person(href, token.person)
        except ValueError as e:
            raise MalformedToken("token: its destination needs a person, but it has none") from e

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
        raise MalformedToken("token: corrupt item of the stored link") from e
    except StoreUnavailable:
        emit_metric(Metric.LOOKUP_FAILED)
        raise


# Responses

_ERROR_TEXTS: Final[tuple[tuple[type[WaypostError], str, str], ...]] = (
    (ExpiredShortLink, "This link has expired", "It was valid for a limited time only."),
    (MissingDestination, "This link no longer works", "Its destination has been deleted."),
    (
        TokenError,
        "This link leads nowhere",
        "It may have been cut or changed on its way. Please open it from the message again.",
    ),
    (StoreUnavailable, "Please try again", "Links cannot be opened at the moment."),
)

PIXEL_GIF: Final = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff"  # 1 × 1, two colours
    b"!\xf9\x04\x01\x00\x00\x00\x00"  # the first of which is transparent
    b",\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)
"""The smallest transparent GIF."""


def redirect_response(location: str) -> Response:
    """Build the 302. It is never cached, so the next click is recorded too."""
    headers = {
        "location": location,
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
        "x-robots-tag": "noindex",
    }
    return Response(statusCode=302, headers=headers, body="")


def pixel_response() -> Response:
    """Build the response of a pixel. It is never cached, so the next open is recorded too."""
    return Response(
        statusCode=200,
        headers={
            "content-type": "image/gif",
            "cache-control": "no-store, max-age=0",
            "x-content-type-options": "nosniff",
            "x-robots-tag": "noindex",
        },
        body=b64encode(PIXEL_GIF).decode("ascii"),
        isBase64Encoded=True,
    )


def link_error_page(error: TokenError | StoreUnavailable) -> Response:
    """Build the page that tells the recipient why a link does not work."""
    title, text = next(texts for type_, *texts in _ERROR_TEXTS if isinstance(error, type_))
    page = plain_page_response(get_error_status(error)[0], title, text)
    if isinstance(error, StoreUnavailable):
        page["headers"]["retry-after"] = str(RETRY_AFTER_SECONDS)
    return page


def direct_access_page() -> Response:
    """Build the page of the API's own address while CloudFront is in front of it."""
    return plain_page_response(403, "Not here", "This address cannot be opened directly.")


def not_found_page() -> Response:
    """Build the page of an unknown well-known path."""
    return plain_page_response(404, "Nothing here", "There is nothing at this address.")
