"""A tracking domain: whose it is, what was last seen of it, and how it came to be as it is.

The stack's own default host is a tracking domain like any other, of the workspace ``STACK``. Keys
and stored form are in ``stored``.

The names of ours that a tracking domain may point at.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, Literal

from waypost.domains.app_links import NO_APPS, AppLinks
from waypost.domains.check_results import Findings
from waypost.domains.hostnames import within
from waypost.ids import WorkspaceCode, workspace_code

Stage = Literal["waiting", "issuing", "http", "https", "blocked", "fallen_back"]
"""Where a domain stands; ``machine`` says how it gets there.

waiting      not usable yet, the next step is the customer's
issuing      DNS is right, the certificate is under way
http         links over HTTP work (the customer's own proxy)
https        links over HTTPS work
blocked      HTTP works, but browsers insist on HTTPS (HSTS), and HTTPS does not work
fallen_back  worked, failed twice in a row; new messages use the default host
"""

Role = Literal["links", "short"]
"""What a domain is for: all tracking links of its senders, or the short links of text messages."""

Use = Literal["on", "reverted", "removed"]
"""What its owner wants of a domain: used when it works, not used for now, or gone."""

STACK: Final = WorkspaceCode("stack")
"""The workspace of the stack's own default host; no real code looks like it (codes are hex)."""

STACK_NAME: Final = "(stack)"
"""What its workspace is called in routes, logs and events."""

HISTORY: Final = 100
"""Changes kept with a domain, the newest; each was also an event."""


@dataclass(frozen=True, slots=True)
class Change:
    """A domain moved from one stage, or use, to another."""

    at: datetime
    before: str
    after: str
    reason: str


@dataclass(frozen=True, slots=True)
class Sending:
    """The sending domain that a tracking domain belongs to, and who says that it is verified."""

    domain: str
    verified: bool = False
    by_operator: bool = False
    since: datetime | None = None
    asked: datetime | None = None
    """When it was last looked up."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the edge last said about a host. ``status`` is CloudFront's word, or ``none``."""

    status: str = "none"
    requested: datetime | None = None
    problem: str | None = None
    """Why the edge refused the host, in words for its owner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingDomain:
    """One host of one workspace. ``version`` counts its writes; ``proof`` is the value that its
    TXT record has to show where no CNAME can.
    """

    workspace: WorkspaceCode
    workspace_name: str
    host: str
    sending: Sending
    proof: str
    added: datetime
    role: Role = "links"
    use: Use = "on"
    stage: Stage = "waiting"
    since: datetime
    failures: int = 0
    """Failed checks in a row of a domain that works."""
    proven: bool = False
    """Whether its TXT proof was ever seen."""
    findings: Findings | None = None
    lit: tuple[tuple[str, str, datetime], ...] = ()
    """Each light (dns, http, https, sending), its colour, and since when it has it."""
    certificate: Certificate = Certificate()
    app_links: AppLinks = NO_APPS
    checked: datetime | None = None
    due: datetime
    history: tuple[Change, ...] = ()
    version: int = 0

    @property
    def works(self) -> bool:
        """Whether links on it reach their recipients, as far as the last checks tell."""
        return self.stage in ("http", "https")

    @property
    def owned(self) -> bool:
        """Whether the host is shown to be its workspace's: it lies in the sending domain, whose
        owner is known, or the operator vouches, or the TXT proof was seen. A CNAME to us shows
        nothing: wildcards, and records made before their domain was added, are anybody's to claim.
        """
        in_sending_domain = within(self.host, self.sending.domain)
        return in_sending_domain or self.sending.by_operator or self.proven

    @property
    def usable(self) -> bool:
        """Whether new messages of its sending domain get links on it."""
        return self.works and self.use == "on" and self.sending.verified and self.owned

    @property
    def base_url(self) -> str:
        """Scheme and host of the links it would get now."""
        return f"{'https' if self.stage == 'https' else 'http'}://{self.host}"

    def moved(self, at: datetime, before: str, after: str, reason: str) -> TrackingDomain:
        """The domain with one more change in its history; the oldest gives way at the bound."""
        change = Change(at, before, after, reason)
        return replace(self, history=(*self.history, change)[-HISTORY:])

    def with_sending(self, sending: Sending, at: datetime, reason: str) -> TrackingDomain:
        """The domain with another sending domain, or one known otherwise; a change where that
        decides whether it may be used.
        """
        changed = replace(self, sending=sending)
        if sending.verified == self.sending.verified:
            return changed
        return changed.moved(at, _verified(self.sending), _verified(sending), reason)

    def changes_since(self, before: TrackingDomain) -> tuple[Change, ...]:
        """What this version's history has that an earlier version's had not."""
        return tuple(change for change in self.history if change not in before.history)


def _verified(sending: Sending) -> str:
    return "verified" if sending.verified else "unverified"


def new_domain(
    workspace: WorkspaceCode, name: str, host: str, sending: str, proof: str, now: datetime
) -> TrackingDomain:
    """A domain as it is right after it was added: nothing known, to be checked at once."""
    return TrackingDomain(
        workspace=workspace,
        workspace_name=name,
        host=host,
        sending=Sending(sending),
        proof=proof,
        added=now,
        since=now,
        due=now,
    )


def code_of(workspace: str) -> WorkspaceCode:
    """The code of a workspace by name, the stack's own among them."""
    return STACK if workspace == STACK_NAME else workspace_code(workspace)


def utc_now(clock: Callable[[], float] = time.time) -> datetime:
    """Now, in UTC, to the second: finer times say nothing about a domain."""
    return datetime.fromtimestamp(clock(), UTC).replace(microsecond=0)


@dataclass(frozen=True, slots=True)
class Targets:
    """``endpoint`` is the CDN's own name; ``default_host`` the stack's own before it, empty where
    there is none.
    """

    endpoint: str
    default_host: str = ""

    def of(self, domain: TrackingDomain) -> tuple[str, ...]:
        """Where this domain's CNAMEs may lead, the one to be shown first."""
        if domain.workspace == STACK or not self.default_host:
            return (self.endpoint,)
        return (self.default_host, self.endpoint)

    def shown(self, domain: TrackingDomain) -> str:
        """The name that this domain's owner is asked to point at."""
        return self.of(domain)[0]
