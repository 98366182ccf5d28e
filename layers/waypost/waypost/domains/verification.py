"""A check carried through: look, take the next step to HTTPS, note what changed, tell of it.

What a look makes of a domain: its stage, whether its sender is verified, the next step to HTTPS,
and the lights that tell all of it.

A domain read, changed by what a look saw, and kept, while others write to it as well.

What looks at hosts, as those see it who use what it saw: ``checks.checking`` does it.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from waypost.domains import certificates, sender_identity, state_machine, status
from waypost.domains.certificates import CdnTenants
from waypost.domains.checker import DomainChecker
from waypost.domains.events import DomainEventPublisher
from waypost.domains.network import NO_DEADLINE, Deadline
from waypost.domains.sender_identity import SenderIdentities
from waypost.errors import CorruptItem, NotFound, StoreError, StoreUnavailable, WriteConflict
from waypost.ids import WorkspaceId
from waypost.models.domain_check import CheckResult
from waypost.models.tracking_domain import STACK_WORKSPACE, CnameTargets, TrackingDomain
from waypost.observability import Metric, emit_metric
from waypost.repositories.domains import DomainRepository

_MAX_SAVE_ATTEMPTS: Final = 3


def get_domain_or_raise(
    repository: DomainRepository, workspace: WorkspaceId, host: str
) -> TrackingDomain:
    """The domain as it is kept. Raises NotFound."""
    domain = repository.get(workspace, host)
    if domain is None:
        raise NotFound("tracking domain", host)
    return domain


def save_with_retry(
    repository: DomainRepository,
    domain: TrackingDomain,
    started_at: datetime,
    apply_change: Callable[[TrackingDomain], TrackingDomain],
) -> tuple[TrackingDomain, TrackingDomain]:
    """The domain before and after the change that a look makes which began then. What another look
    saw meanwhile stands, and is both: two at one moment are one, and would count one failure twice.

    Raises NotFound, and Conflict where others keep writing to it.
    """
    for _ in range(_MAX_SAVE_ATTEMPTS):
        try:
            return domain, repository.save(apply_change(domain))
        except WriteConflict:  # reverted or removed meanwhile: change what is there now
            domain = get_domain_or_raise(repository, domain.workspace, domain.host)
            if domain.checked is not None and domain.checked >= started_at:
                return domain, domain
    raise WriteConflict(f"domain {domain.host} keeps changing")


MAX_CONCURRENT_CHECKS: Final = 16
"""Domains that are checked side by side; a check mostly waits."""
MIN_CHECK_SECONDS: Final = 45.0
"""No check of a run is begun with less: to look at a host takes some 40 s at worst. Looking at our
own beside it may take as long again, and is what the run's deadline ends.
"""


@dataclass(frozen=True, slots=True)
class VerificationRun:
    """What a scheduled run did. ``failed`` has a line for each domain whose check broke."""

    checked_count: int
    skipped_count: int
    failures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DomainVerificationService:
    domains: DomainRepository
    checker: DomainChecker
    cdn_tenants: CdnTenants
    sender_identities: SenderIdentities
    event_publisher: DomainEventPublisher
    targets: CnameTargets
    now: Callable[[], datetime]

    def verify_domain(
        self, workspace: WorkspaceId, host: str, deadline: Deadline = NO_DEADLINE
    ) -> TrackingDomain | None:
        """Check one domain and keep what came of it; None where it was let go of for good. Of a
        check that the deadline ended, what it saw is told and nothing kept: the next run looks.

        Raises NotFound, Conflict where others keep writing to it, and StoreUnavailable where a
        domain that works was not seen to, and our own default host was not either: then it is we
        who fail, and the domain stays as it is.
        """
        domain = get_domain_or_raise(self.domains, workspace, host)
        if domain.use == "removed":
            return self._release_domain(domain, deadline)
        begun = self.now()
        findings = self.checker.check(
            host, domain.proof, self.targets.get_cname_targets(domain), deadline
        )
        own = (
            self._check_default_host(domain, deadline)
            if state_machine.is_regression(domain, findings)
            else None
        )
        if not findings.is_complete or (own and not own.is_complete):
            return self._defer_check(domain, findings, begun)
        if own and not own.https.is_ours:
            raise StoreUnavailable(f"neither {host} nor our own host was seen to work")
        before, after = save_with_retry(
            self.domains,
            domain,
            begun,
            lambda one: self._apply_check(one, findings, deadline),
        )
        if after is not before:
            self.event_publisher.publish(after, after.get_changes_since(before))
        return after

    def _defer_check(
        self, domain: TrackingDomain, result: CheckResult, started_at: datetime
    ) -> TrackingDomain:
        """Tell what a look saw that says too little to count; what is kept stays as it is."""
        before, after = save_with_retry(
            self.domains,
            domain,
            started_at,
            lambda one: state_machine.defer_to_next_run(one, self.now()),
        )
        if after is before:
            return after
        return self._update_lights(replace(after, findings=result))

    def _apply_check(
        self, domain: TrackingDomain, result: CheckResult, deadline: Deadline
    ) -> TrackingDomain:
        """Apply a complete check: stage, sending domain, next step to HTTPS, lights.

        The result counts even if SES or the CDN cannot be asked; the next check asks them.
        """
        now = self.now()
        changed = state_machine.apply_check_result(domain, result, now)
        try:
            if deadline.is_expired:
                changed = state_machine.defer_to_next_run(changed, now)
            elif domain.workspace != STACK_WORKSPACE:
                changed = sender_identity.refresh_verification(changed, self.sender_identities, now)
        except StoreError:
            emit_metric(Metric.DOMAIN_CHECK_BROKE, reason="senders")
        try:
            if deadline.is_expired:
                changed = state_machine.defer_to_next_run(changed, now)
            else:
                changed = certificates.advance_https(changed, self.cdn_tenants, now)
        except StoreError:
            emit_metric(Metric.DOMAIN_CHECK_BROKE, reason="edge")
        return self._update_lights(changed)

    def _update_lights(self, domain: TrackingDomain) -> TrackingDomain:
        return status.update_lights(domain, self.targets.get_primary_target(domain), self.now())

    def verify_due_domains(self, limit: int, deadline: Deadline) -> VerificationRun:
        """Check domains that are due, the longest waiting first, while there is time. One
        domain's failure does not keep the others; one whose check the deadline ends is among the
        first of the next run.
        """
        due = self.domains.list_due(self.now(), limit)
        with ThreadPoolExecutor(MAX_CONCURRENT_CHECKS) as pool:
            results = list(
                pool.map(lambda each: self._verify_or_describe_error(each, deadline), due)
            )
        failed = tuple(result for result in results if result)
        return VerificationRun(len(results) - results.count(None), results.count(None), failed)

    def _verify_or_describe_error(
        self, claim: tuple[WorkspaceId, str], deadline: Deadline
    ) -> str | None:
        """None: no time left; empty: done; else what broke."""
        if deadline.get_remaining_seconds() < MIN_CHECK_SECONDS:
            return None
        try:
            self.verify_domain(*claim, deadline)
        except NotFound:  # removed between listing and checking
            return ""
        except Exception as e:
            return f"{claim[1]}: {type(e).__name__}: {e}"
        return ""

    def _check_default_host(self, domain: TrackingDomain, deadline: Deadline) -> CheckResult | None:
        """A look at the stack's own host, which worked: without HTTPS now, it is us who fail. None
        where there is none to compare with.
        """
        host = self.targets.default_host
        try:
            own = (
                self.domains.get(STACK_WORKSPACE, host)
                if host and domain.workspace != STACK_WORKSPACE
                else None
            )
        except CorruptItem:  # told by the store; one row of ours keeps nobody's domain in use
            return None
        if own is None or own.stage != "https":
            return None
        return self.checker.check(host, own.proof, self.targets.get_cname_targets(own), deadline)

    def _release_domain(self, domain: TrackingDomain, deadline: Deadline) -> TrackingDomain | None:
        """Keep serving a removed host while its DNS points at us, for the links already sent;
        after that take it from the CDN, and forget it once the CDN has.
        """
        if certificates.has_tenant(self.cdn_tenants, domain.host):
            dns = self.checker.check_dns(
                domain.host, domain.proof, self.targets.get_cname_targets(domain), deadline
            )
            waiting = state_machine.apply_removal_check(domain, dns, self.now())
            if (
                deadline.is_expired
                or not state_machine.can_release(waiting)
                or not self.cdn_tenants.remove_tenant(domain.host)
            ):
                return self.domains.save(waiting)
        self.domains.delete(domain)
        return None
