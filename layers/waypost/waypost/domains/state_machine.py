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

from waypost.domains.check_results import Dns, Findings
from waypost.domains.model import STACK, Stage, TrackingDomain

FAILURES_TO_FALL: Final = 2

_RANK: Final[dict[Stage, int]] = {"https": 2, "http": 1}

SOON: Final = timedelta(minutes=5)
STEADY: Final = timedelta(minutes=15)
HOURLY: Final = timedelta(hours=1)
DAILY: Final = timedelta(days=1)


def stage_seen(findings: Findings) -> Stage:
    """The stage that a check by itself speaks for."""
    if not findings.dns.right:
        return "waiting"
    if findings.https.green:
        return "https"
    if findings.http.green:
        return "blocked" if findings.hsts.on else "http"
    return "issuing" if findings.dns.leads_to_edge else "waiting"


def speaks_against(domain: TrackingDomain, findings: Findings) -> bool:
    """Whether a check saw less than what a domain that works is used for."""
    return (
        findings.complete
        and domain.works
        and _RANK.get(stage_seen(findings), 0) < _RANK[domain.stage]
    )


def advance(domain: TrackingDomain, findings: Findings, now: datetime) -> TrackingDomain:
    """The domain after a check: stage, failures in a row, history, and when to look again. A check
    that did not look at everything changes nothing but the last.
    """
    if not findings.complete:
        return put_off(domain, now)
    proven = domain.proven or findings.dns.proof
    checked = replace(domain, findings=findings, checked=now, proven=proven)
    seen = stage_seen(findings)
    if speaks_against(domain, findings):
        failures = domain.failures + 1
        checked = replace(checked, failures=failures)
        if failures < FAILURES_TO_FALL or domain.workspace == STACK:
            return _scheduled(checked, now)
        seen = seen if seen in ("http", "blocked") else "fallen_back"
    elif domain.stage == "fallen_back" and seen in ("waiting", "issuing"):
        seen = "fallen_back"
    return _scheduled(_enter(replace(checked, failures=0), seen, now), now)


def _enter(domain: TrackingDomain, stage: Stage, now: datetime) -> TrackingDomain:
    if stage == domain.stage:
        return domain
    entered = replace(domain, stage=stage, since=now)
    return entered.moved(now, domain.stage, stage, _reason(entered))


def _reason(domain: TrackingDomain) -> str:
    """What the check saw, short: it stands in the history and in the event."""
    found = domain.findings
    if found is None:
        return "never checked"
    hsts = f", hsts {found.hsts.source}" if found.hsts.on else ""
    return f"dns {found.dns.verdict}, http {found.http.outcome}, https {found.https.outcome}{hsts}"


def _scheduled(domain: TrackingDomain, now: datetime) -> TrackingDomain:
    return replace(domain, due=now + pause(domain, now))


def put_off(domain: TrackingDomain, now: datetime) -> TrackingDomain:
    """The domain as it was, for the schedule to take up next, which has the time. One that failed
    is due soon anyway: failures are to be that far apart.
    """
    return domain if domain.failures else replace(domain, due=min(domain.due, now))


def let_go(domain: TrackingDomain, dns: Dns, now: datetime) -> TrackingDomain:
    """A removed domain after a look at its DNS: looks that did not find it pointing at us are
    counted; one that could not find out says nothing.
    """
    if dns.verdict == "unseen":
        return put_off(domain, now)
    if dns.verdict in ("timeout", "failed"):
        return replace(domain, checked=now, due=now + SOON)
    failures = 0 if dns.right else domain.failures + 1
    return replace(domain, failures=failures, checked=now, due=now + (SOON if failures else HOURLY))


def may_let_go(domain: TrackingDomain) -> bool:
    """Whether a removed domain's DNS has been seen to point elsewhere often enough."""
    return domain.failures >= FAILURES_TO_FALL


def pause(domain: TrackingDomain, now: datetime) -> timedelta:
    """How long until a domain is checked again: often while something is about to happen, seldom
    where nothing has happened for long.
    """
    if domain.works:
        return SOON if domain.failures else STEADY
    age = now - domain.since
    if age < DAILY:
        return SOON
    return HOURLY if age < 14 * DAILY else DAILY
