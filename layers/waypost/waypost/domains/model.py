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

from waypost.domains.app_links import NO_APP_LINKS, AppLinks
from waypost.domains.check_results import CheckResult
from waypost.domains.hostnames import is_in_domain
from waypost.ids import WorkspaceId, derive_workspace_id

DomainStage = Literal["waiting", "issuing", "http", "https", "blocked", "fallen_back"]
"""Where a domain stands; ``machine`` says how it gets there.

waiting      not usable yet, the next step is the customer's
issuing      DNS is right, the certificate is under way
http         links over HTTP work (the customer's own proxy)
https        links over HTTPS work
blocked      HTTP works, but browsers insist on HTTPS (HSTS), and HTTPS does not work
fallen_back  worked, failed twice in a row; new messages use the default host
"""

DomainRole = Literal["links", "short"]
"""What a domain is for: all tracking links of its senders, or the short links of text messages."""

DomainUse = Literal["on", "reverted", "removed"]
"""What its owner wants of a domain: used when it works, not used for now, or gone."""

STACK_WORKSPACE: Final = WorkspaceId("stack")
"""The workspace of the stack's own default host; no real code looks like it (codes are hex)."""

STACK_WORKSPACE_NAME: Final = "(stack)"
"""What its workspace is called in routes, logs and events."""

MAX_HISTORY: Final = 100
"""Changes kept with a domain, the newest; each was also an event."""


@dataclass(frozen=True, slots=True)
class DomainChange:
    """A domain moved from one stage, or use, to another."""

    at: datetime
    before: str
    after: str
    reason: str


@dataclass(frozen=True, slots=True)
class SendingDomain:
    """The sending domain that a tracking domain belongs to, and who says that it is verified."""

    domain: str
    verified: bool = False
    by_operator: bool = False
    since: datetime | None = None
    asked: datetime | None = None
    """When it was last looked up."""


@dataclass(frozen=True, slots=True)
class DomainCertificate:
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

    workspace: WorkspaceId
    workspace_name: str
    host: str
    sending: SendingDomain
    proof: str
    added: datetime
    role: DomainRole = "links"
    use: DomainUse = "on"
    stage: DomainStage = "waiting"
    since: datetime
    failures: int = 0
    """Failed checks in a row of a domain that works."""
    proven: bool = False
    """Whether its TXT proof was ever seen."""
    findings: CheckResult | None = None
    lit: tuple[tuple[str, str, datetime], ...] = ()
    """Each light (dns, http, https, sending), its colour, and since when it has it."""
    certificate: DomainCertificate = DomainCertificate()
    app_links: AppLinks = NO_APP_LINKS
    checked: datetime | None = None
    due: datetime
    history: tuple[DomainChange, ...] = ()
    version: int = 0

    @property
    def is_working(self) -> bool:
        """Whether links on it reach their recipients, as far as the last checks tell."""
        return self.stage in ("http", "https")

    @property
    def is_owned(self) -> bool:
        """Whether the host is shown to be its workspace's: it lies in the sending domain, whose
        owner is known, or the operator vouches, or the TXT proof was seen. A CNAME to us shows
        nothing: wildcards, and records made before their domain was added, are anybody's to claim.
        """
        in_sending_domain = is_in_domain(self.host, self.sending.domain)
        return in_sending_domain or self.sending.by_operator or self.proven

    @property
    def is_usable(self) -> bool:
        """Whether new messages of its sending domain get links on it."""
        return self.is_working and self.use == "on" and self.sending.verified and self.is_owned

    @property
    def base_url(self) -> str:
        """Scheme and host of the links it would get now."""
        return f"{'https' if self.stage == 'https' else 'http'}://{self.host}"

    def with_change(
        self, changed_at: datetime, before: str, after: str, reason: str
    ) -> TrackingDomain:
        """The domain with one more change in its history; the oldest gives way at the bound."""
        change = DomainChange(changed_at, before, after, reason)
        return replace(self, history=(*self.history, change)[-MAX_HISTORY:])

    def with_sending_domain(
        self, sending: SendingDomain, changed_at: datetime, reason: str
    ) -> TrackingDomain:
        """The domain with another sending domain, or one known otherwise; a change where that
        decides whether it may be used.
        """
        changed = replace(self, sending=sending)
        if sending.verified == self.sending.verified:
            return changed
        return changed.with_change(
            changed_at, _verification_name(self.sending), _verification_name(sending), reason
        )

    def get_changes_since(self, earlier: TrackingDomain) -> tuple[DomainChange, ...]:
        """What this version's history has that an earlier version's had not."""
        return tuple(change for change in self.history if change not in earlier.history)


def _verification_name(sending: SendingDomain) -> str:
    return "verified" if sending.verified else "unverified"


def create_domain(
    workspace: WorkspaceId,
    workspace_name: str,
    host: str,
    sending_domain: str,
    proof: str,
    now: datetime,
) -> TrackingDomain:
    """A domain as it is right after it was added: nothing known, to be checked at once."""
    return TrackingDomain(
        workspace=workspace,
        workspace_name=workspace_name,
        host=host,
        sending=SendingDomain(sending_domain),
        proof=proof,
        added=now,
        since=now,
        due=now,
    )


def resolve_workspace_id(workspace: str) -> WorkspaceId:
    """The code of a workspace by name, the stack's own among them."""
    return STACK_WORKSPACE if workspace == STACK_WORKSPACE_NAME else derive_workspace_id(workspace)


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

    def get_cname_targets(self, domain: TrackingDomain) -> tuple[str, ...]:
        """Where this domain's CNAMEs may lead, the one to be shown first."""
        if domain.workspace == STACK_WORKSPACE or not self.default_host:
            return (self.endpoint,)
        return (self.default_host, self.endpoint)

    def get_primary_target(self, domain: TrackingDomain) -> str:
        """The name that this domain's owner is asked to point at."""
        return self.get_cname_targets(domain)[0]
