"""Where a click leads, and how it is kept: verify, decide, record, respond.

The token alone says where to go; a short link's is read first (``lookup``). Recording has a
budget; what cannot be recorded within it is parked, and what cannot be parked is logged, and the
recipient arrives all the same. An open is recorded like a click, and leads nowhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from aws_lambda_powertools.logging import Logger

from waypost.clicks.factory import as_click, click_of
from waypost.clicks.fallback_queue import LOG_KEY
from waypost.clicks.request import Request
from waypost.clicks.settings_cache import STRICTEST, Policies
from waypost.errors import MalformedToken, StoreError, UnsafeDestination
from waypost.ids import workspace_of
from waypost.models.click import Click
from waypost.redirecting.lookup import Lookup
from waypost.redirecting.opening import Tokens
from waypost.tokens import ClickToken
from waypost.urls import ascii_form, check_destination, scheme_of

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
