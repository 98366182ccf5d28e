"""Properties of a tracking domain after any check results in any order."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.domains.builders import NOW, TARGET, make_domain
from waypost.domains.base_url import choose_domain
from waypost.domains.state_machine import RETRY_INTERVAL, apply_check_result, derive_stage
from waypost.domains.status import build_domain_status, build_lights
from waypost.models.domain_check import CaaResult, CheckResult, DnsResult, HstsResult, ProbeResult
from waypost.models.tracking_domain import DomainUse, domain_from_item, domain_to_item

probes = st.builds(
    ProbeResult,
    st.sampled_from(
        [
            *("ours", "ours", "not_ours", "redirect", "unsafe", "no_address", "timeout"),
            *("unreachable", "broken", "expired", "wrong_name", "self_signed", "untrusted"),
            "unseen",
        ]
    ),
    st.text(max_size=5),
    st.none() | st.just("max-age=60"),
    st.booleans(),
)
verdicts = st.sampled_from(
    [
        *("cname", "flattened", "proxied", "missing", "elsewhere", "loop", "too_long"),
        *("conflict", "timeout", "failed", "unseen"),
    ]
)
dns_results = st.builds(
    DnsResult,
    verdicts,
    st.just(("links.acme.com",)),
    st.just(("93.184.215.99",)),
    proof=st.booleans(),
    settled=st.booleans(),
    wildcard=st.booleans(),
)
policies = st.builds(
    HstsResult, st.sampled_from(["none", "own", "parent", "preload", "unseen"]), st.just("acme.com")
)
findings = st.builds(
    CheckResult,
    dns_results,
    probes,
    probes,
    policies,
    st.builds(CaaResult, st.sampled_from(["yes", "no", "unseen"])),
)
check_sequences = st.lists(findings, min_size=1, max_size=12)


@given(check_sequences)
def test_working_domain_falls_back_only_after_two_failed_checks_in_a_row(
    checks: list[CheckResult],
) -> None:
    current, bad = make_domain(), 0
    for i, result in enumerate(checks):
        before, current = current, apply_check_result(current, result, NOW + i * RETRY_INTERVAL)
        if not result.is_complete:
            assert replace(current, due=before.due) == before
            continue
        good = derive_stage(result) in ("https", before.stage)
        bad = 0 if good or not before.is_working else bad + 1
        if before.is_working and not current.is_working:
            assert bad >= 2


@given(check_sequences)
def test_https_links_need_https_in_one_of_the_last_two_checks(
    checks: list[CheckResult],
) -> None:
    current = make_domain()
    for i, result in enumerate(checks):
        current = apply_check_result(current, result, NOW + i * RETRY_INTERVAL)
        chosen = choose_domain([current], "acme.com")
        if chosen is not None and chosen.base_url.startswith("https:"):
            complete = [past for past in checks[: i + 1] if past.is_complete]
            assert any(past.https.is_ours and past.dns.is_correct for past in complete[-2:])


@given(check_sequences)
def test_domain_under_hsts_never_enters_the_http_stage(checks: list[CheckResult]) -> None:
    current = make_domain()
    for i, result in enumerate(checks):
        before, current = current, apply_check_result(current, result, NOW + i * RETRY_INTERVAL)
        if current.stage == "http" != before.stage:
            assert not result.hsts.is_enforced


@given(check_sequences)
def test_next_check_is_in_the_future_and_within_a_day(
    checks: list[CheckResult],
) -> None:
    current = make_domain()
    for i, result in enumerate(checks):
        now = NOW + i * RETRY_INTERVAL
        current = apply_check_result(current, result, now)
        assert current.due <= now + timedelta(days=1)
        assert current.due > now or not result.is_complete  # an unfinished check is due at once


uses: st.SearchStrategy[DomainUse] = st.sampled_from(["on", "reverted", "removed"])


@given(findings, uses)
def test_status_of_every_state_is_complete_and_red_lights_have_a_next_step(
    result: CheckResult, use: DomainUse
) -> None:
    domain = replace(apply_check_result(make_domain(), result, NOW), use=use)
    for light in build_lights(domain, TARGET).values():
        assert light.found
        assert light.colour != "red" or light.next_step
    assert build_domain_status(domain, TARGET).stage == domain.stage


@given(check_sequences)
def test_every_domain_state_survives_storage(checks: list[CheckResult]) -> None:
    current = make_domain()
    for i, result in enumerate(checks):
        current = apply_check_result(current, result, NOW + i * RETRY_INTERVAL)
    assert domain_from_item(domain_to_item(current)) == current
