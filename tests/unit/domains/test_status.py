"""Status lights and next steps of tracking domains."""

from __future__ import annotations

import pytest

from tests.unit.domains.builders import (
    BLOCKED,
    FAILED_PROBE,
    HOST,
    HTTP_ONLY,
    HTTPS,
    ISSUING,
    MINUTE,
    NOW,
    TARGET,
    make_domain,
    make_findings,
)
from waypost.domains.status import build_domain_status, build_lights, update_lights
from waypost.domains.status_messages import OUTAGE_STEP
from waypost.models.domain_check import CaaResult, CheckResult, HstsResult, ProbeResult
from waypost.models.tracking_domain import DomainCertificate, DomainStage, SendingDomain

ADD = f"Add at your DNS provider: {HOST} CNAME {TARGET}."
CHANGE = (
    f"Change the record to: {HOST} CNAME {TARGET}. If your provider flattens it, or "
    f'your own proxy is in between, add: _waypost.{HOST} TXT "waypost=f00d".'
)


def test_next_step_prefers_an_action_over_waiting() -> None:
    forbidden = make_findings("cname", caa=CaaResult("no", "acme.com", ("x.example",)))
    status = build_domain_status(make_domain(findings=forbidden), TARGET)
    assert status.lights["http"].colour == "waiting"
    assert status.next_step == 'Add at your DNS provider: acme.com CAA 0 issue "amazon.com".'
    assert build_domain_status(make_domain(findings=ISSUING), TARGET).next_step.startswith(
        "Wait a few minutes"
    )


def get_colours(findings: CheckResult | None) -> dict[str, str]:
    return {
        name: light.colour
        for name, light in build_lights(make_domain(findings=findings), TARGET).items()
    }


@pytest.mark.parametrize(
    ("findings", "dns", "http", "https"),
    [
        (None, "waiting", "off", "off"),
        (make_findings("missing"), "red", "off", "off"),
        (ISSUING, "green", "waiting", "waiting"),
        (HTTP_ONLY, "green", "green", "off"),
        (HTTPS, "green", "green", "green"),
        (BLOCKED, "green", "red", "red"),
        (make_findings("proxied", proof=True), "green", "red", "red"),
        (make_findings("proxied", https=ProbeResult("ours"), proof=True), "green", "off", "green"),
        (
            make_findings("cname", caa=CaaResult("no", "acme.com", ("x.example",))),
            "green",
            "waiting",
            "red",
        ),
    ],
)
def test_light_colours_follow_the_check_result(
    findings: CheckResult | None, dns: str, http: str, https: str
) -> None:
    assert get_colours(findings) == {"sending": "green", "dns": dns, "http": http, "https": https}


@pytest.mark.parametrize(
    ("findings", "found", "step"),
    [
        (make_findings("missing"), "no record", ADD),
        (
            make_findings("elsewhere", chain=(HOST, "x.example"), addresses=("1.2.3.4",)),
            "x.example → 1.2.3.4",
            CHANGE,
        ),
        (
            make_findings("elsewhere", addresses=("1.2.3.4",), wildcard=True),
            "1.2.3.4",
            f"A wildcard record answers for this name. {ADD}",
        ),
        (
            make_findings("loop", chain=(HOST, "a.example", HOST)),
            f"CNAMEs that form a loop: {HOST} → a.example → {HOST}",
            "Remove the CNAMEs in the loop and keep the expected one.",
        ),
        (
            make_findings("timeout"),
            "no answer from the name servers in time",
            "Check that the zone's name servers are up. Waypost repeats the check.",
        ),
    ],
)
def test_dns_light_shows_the_found_record_and_the_next_step(
    findings: CheckResult, found: str, step: str
) -> None:
    light = build_lights(make_domain(findings=findings), TARGET)["dns"]
    assert (light.expected, light.found, light.next_step) == (f"CNAME {TARGET}", found, step)


