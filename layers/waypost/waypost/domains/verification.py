"""A check carried through: look, take the next step to HTTPS, note what changed, tell of it.

What a look makes of a domain: its stage, whether its sender is verified, the next step to HTTPS,
and the lights that tell all of it.

A domain read, changed by what a look saw, and kept, while others write to it as well.

What looks at hosts, as those see it who use what it saw: ``checks.checking`` does it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Protocol

from waypost.domains import certificates, events, sender_identity, state_machine, status
from waypost.domains.certificates import Edge
from waypost.domains.check_results import Dns, Findings
from waypost.domains.events import Announcer
from waypost.domains.model import STACK, Targets, TrackingDomain
from waypost.domains.network import NEVER, Deadline
from waypost.domains.sender_identity import Identities
from waypost.errors import Conflict, MalformedItem, NotFound, StoreError, StoreUnavailable
from waypost.ids import WorkspaceCode
from waypost.observability import Metric, count
from waypost.repositories.domains import DomainStore


@dataclass(frozen=True, slots=True)
class Judge:
    """Asks SES and the CDN while there is time; whom it did not ask, the next run does."""

    edge: Edge
    identities: Identities
    targets: Targets

    def judged(
        self, domain: TrackingDomain, findings: Findings, deadline: Deadline, now: datetime
    ) -> TrackingDomain:
        judged = state_machine.advance(domain, findings, now)
        # What was seen counts even where SES or the CDN cannot be asked; the next check will.
        try:
            if deadline.over:
                judged = state_machine.put_off(judged, now)
            elif domain.workspace != STACK:
                judged = sender_identity.with_sending(judged, self.identities, now)
        except StoreError:
            count(Metric.DOMAIN_CHECK_BROKE, reason="senders")
        try:
            if deadline.over:
                judged = state_machine.put_off(judged, now)
            else:
                judged = certificates.secure(judged, self.edge, now)
        except StoreError:
            count(Metric.DOMAIN_CHECK_BROKE, reason="edge")
        return self.lit(judged, now)

    def lit(self, domain: TrackingDomain, now: datetime) -> TrackingDomain:
        """The domain with the lights that its findings light."""
        return status.relit(domain, self.targets.shown(domain), now)


_ATTEMPTS: Final = 3


def known(store: DomainStore, workspace: WorkspaceCode, host: str) -> TrackingDomain:
    """The domain as it is kept. Raises NotFound."""
    domain = store.get(workspace, host)
    if domain is None:
        raise NotFound("tracking domain", host)
    return domain


def kept(
    store: DomainStore,
    domain: TrackingDomain,
    begun: datetime,
    change: Callable[[TrackingDomain], TrackingDomain],
) -> tuple[TrackingDomain, TrackingDomain]:
    """The domain before and after the change that a look makes which began then. What another look
    saw meanwhile stands, and is both: two at one moment are one, and would count one failure twice.

    Raises NotFound, and Conflict where others keep writing to it.
    """
    for _ in range(_ATTEMPTS):
        try:
            return domain, store.save(change(domain))
        except Conflict:  # reverted or removed meanwhile: change what is there now
            domain = known(store, domain.workspace, domain.host)
            if domain.checked is not None and domain.checked >= begun:
                return domain, domain
    raise Conflict(f"domain {domain.host} keeps changing")


class Checks(Protocol):
    """Looks over the network. What there is no time for until ``deadline`` is ``unseen``."""

    def check(
        self, host: str, proof: str, targets: Collection[str], deadline: Deadline, /
    ) -> Findings:
        """Everything there is to see of a host. ``targets`` are our names."""
        ...

    def dns(self, host: str, proof: str, targets: Collection[str], deadline: Deadline, /) -> Dns:
        """Only where the host leads."""
        ...


AT_ONCE: Final = 16
"""Domains that are checked side by side; a check mostly waits."""
LOOK_SECONDS: Final = 45.0
"""No check of a run is begun with less: to look at a host takes some 40 s at worst. Looking at our
own beside it may take as long again, and is what the run's deadline ends.
"""


@dataclass(frozen=True, slots=True)
class Run:
    """What a scheduled run did. ``failed`` has a line for each domain whose check broke."""

    checked: int
    left: int
    failed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verifier:
    domains: DomainStore
    checks: Checks
    edge: Edge
    identities: Identities
    announcer: Announcer
    targets: Targets
    now: Callable[[], datetime]

    def verify(
        self, workspace: WorkspaceCode, host: str, deadline: Deadline = NEVER
    ) -> TrackingDomain | None:
        """Check one domain and keep what came of it; None where it was let go of for good. Of a
        check that the deadline ended, what it saw is told and nothing kept: the next run looks.

        Raises NotFound, Conflict where others keep writing to it, and StoreUnavailable where a
        domain that works was not seen to, and our own default host was not either: then it is we
        who fail, and the domain stays as it is.
        """
        domain = known(self.domains, workspace, host)
        if domain.use == "removed":
            return self._let_go(domain, deadline)
        begun = self.now()
        findings = self.checks.check(host, domain.proof, self.targets.of(domain), deadline)
        own = (
            self._own(domain, deadline) if state_machine.speaks_against(domain, findings) else None
        )
        if not findings.complete or (own and not own.complete):
            return self._put_off(domain, findings, begun)
        if own and not own.https.green:
            raise StoreUnavailable(f"neither {host} nor our own host was seen to work")
        judge = self._judge()
        before, after = kept(
            self.domains,
            domain,
            begun,
            lambda one: judge.judged(one, findings, deadline, self.now()),
        )
        if after is not before:
            events.announce(self.announcer, after, after.changes_since(before))
        return after

    def _put_off(
        self, domain: TrackingDomain, findings: Findings, begun: datetime
    ) -> TrackingDomain:
        """Tell what a look saw that says too little to count; what is kept stays as it is."""
        before, after = kept(
            self.domains, domain, begun, lambda one: state_machine.put_off(one, self.now())
        )
        if after is before:
            return after
        return self._judge().lit(replace(after, findings=findings), self.now())

    def _judge(self) -> Judge:
        return Judge(self.edge, self.identities, self.targets)

    def verify_due(self, limit: int, deadline: Deadline) -> Run:
        """Check domains that are due, the longest waiting first, while there is time. One
        domain's failure does not keep the others; one whose check the deadline ends is among the
        first of the next run.
        """
        due = self.domains.due(self.now(), limit)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            results = list(pool.map(lambda each: self._attempt(each, deadline), due))
        failed = tuple(result for result in results if result)
        return Run(len(results) - results.count(None), results.count(None), failed)

    def _attempt(self, due: tuple[WorkspaceCode, str], deadline: Deadline) -> str | None:
        """None: no time left; empty: done; else what broke."""
        if deadline.left() < LOOK_SECONDS:
            return None
        try:
            self.verify(*due, deadline)
        except NotFound:  # removed between listing and checking
            return ""
        except Exception as e:
            return f"{due[1]}: {type(e).__name__}: {e}"
        return ""

    def _own(self, domain: TrackingDomain, deadline: Deadline) -> Findings | None:
        """A look at the stack's own host, which worked: without HTTPS now, it is us who fail. None
        where there is none to compare with.
        """
        host = self.targets.default_host
        try:
            own = self.domains.get(STACK, host) if host and domain.workspace != STACK else None
        except MalformedItem:  # told by the store; one row of ours keeps nobody's domain in use
            return None
        if own is None or own.stage != "https":
            return None
        return self.checks.check(host, own.proof, self.targets.of(own), deadline)

    def _let_go(self, domain: TrackingDomain, deadline: Deadline) -> TrackingDomain | None:
        """Keep serving a removed host while its DNS points at us, for the links already sent;
        after that take it from the CDN, and forget it once the CDN has.
        """
        if certificates.holds(self.edge, domain.host):
            dns = self.checks.dns(domain.host, domain.proof, self.targets.of(domain), deadline)
            waiting = state_machine.let_go(domain, dns, self.now())
            if (
                deadline.over
                or not state_machine.may_let_go(waiting)
                or not self.edge.remove(domain.host)
            ):
                return self.domains.save(waiting)
        self.domains.delete(domain)
        return None
