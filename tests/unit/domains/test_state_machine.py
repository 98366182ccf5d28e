"""Stages of tracking domains after sequences of check results."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.domains.builders import (
    BLOCKED,
    HTTP_ONLY,
    HTTPS,
    ISSUING,
    MINUTE,
    NOW,
    UNREACHABLE,
    WAITING,
    make_domain,
    make_findings,
)
from waypost.domains.state_machine import (
    DAILY_INTERVAL,
    HOURLY_INTERVAL,
    RETRY_INTERVAL,
    WORKING_INTERVAL,
    apply_check_result,
    apply_removal_check,
    can_release,
)
from waypost.models.domain_check import CheckResult, DnsResult
from waypost.models.tracking_domain import MAX_HISTORY, STACK_WORKSPACE, TrackingDomain


def apply_checks(domain: TrackingDomain, *checks: CheckResult) -> TrackingDomain:
    for i, findings in enumerate(checks):
        domain = apply_check_result(domain, findings, NOW + (i + 1) * 5 * MINUTE)
    return domain


@pytest.mark.parametrize(
    ("checks", "stage"),
    [
        ([WAITING], "waiting"),
        ([ISSUING], "issuing"),
        ([ISSUING, HTTPS], "https"),
        ([HTTP_ONLY], "http"),
        ([HTTP_ONLY, HTTPS], "https"),
        ([BLOCKED], "blocked"),
        ([BLOCKED, HTTPS], "https"),
        ([BLOCKED, HTTP_ONLY], "http"),
        ([UNREACHABLE], "waiting"),
        ([ISSUING, WAITING], "waiting"),
        ([HTTPS, WAITING], "https"),
        ([HTTPS, WAITING, WAITING], "fallen_back"),
        ([HTTPS, WAITING, HTTPS, WAITING], "https"),
        ([HTTPS, HTTP_ONLY], "https"),
        ([HTTPS, HTTP_ONLY, HTTP_ONLY], "http"),
        ([HTTPS, BLOCKED, BLOCKED], "blocked"),
        ([HTTPS, ISSUING, ISSUING], "fallen_back"),
        ([HTTP_ONLY, BLOCKED], "http"),
        ([HTTP_ONLY, BLOCKED, BLOCKED], "blocked"),
        ([HTTP_ONLY, UNREACHABLE, UNREACHABLE], "fallen_back"),
        ([HTTPS, WAITING, WAITING, WAITING, ISSUING], "fallen_back"),
        ([HTTPS, WAITING, WAITING, HTTPS], "https"),
        ([HTTPS, WAITING, WAITING, HTTP_ONLY], "http"),
        ([HTTPS, WAITING, WAITING, BLOCKED], "blocked"),
        ([BLOCKED, WAITING], "waiting"),
    ],
)
def test_sequence_of_check_results_leads_to_the_expected_stage(
    checks: list[CheckResult], stage: str
) -> None:
    assert apply_checks(make_domain(), *checks).stage == stage


def test_working_domain_stays_usable_after_one_failed_check() -> None:
    failed_once = apply_checks(make_domain(), HTTPS, WAITING)
    assert failed_once.is_usable
    assert failed_once.failures == 1
    assert not apply_checks(failed_once, WAITING).is_usable


def test_successful_check_resets_the_failure_count() -> None:
    assert apply_checks(make_domain(), HTTPS, WAITING, HTTPS).failures == 0


def test_history_has_only_stage_changes_with_their_check_results() -> None:
    history = apply_checks(make_domain(), WAITING, WAITING, ISSUING, HTTPS, HTTPS).history
    assert [(change.before, change.after) for change in history] == [
        ("waiting", "issuing"),
        ("issuing", "https"),
    ]
    assert history[1].reason == "dns cname, http ours, https ours"
    assert history[1].at == NOW + 20 * MINUTE


def test_history_keeps_only_the_newest_changes() -> None:
    flapping = apply_checks(make_domain(), *([HTTPS, WAITING, WAITING] * MAX_HISTORY))
    assert len(flapping.history) == MAX_HISTORY
    assert flapping.history[-1].after == "fallen_back"


def test_stage_start_time_is_unchanged_while_the_stage_lasts() -> None:
    assert apply_checks(make_domain(), HTTPS, HTTPS, HTTPS).since == NOW + 5 * MINUTE


def test_default_host_never_falls_back() -> None:
    default_host = apply_checks(
        make_domain(workspace=STACK_WORKSPACE), HTTPS, WAITING, WAITING, WAITING
    )
    assert default_host.stage == "https"
    assert default_host.failures == 3


@pytest.mark.parametrize(
    ("checked", "interval"),
    [
        (apply_checks(make_domain(), HTTPS), WORKING_INTERVAL),
        (apply_checks(make_domain(), HTTPS, WAITING), RETRY_INTERVAL),
        (apply_checks(make_domain(), WAITING), RETRY_INTERVAL),
        (apply_checks(make_domain(since=NOW - timedelta(days=2)), WAITING), HOURLY_INTERVAL),
        (apply_checks(make_domain(since=NOW - timedelta(days=20)), WAITING), DAILY_INTERVAL),
    ],
)
def test_check_interval_grows_with_the_age_of_the_stage(
    checked: TrackingDomain, interval: timedelta
) -> None:
    assert checked.checked is not None
    assert checked.due - checked.checked == interval


def test_removed_domain_is_released_after_two_checks_without_its_dns_record() -> None:
    missing, present, timeout = DnsResult("missing"), DnsResult("cname"), DnsResult("timeout")
    once = apply_removal_check(replace(make_domain(), use="removed"), missing, NOW)
    assert not can_release(once)
    assert can_release(apply_removal_check(once, missing, NOW))
    assert not can_release(
        apply_removal_check(apply_removal_check(once, present, NOW), missing, NOW)
    )
    assert can_release(apply_removal_check(apply_removal_check(once, timeout, NOW), missing, NOW))


def test_dns_timeout_keeps_a_new_domain_waiting() -> None:
    assert apply_checks(make_domain(), make_findings("timeout")).stage == "waiting"