@pytest.mark.parametrize(
    ("hsts", "found"),
    [
        (HstsResult("own", HOST), "an HSTS policy of the host itself"),
        (HstsResult("parent", "acme.com"), "an HSTS policy of acme.com for its subdomains"),
        (HstsResult("preload", HOST), "an entry in the HSTS list that browsers ship"),
    ],
)
def test_http_light_is_red_on_hsts_and_names_its_source(hsts: HstsResult, found: str) -> None:
    light = build_lights(
        make_domain(findings=make_findings("proxied", ProbeResult("ours"), hsts=hsts)), TARGET
    )["http"]
    assert (light.colour, light.expected, light.found) == ("red", "no HSTS policy", found)
    assert light.next_step.startswith("Set up HTTPS")


@pytest.mark.parametrize(
    ("certificate", "colour", "found"),
    [
        (DomainCertificate(), "waiting", "a certificate in progress"),
        (DomainCertificate("pending-validation", NOW), "waiting", "a certificate in progress"),
        (DomainCertificate("issued", NOW), "waiting", "a certificate, and no connection"),
        (DomainCertificate("failed", NOW), "red", "the certificate is failed"),
        (DomainCertificate("none", NOW, "no room"), "red", "CloudFront rejected the host"),
    ],
)
def test_https_light_shows_the_progress_of_the_certificate(
    certificate: DomainCertificate, colour: str, found: str
) -> None:
    findings = make_findings("cname", https=ProbeResult("unreachable"))
    light = build_lights(make_domain(findings=findings, certificate=certificate), TARGET)["https"]
    assert (light.colour, light.found) == (colour, found)


@pytest.mark.parametrize("stage", ["https", "fallen_back"])
def test_https_light_is_red_when_https_stops_working(stage: DomainStage) -> None:
    domain = make_domain(
        stage=stage,
        findings=make_findings("cname", https=ProbeResult("unreachable")),
        certificate=DomainCertificate("issued", NOW),
    )
    light = build_lights(domain, TARGET)["https"]
    assert light.colour == "red"
    assert light.next_step == OUTAGE_STEP


def test_every_red_light_has_a_next_step() -> None:
    outcomes = [
        *("not_ours", "redirect", "unsafe", "timeout", "unreachable", "broken", "expired"),
        *("not_yet_valid", "wrong_name", "self_signed", "untrusted", "no_address"),
    ]
    for outcome in outcomes:
        probe = ProbeResult(outcome)  # type: ignore[arg-type]
        lights = build_lights(
            make_domain(findings=make_findings("proxied", probe, probe, proof=True)), TARGET
        )
        for light in lights.values():
            assert light.colour != "red" or light.next_step, outcome


def test_sending_light_is_red_for_an_unverified_sender() -> None:
    light = build_lights(make_domain(sending=SendingDomain("acme.com")), TARGET)["sending"]
    assert light.colour == "red"
    assert "acme.com" in light.next_step


def test_sending_light_is_red_for_a_foreign_sender_until_the_host_is_proven() -> None:
    elsewhere = SendingDomain("other.example", verified=True)
    light = build_lights(make_domain(sending=elsewhere), TARGET)["sending"]
    assert (light.colour, light.found) == ("red", "neither")
    assert light.next_step == f'Add at your DNS provider: _waypost.{HOST} TXT "waypost=f00d".'
    proven = build_lights(make_domain(sending=elsewhere, proven=True), TARGET)["sending"]
    assert proven.colour == "green"


def test_light_start_time_is_that_of_its_last_colour_change() -> None:
    before = update_lights(make_domain(findings=ISSUING), TARGET, NOW)
    later = update_lights(make_domain(findings=HTTPS, lit=before.lit), TARGET, NOW + MINUTE)
    since = {name: light.since for name, light in build_lights(later, TARGET).items()}
    assert since == {
        "sending": NOW,
        "dns": NOW,
        "http": NOW + MINUTE,
        "https": NOW + MINUTE,
    }


def test_next_step_of_a_domain_is_that_of_its_first_red_light() -> None:
    assert (
        build_domain_status(make_domain(findings=make_findings("missing")), TARGET).next_step == ADD
    )
    assert build_domain_status(make_domain(findings=HTTPS, stage="https"), TARGET).next_step == ""


def test_http_light_shows_the_connection_error_of_a_proxy() -> None:
    light = build_lights(
        make_domain(findings=make_findings("proxied", FAILED_PROBE, proof=True)), TARGET
    )["http"]
    assert light.found == "no connection (Connection refused)"
