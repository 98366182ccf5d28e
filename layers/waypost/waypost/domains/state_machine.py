"""The stages of a tracking domain, and the transitions that a check causes.

``docs/domains.md`` has the diagram. A working domain falls back only after two failed checks in a
row; a domain that does not work is used from its first successful check. The stack's own default
host never falls back, because it has no fallback: it keeps its links and raises an alarm.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from waypost.models.domain_check import CheckResult, DnsResult
from waypost.models.tracking_domain import STACK_WORKSPACE, DomainStage, TrackingDomain

FAILURES_BEFORE_FALLBACK: Final = 2

_STAGE_RANKS: Final[dict[DomainStage, int]] = {"https": 2, "http": 1}

RETRY_INTERVAL: Final = timedelta(minutes=5)
WORKING_INTERVAL: Final = timedelta(minutes=15)
HOURLY_INTERVAL: Final = timedelta(hours=1)
DAILY_INTERVAL: Final = timedelta(days=1)


def derive_stage(result: CheckResult) -> DomainStage:
    """Return the stage that this check alone shows."""
    if not result.dns.is_correct:
        return "waiting"
    if result.https.is_ours:
        return "https"
    if result.http.is_ours:
        return "blocked" if result.hsts.is_enforced else "http"
    return "issuing" if result.dns.points_to_cdn else "waiting"


def is_regression(domain: TrackingDomain, result: CheckResult) -> bool:
    """Return True if a complete check found less than a working domain is used for."""
    return (
        result.is_complete
        and domain.is_working
        and _STAGE_RANKS.get(derive_stage(result), 0) < _STAGE_RANKS[domain.stage]
    )


def apply_check_result(
    domain: TrackingDomain, result: CheckResult, now: datetime
) -> TrackingDomain:
    """Return the domain after a check: stage, failures in a row, history and next check.

    A check that did not finish changes only the time of the next check.
    """
    if not result.is_complete:
        return defer_to_next_run(domain, now)
    proven = domain.proven or result.dns.proof
    checked = replace(domain, findings=result, checked=now, proven=proven)
    stage = derive_stage(result)
    if is_regression(domain, result):
        failures = domain.failures + 1
        checked = replace(checked, failures=failures)
        if failures < FAILURES_BEFORE_FALLBACK or domain.workspace == STACK_WORKSPACE:
            return _schedule_next_check(checked, now)
        stage = stage if stage in ("http", "blocked") else "fallen_back"
    elif domain.stage == "fallen_back" and stage in ("waiting", "issuing"):
        stage = "fallen_back"
    return _schedule_next_check(_change_stage(replace(checked, failures=0), stage, now), now)


def _change_stage(domain: TrackingDomain, stage: DomainStage, now: datetime) -> TrackingDomain:
    if stage == domain.stage:
        return domain
    entered = replace(domain, stage=stage, since=now)
    return entered.with_change(now, domain.stage, stage, _describe_result(entered))


def _describe_result(domain: TrackingDomain) -> str:
    """Describe the check for the history and the event."""
    result = domain.findings
    if result is None:
        return "never checked"
    hsts = f", hsts {result.hsts.source}" if result.hsts.is_enforced else ""
    probes = f"http {result.http.outcome}, https {result.https.outcome}"
    return f"dns {result.dns.verdict}, {probes}{hsts}"


def _schedule_next_check(domain: TrackingDomain, now: datetime) -> TrackingDomain:
    return replace(domain, due=now + compute_check_interval(domain, now))


def defer_to_next_run(domain: TrackingDomain, now: datetime) -> TrackingDomain:
    """Make the domain due for the next scheduled run, which has more time.

    A domain with a failed check stays as it is: its failures must be that far apart, and it is due
    soon.
    """
    return domain if domain.failures else replace(domain, due=min(domain.due, now))


def apply_removal_check(domain: TrackingDomain, dns: DnsResult, now: datetime) -> TrackingDomain:
    """Return a removed domain after a check of its DNS.

    Counts the checks in a row whose DNS does not point to this stack. A check without a result does
    not count.
    """
    if dns.verdict == "unseen":
        return defer_to_next_run(domain, now)
    if dns.verdict in ("timeout", "failed"):
        return replace(domain, checked=now, due=now + RETRY_INTERVAL)
    failures = 0 if dns.is_correct else domain.failures + 1
    return replace(
        domain,
        failures=failures,
        checked=now,
        due=now + (RETRY_INTERVAL if failures else HOURLY_INTERVAL),
    )


def can_release(domain: TrackingDomain) -> bool:
    """Return True if enough checks in a row found that a removed domain points elsewhere."""
    return domain.failures >= FAILURES_BEFORE_FALLBACK


def compute_check_interval(domain: TrackingDomain, now: datetime) -> timedelta:
    """Return the time until the next check.

    It is short if a change is expected, and long if nothing has changed for long.
    """
    if domain.is_working:
        return RETRY_INTERVAL if domain.failures else WORKING_INTERVAL
    age = now - domain.since
    if age < DAILY_INTERVAL:
        return RETRY_INTERVAL
    return HOURLY_INTERVAL if age < 14 * DAILY_INTERVAL else DAILY_INTERVAL
