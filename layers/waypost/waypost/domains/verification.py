"""One check of a tracking domain from start to end, and the scheduled run of all that are due.

A check looks at the host, applies the result to the domain, takes the next step to HTTPS, saves the
domain, and publishes its changes.
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
from waypost.repositories.domains import DomainRepository, resolve_owner_id
from waypost.repositories.workspaces import WorkspaceRepository

_MAX_SAVE_ATTEMPTS: Final = 3
MAX_CONCURRENT_CHECKS: Final = 16
"""Domains that are checked concurrently; a check mostly waits."""
MIN_CHECK_SECONDS: Final = 45.0
"""A run starts no check with less time: the check of a host takes about 40 s at worst. The check of
the stack's own host beside it may take as long again; the run's deadline ends it.
"""


@dataclass(frozen=True, slots=True)
class VerificationRun:
    """The result of a scheduled run. ``failures`` has a line for each check that failed."""

    checked_count: int
    skipped_count: int
    failures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DomainVerificationService:
    """Checks tracking domains and keeps their state up to date."""

    domains: DomainRepository
    workspaces: WorkspaceRepository
    checker: DomainChecker
    cdn_tenants: CdnTenants
    sender_identities: SenderIdentities
    event_publisher: DomainEventPublisher
    targets: CnameTargets
    now: Callable[[], datetime]

    def verify_domain_by_name(
        self, workspace: str, host: str, deadline: Deadline
    ) -> TrackingDomain | None:
        """Check a domain of a workspace as ``verify_domain`` does.

        Raises AlreadyExists too, if the workspace's id belongs to another name.
        """
        workspace_id = resolve_owner_id(self.workspaces, workspace)
        return self.verify_domain(workspace_id, host.strip().lower(), deadline)

    def verify_domain(
        self, workspace: WorkspaceId, host: str, deadline: Deadline = NO_DEADLINE
    ) -> TrackingDomain | None:
        """Check one domain and save the result; return None if the domain was released and deleted.

        If the deadline ends the check, the result is returned but not saved: the next run checks
        again.

        Raises NotFound; WriteConflict if others keep writing to the domain; StoreUnavailable if
        neither a working domain nor the stack's own default host works now. Then the stack fails,
        not the domain, and the domain stays as it is.
        """
        domain = _get_or_raise(self.domains, workspace, host)
        if domain.use == "removed":
            return self._release_domain(domain, deadline)
        started_at = self.now()
        result = self.checker.check(
            host, domain.proof, self.targets.get_cname_targets(domain), deadline
        )
        own_result = (
            self._check_default_host(domain, deadline)
            if state_machine.is_regression(domain, result)
            else None
        )
        if not result.is_complete or (own_result and not own_result.is_complete):
            return self._defer_check(domain, result, started_at)
        if own_result and not own_result.https.is_ours:
            raise StoreUnavailable(f"domain check: neither {host} nor the default host works")
        before, after = _save_with_retry(
            self.domains,
            domain,
            started_at,
            lambda current: self._apply_check(current, result, deadline),
        )
        if after is not before:
            self.event_publisher.publish(after, after.get_changes_since(before))
        return after

    def _defer_check(
        self, domain: TrackingDomain, result: CheckResult, started_at: datetime
    ) -> TrackingDomain:
        """Return the domain with an incomplete result, and save only that its check is due."""
        before, after = _save_with_retry(
            self.domains,
            domain,
            started_at,
            lambda current: state_machine.defer_to_next_run(current, self.now()),
        )
        if after is before:
            return after
        return self._update_lights(replace(after, findings=result), self.now())

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
        return self._update_lights(changed, now)

    def _update_lights(self, domain: TrackingDomain, now: datetime) -> TrackingDomain:
        return status.update_lights(domain, self.targets.get_primary_target(domain), now)

    def verify_due_domains(self, limit: int, deadline: Deadline) -> VerificationRun:
        """Check domains that are due, the longest waiting first, until the deadline.

        One domain's failure does not stop the others. A check that the deadline ends is among the
        first of the next run.
        """
        due = self.domains.list_due(self.now(), limit)
        with ThreadPoolExecutor(MAX_CONCURRENT_CHECKS) as pool:
            results = list(
                pool.map(lambda claim: self._verify_or_describe_error(claim, deadline), due)
            )
        failures = tuple(result for result in results if result)
        return VerificationRun(len(results) - results.count(None), results.count(None), failures)

    def _verify_or_describe_error(
        self, claim: tuple[WorkspaceId, str], deadline: Deadline
    ) -> str | None:
        """Return None if no time is left, "" after a check, else the error."""
        if deadline.get_remaining_seconds() < MIN_CHECK_SECONDS:
            return None
        try:
            self.verify_domain(*claim, deadline)
        except NotFound:  # removed after the listing
            return ""
        except Exception as e:
            return f"{claim[1]}: {type(e).__name__}: {e}"
        return ""

    def _check_default_host(self, domain: TrackingDomain, deadline: Deadline) -> CheckResult | None:
        """Check the stack's own host if it had HTTPS: if it fails now, the stack fails.

        Returns None if there is no such host to compare with.
        """
        host = self.targets.default_host
        try:
            own_domain = (
                self.domains.get(STACK_WORKSPACE, host)
                if host and domain.workspace != STACK_WORKSPACE
                else None
            )
        except CorruptItem:  # the repository logged it; the check of this domain goes on
            return None
        if own_domain is None or own_domain.stage != "https":
            return None
        return self.checker.check(
            host, own_domain.proof, self.targets.get_cname_targets(own_domain), deadline
        )

    def _release_domain(self, domain: TrackingDomain, deadline: Deadline) -> TrackingDomain | None:
        """Serve a removed host while its DNS points to the stack, for the links already sent.

        After that, remove its tenant from the CDN, then delete the domain.
        """
        if certificates.has_tenant(self.cdn_tenants, domain.host):
            dns = self.checker.check_dns(
                domain.host, domain.proof, self.targets.get_cname_targets(domain), deadline
            )
            checked = state_machine.apply_removal_check(domain, dns, self.now())
            if (
                deadline.is_expired
                or not state_machine.can_release(checked)
                or not self.cdn_tenants.remove_tenant(domain.host)
            ):
                return self.domains.save(checked)
        self.domains.delete(domain)
        return None


def _get_or_raise(
    repository: DomainRepository, workspace: WorkspaceId, host: str
) -> TrackingDomain:
    """Load a domain. Raises NotFound."""
    domain = repository.get(workspace, host)
    if domain is None:
        raise NotFound("tracking domain", host)
    return domain


def _save_with_retry(
    repository: DomainRepository,
    domain: TrackingDomain,
    started_at: datetime,
    apply_change: Callable[[TrackingDomain], TrackingDomain],
) -> tuple[TrackingDomain, TrackingDomain]:
    """Apply a check's change and save it; return the domain before and after.

    If another check that ended after ``started_at`` was saved meanwhile, the change is dropped and
    both are that domain: two concurrent checks must not count one failure twice.

    Raises NotFound, or WriteConflict if others keep writing to the domain.
    """
    for _ in range(_MAX_SAVE_ATTEMPTS):
        try:
            return domain, repository.save(apply_change(domain))
        except WriteConflict:  # reverted or removed meanwhile
            domain = _get_or_raise(repository, domain.workspace, domain.host)
            if domain.checked is not None and domain.checked >= started_at:
                return domain, domain
    raise WriteConflict(f"tracking domain {domain.host}: concurrent writes; try again")
