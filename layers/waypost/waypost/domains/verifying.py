"""A check carried through: look, take the next step to HTTPS, note what changed, tell of it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from waypost.codes import WorkspaceCode
from waypost.domains import announcing, machine, senders
from waypost.domains.announcing import Announcer
from waypost.domains.domain import STACK, TrackingDomain
from waypost.domains.edge import securing
from waypost.domains.edge.securing import Edge
from waypost.domains.findings import Dns, Findings
from waypost.domains.lights import panel
from waypost.domains.senders import Identities
from waypost.domains.targets import Targets
from waypost.errors import Conflict, MalformedItem, NotFound, StoreError, StoreUnavailable
from waypost.observability import Metric, count
from waypost.store.domains import DomainStore

AT_ONCE: Final = 16
"""Domains that are checked side by side; a check mostly waits."""
_ATTEMPTS: Final = 3


class Checks(Protocol):
    """The looking, which takes the network."""

    def check(self, host: str, proof: str, targets: Collection[str]) -> Findings: ...

    def dns(self, host: str, proof: str, targets: Collection[str]) -> Dns: ...


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

    def verify(self, workspace: WorkspaceCode, host: str) -> TrackingDomain | None:
        """Check one domain and keep what came of it; None where it was let go of for good.

        Raises NotFound, Conflict where others keep writing to it, and StoreUnavailable where a
        domain that works was not seen to, and our own default host was not either: then it is we
        who fail, and the domain stays as it is.
        """
        domain = self._read(workspace, host)
        if domain.use == "removed":
            return self._let_go(domain)
        begun = self.now()
        findings = self.checks.check(host, domain.proof, self.targets.of(domain))
        if machine.speaks_against(domain, findings) and self._fails_itself(domain):
            raise StoreUnavailable(f"neither {host} nor our own host was seen to work")
        return self._keep(domain, findings, begun)

    def _keep(self, domain: TrackingDomain, findings: Findings, begun: datetime) -> TrackingDomain:
        """Note what a look saw that began then, and tell of it. What another saw meanwhile stands
        as it is: two looks at one moment are one look, and would count one failure twice.
        """
        for _ in range(_ATTEMPTS):
            try:
                saved = self.domains.save(self._judge(domain, findings))
            except Conflict:  # reverted or removed meanwhile: judge what is there now
                domain = self._read(domain.workspace, domain.host)
                if domain.checked is not None and domain.checked >= begun:
                    return domain
                continue
            announcing.announce(self.announcer, saved, saved.changes_since(domain))
            return saved
        raise Conflict(f"domain {domain.host} keeps changing")

    def verify_due(self, limit: int, has_time: Callable[[], bool]) -> Run:
        """Check domains that are due, the longest waiting first, while there is time. One
        domain's failure does not keep the others.
        """
        due = self.domains.due(self.now(), limit)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            results = list(pool.map(lambda each: self._attempt(each, has_time), due))
        failed = tuple(result for result in results if result)
        return Run(len(results) - results.count(None), results.count(None), failed)

    def _attempt(self, due: tuple[WorkspaceCode, str], has_time: Callable[[], bool]) -> str | None:
        """None: no time left; empty: done; else what broke."""
        if not has_time():
            return None
        try:
            self.verify(*due)
        except NotFound:  # removed between listing and checking
            return ""
        except Exception as e:
            return f"{due[1]}: {type(e).__name__}: {e}"
        return ""

    def _fails_itself(self, domain: TrackingDomain) -> bool:
        """Whether it is us who fail: the stack's own host, which worked, has no HTTPS now."""
        host = self.targets.default_host
        try:
            own = self.domains.get(STACK, host) if host and domain.workspace != STACK else None
        except MalformedItem:  # told by the store; one row of ours keeps nobody's domain in use
            return False
        if own is None or own.stage != "https":
            return False
        return not self.checks.check(host, own.proof, self.targets.of(own)).https.green

    def _read(self, workspace: WorkspaceCode, host: str) -> TrackingDomain:
        domain = self.domains.get(workspace, host)
        if domain is None:
            raise NotFound("tracking domain", host)
        return domain

    def _judge(self, domain: TrackingDomain, findings: Findings) -> TrackingDomain:
        now = self.now()
        judged = machine.advance(domain, findings, now)
        # What was seen counts even where SES or the CDN cannot be asked; the next check will.
        try:
            if domain.workspace != STACK:
                judged = senders.with_sending(judged, self.identities, now)
        except StoreError:
            count(Metric.DOMAIN_CHECK_BROKE, reason="senders")
        try:
            judged = securing.secure(judged, self.edge, now)
        except StoreError:
            count(Metric.DOMAIN_CHECK_BROKE, reason="edge")
        return panel.relit(judged, self.targets.shown(domain), now)

    def _let_go(self, domain: TrackingDomain) -> TrackingDomain | None:
        """Keep serving a removed host while its DNS points at us, for the links already sent;
        after that take it from the CDN, and forget it once the CDN has.
        """
        if securing.holds(self.edge, domain.host):
            dns = self.checks.dns(domain.host, domain.proof, self.targets.of(domain))
            waiting = machine.let_go(domain, dns, self.now())
            if not machine.may_let_go(waiting) or not self.edge.remove(domain.host):
                return self.domains.save(waiting)
        self.domains.delete(domain)
        return None
