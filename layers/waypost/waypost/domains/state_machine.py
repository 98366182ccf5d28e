"""The states of a tracking domain, and what a check moves them to. The picture is in
``docs/domains.md``.

A domain that works is given up only after two failed checks in a row; one that does not work is
taken up at the first good one. A default host of the stack itself is never given up: there is
nothing to fall back to, so it keeps its links and raises an alarm.
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
    """The stage that a check by itself speaks for."""
    if not result.dns.is_correct:
        return "waiting"
    if result.https.is_ours:
        return "https"
    if result.http.is_ours:
        return "blocked" if result.hsts.is_enforced else "http"
    return "issuing" if result.dns.points_to_cdn else "waiting"


def is_regression(domain: TrackingDomain, result: CheckResult) -> bool:
    """Whether a check saw less than what a domain that works is used for."""
    return (
        result.is_complete
        and domain.is_working
        and _STAGE_RANKS.get(derive_stage(result), 0) < _STAGE_RANKS[domain.stage]
    )


def apply_check_result(
    domain: TrackingDomain, result: CheckResult, now: datetime
) -> TrackingDomain:
    """The domain after a check: stage, failures in a row, history, and when to look again. A check
    that did not look at everything changes nothing but the last.
    """
    if not result.is_complete:
        return defer_to_next_run(domain, now)
    proven = domain.proven or result.dns.proof
    checked = replace(domain, findings=result, checked=now, proven=proven)
    seen = derive_stage(result)
    if is_regression(domain, result):
        failures = domain.failures + 1
        checked = replace(checked, failures=failures)
        if failures < FAILURES_BEFORE_FALLBACK or domain.workspace == STACK_WORKSPACE:
            return _schedule_next_check(checked, now)
        seen = seen if seen in ("http", "blocked") else "fallen_back"
    elif domain.stage == "fallen_back" and seen in ("waiting", "issuing"):
        seen = "fallen_back"
    return _schedule_next_check(_change_stage(replace(checked, failures=0), seen, now), now)


def _change_stage(domain: TrackingDomain, stage: DomainStage, now: datetime) -> TrackingDomain:
    if stage == domain.stage:
        return domain
    entered = replace(domain, stage=stage, since=now)
    return entered.with_change(now, domain.stage, stage, _describe_result(entered))


def _describe_result(domain: TrackingDomain) -> str:
    """What the check saw, short: it stands in the history and in the event."""
    found = domain.findings
    if found is None:
        return "never checked"
    hsts = f", hsts {found.hsts.source}" if found.hsts.is_enforced else ""
    return f"dns {found.dns.verdict}, http {found.http.outcome}, https {found.https.outcome}{hsts}"


def _schedule_next_check(domain: TrackingDomain, now: datetime) -> TrackingDomain:
    return replace(domain, due=now + compute_check_interval(domain, now))


def defer_to_next_run(domain: TrackingDomain, now: datetime) -> TrackingDomain:
    """The domain as it was, for the schedule to take up next, which has the time. One that failed
    is due soon anyway: failures are to be that far apart.
    """
    return domain if domain.failures else replace(domain, due=min(domain.due, now))


def apply_removal_check(domain: TrackingDomain, dns: DnsResult, now: datetime) -> TrackingDomain:
    """A removed domain after a look at its DNS: looks that did not find it pointing at us are
    counted; one that could not find out says nothing.
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
    """Whether a removed domain's DNS has been seen to point elsewhere often enough."""
    return domain.failures >= FAILURES_BEFORE_FALLBACK


def compute_check_interval(domain: TrackingDomain, now: datetime) -> timedelta:
    """How long until a domain is checked again: often while something is about to happen, seldom
    where nothing has happened for long.
    """
    if domain.is_working:
        return RETRY_INTERVAL if domain.failures else WORKING_INTERVAL
    age = now - domain.since
    if age < DAILY_INTERVAL:
        return RETRY_INTERVAL
    return HOURLY_INTERVAL if age < 14 * DAILY_INTERVAL else DAILY_INTERVAL
