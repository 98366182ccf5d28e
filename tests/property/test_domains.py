"""Whatever checks see, in whatever order: promises about a tracking domain that always hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.domains.builders import NOW, TARGET, domain
from waypost.domains.base_url import choose
from waypost.domains.check_results import Caa, Dns, Findings, Hsts, Probe
from waypost.domains.item_mapping import from_item, to_item
from waypost.domains.model import Use
from waypost.domains.state_machine import SOON, advance, stage_seen
from waypost.domains.status import lights, status_of

probes = st.builds(
    Probe,
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
looks = st.builds(
    Dns,
    verdicts,
    st.just(("links.acme.com",)),
    st.just(("93.184.215.99",)),
    proof=st.booleans(),
    settled=st.booleans(),
    wildcard=st.booleans(),
)
policies = st.builds(
    Hsts, st.sampled_from(["none", "own", "parent", "preload", "unseen"]), st.just("acme.com")
)
findings = st.builds(
    Findings,
    looks,
    probes,
    probes,
    policies,
    st.builds(Caa, st.sampled_from(["yes", "no", "unseen"])),
)
courses = st.lists(findings, min_size=1, max_size=12)


@given(courses)
def test_a_working_domain_is_given_up_only_after_two_failed_checks_in_a_row(
    course: list[Findings],
) -> None:
    current, bad = domain(), 0
    for i, seen in enumerate(course):
        before, current = current, advance(current, seen, NOW + i * SOON)
        if not seen.complete:
            assert replace(current, due=before.due) == before
            continue
        good = stage_seen(seen) in ("https", before.stage)
        bad = 0 if good or not before.works else bad + 1
        if before.works and not current.works:
            assert bad >= 2


@given(courses)
def test_https_links_are_made_only_while_https_was_seen_in_one_of_the_last_two_checks(
    course: list[Findings],
) -> None:
    current = domain()
    for i, seen in enumerate(course):
        current = advance(current, seen, NOW + i * SOON)
        chosen = choose([current], "acme.com")
        if chosen is not None and chosen.base_url.startswith("https:"):
            gone_through = [past for past in course[: i + 1] if past.complete]
            assert any(past.https.green and past.dns.right for past in gone_through[-2:])


@given(courses)
def test_plain_http_is_never_begun_where_browsers_refuse_it(course: list[Findings]) -> None:
    current = domain()
    for i, seen in enumerate(course):
        before, current = current, advance(current, seen, NOW + i * SOON)
        if current.stage == "http" != before.stage:
            assert not seen.hsts.on


@given(courses)
def test_the_next_check_is_always_ahead_and_never_further_than_a_day(
    course: list[Findings],
) -> None:
    current = domain()
    for i, seen in enumerate(course):
        now = NOW + i * SOON
        current = advance(current, seen, now)
        assert current.due <= now + timedelta(days=1)
        assert current.due > now or not seen.complete  # what was put off is due at once


uses: st.SearchStrategy[Use] = st.sampled_from(["on", "reverted", "removed"])


@given(findings, uses)
def test_every_state_can_be_told_and_what_is_red_says_what_to_do(seen: Findings, use: Use) -> None:
    told = replace(advance(domain(), seen, NOW), use=use)
    for light in lights(told, TARGET).values():
        assert light.found
        assert light.colour != "red" or light.next_step
    assert status_of(told, TARGET).stage == told.stage


@given(courses)
def test_every_state_comes_back_from_the_store_as_it_was(course: list[Findings]) -> None:
    current = domain()
    for i, seen in enumerate(course):
        current = advance(current, seen, NOW + i * SOON)
    assert from_item(to_item(current)) == current
