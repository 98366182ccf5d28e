"""The status of a tracking domain in the API: lights, DNS records and the next step.

Each of sending, DNS, HTTP and HTTPS has a light with the expected and the found state, since when
it has its colour, and the next step for the person who has to act.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ValidationError

from waypost.domains.dns import build_proof_name, build_proof_value
from waypost.domains.schemas import AppLinksBody
from waypost.domains.status_messages import (
    DNS_MESSAGES,
    DNS_STEPS,
    HSTS_STEPS,
    OUTAGE_STEP,
    PROBE_MESSAGES,
    PROXY_STEPS,
    UNSEEN_STEP,
    WAIT_STEP,
)
from waypost.errors import CorruptItem
from waypost.models.domain_check import UNSEEN_PROBE, CheckResult, DnsResult, ProbeResult
from waypost.models.tracking_domain import (
    STACK_WORKSPACE,
    DomainRole,
    DomainStage,
    DomainUse,
    TrackingDomain,
)

LightColour = Literal["green", "waiting", "red", "off"]
"""waiting: no action is needed; off: not checked, or not needed."""


@dataclass(frozen=True, slots=True)
class StatusLight:
    colour: LightColour
    expected: str
    found: str
    next_step: str = ""
    since: datetime | None = None


def build_http_light(result: CheckResult) -> StatusLight:
    """Build the light that shows if links over plain HTTP work, and if browsers allow them."""
    expected = PROBE_MESSAGES["ours"]
    if result.http == UNSEEN_PROBE:
        return _build_unseen_light(expected, result.http)
    if not result.dns.is_correct:
        return StatusLight("off", expected, PROBE_MESSAGES["skipped"])
    if result.hsts.is_enforced and not result.https.is_ours:
        return StatusLight(
            "red", "no HSTS policy", _describe_hsts(result), HSTS_STEPS[result.hsts.source]
        )
    if result.http.is_ours and result.hsts.source == "unseen":
        return _build_unseen_light(expected, result.http, "; HSTS not checked yet")
    if result.http.is_ours:
        return StatusLight("green", expected, _describe_probe(result.http))
    if result.https.is_ours:
        return StatusLight(
            "off", expected, _describe_probe(result.http), "Not needed: links use HTTPS."
        )
    if result.dns.points_to_cdn:
        return StatusLight(
            "waiting",
            expected,
            _describe_probe(result.http),
            "HTTP works once the certificate does.",
        )
    return StatusLight(
        "red", expected, _describe_probe(result.http), PROXY_STEPS.get(result.http.outcome, "")
    )


def _describe_hsts(result: CheckResult) -> str:
    messages = {
        "own": "an HSTS policy of the host itself",
        "parent": f"an HSTS policy of {result.hsts.name} for its subdomains",
        "preload": "an entry in the HSTS list that browsers ship",
    }
    return messages.get(result.hsts.source, "no HSTS policy")


def build_https_light(domain: TrackingDomain, result: CheckResult) -> StatusLight:
    """Build the light that shows if links over HTTPS work with a trusted certificate."""
    expected = PROBE_MESSAGES["ours"]
    if result.https == UNSEEN_PROBE:
        return _build_unseen_light(expected, result.https)
    if not result.dns.is_correct:
        return StatusLight("off", expected, PROBE_MESSAGES["skipped"])
    if result.https.is_ours:
        return StatusLight("green", expected, _describe_probe(result.https))
    if result.dns.points_to_cdn:
        return _build_certificate_light(domain, result)
    colour: LightColour = "off" if result.http.is_ours and not result.hsts.is_enforced else "red"
    return StatusLight(
        colour, expected, _describe_probe(result.https), PROXY_STEPS.get(result.https.outcome, "")
    )


def _build_certificate_light(domain: TrackingDomain, result: CheckResult) -> StatusLight:
    """Build the HTTPS light of a host on CloudFront, which shows why HTTPS does not work yet."""
    expected, status = PROBE_MESSAGES["ours"], domain.certificate.status
    if domain.certificate.problem:
        return StatusLight(
            "red", "a certificate", "CloudFront rejected the host", domain.certificate.problem
        )
    if result.caa.allows == "unseen":
        return _build_unseen_light(expected, result.https, "; CAA not checked yet")
    if result.caa.allows == "no":
        issuers = ", ".join(result.caa.issuers) or "no authority"
        return StatusLight(
            "red",
            "CAA records that allow amazon.com",
            f"CAA at {result.caa.name} allows {issuers}",
            f'Add at your DNS provider: {result.caa.name} CAA 0 issue "amazon.com".',
        )
    if not result.dns.settled:
        return StatusLight(
            "waiting",
            expected,
            "DNS is still changing",
            "Wait until all name servers have the new record.",
        )
    if status in ("none", "pending-validation"):
        return StatusLight("waiting", expected, "a certificate in progress", WAIT_STEP)
    if status == "issued":
        found = f"a certificate, and {_describe_probe(result.https)}"
        if domain.stage in ("https", "fallen_back"):
            return StatusLight("red", expected, found, OUTAGE_STEP)
        return StatusLight("waiting", expected, found, WAIT_STEP)
    return StatusLight(
        "red",
        "a certificate",
        f"the certificate is {status}",
        "Waypost requests it again within an hour. Keep the CNAME in place.",
    )


def _build_unseen_light(expected: str, probe: ProbeResult, suffix: str = "") -> StatusLight:
    return StatusLight("waiting", expected, _describe_probe(probe) + suffix, UNSEEN_STEP)


def _describe_probe(probe: ProbeResult) -> str:
    message = PROBE_MESSAGES[probe.outcome]
    return f"{message} ({probe.detail})" if probe.detail else message


def build_lights(domain: TrackingDomain, cname_target: str) -> dict[str, StatusLight]:
    """Build the four lights by name, in the order in which they turn green.

    ``since`` comes from the stored domain.
    """
    since = {name: at for name, _, at in domain.lit}
    lights = _build_current_lights(domain, cname_target)
    return {name: replace(light, since=since.get(name)) for name, light in lights.items()}


def update_lights(domain: TrackingDomain, cname_target: str, now: datetime) -> TrackingDomain:
    """Return the domain with each light's colour, since ``now`` if the colour is new."""
    before = {name: (colour, at) for name, colour, at in domain.lit}
    lit = []
    for name, light in _build_current_lights(domain, cname_target).items():
        colour, at = before.get(name, ("", now))
        lit.append((name, light.colour, at if colour == light.colour else now))
    return replace(domain, lit=tuple(lit))


def _build_current_lights(domain: TrackingDomain, cname_target: str) -> dict[str, StatusLight]:
    is_stack_host = domain.workspace == STACK_WORKSPACE
    lights = {} if is_stack_host else {"sending": _build_sending_light(domain)}
    result = domain.findings
    if result is None:
        unchecked = StatusLight("off", PROBE_MESSAGES["ours"], "not checked yet")
        record = _describe_record_step(domain, DnsResult("missing"), cname_target)
        dns = StatusLight("waiting", f"CNAME {cname_target}", "not checked yet", record)
        return lights | {"dns": dns, "http": unchecked, "https": unchecked}
    return lights | {
        "dns": _build_dns_light(domain, result.dns, cname_target),
        "http": build_http_light(result),
        "https": build_https_light(domain, result),
    }


def _build_sending_light(domain: TrackingDomain) -> StatusLight:
    name, by_operator = domain.sending.domain, domain.sending.by_operator
    expected = f"{name} verified for sending"
    if domain.sending.verified and not domain.is_owned:
        return StatusLight(
            "red",
            f"{domain.host} in {name}, or its TXT proof",
            "neither",
            f"Add at your DNS provider: {_describe_proof_record(domain)}.",
        )
    if domain.sending.verified:
        return StatusLight(
            "green", expected, "marked by the operator" if by_operator else "verified"
        )
    return StatusLight(
        "red",
        expected,
        "not verified",
        f"Verify {name} as a sending identity (SES), or have the operator mark it verified.",
    )


def _build_dns_light(domain: TrackingDomain, dns: DnsResult, cname_target: str) -> StatusLight:
    expected = f"CNAME {cname_target}"
    if dns.is_correct:
        return _build_correct_dns_light(dns, expected)
    if dns.verdict == "unseen":
        return StatusLight("waiting", expected, DNS_MESSAGES["unseen"], UNSEEN_STEP)
    found = DNS_MESSAGES.get(dns.verdict, " → ".join((*dns.chain[1:], *dns.addresses[:2])))
    if dns.verdict in ("loop", "too_long", "conflict"):
        found = f"{found}: {' → '.join(dns.chain)}"
    step = DNS_STEPS.get(dns.verdict, _describe_record_step(domain, dns, cname_target))
    return StatusLight("red", expected, found, step)


def _build_correct_dns_light(dns: DnsResult, expected: str) -> StatusLight:
    if dns.verdict == "cname":
        chain = f"CNAME {' → '.join(dns.chain[1:])}"
        if dns.settled:
            return StatusLight("green", expected, chain)
        return StatusLight("green", expected, f"{chain}; not at all of the zone's name servers yet")
    if dns.verdict == "flattened":
        return StatusLight(
            "green",
            expected,
            f"Waypost's addresses (flattened CNAME) and the TXT proof: {_format_addresses(dns)}",
        )
    return StatusLight(
        "green", expected, f"your own proxy and the TXT proof: {_format_addresses(dns)}"
    )


def _format_addresses(dns: DnsResult) -> str:
    return ", ".join(dns.addresses[:2])


def _describe_record_step(domain: TrackingDomain, dns: DnsResult, cname_target: str) -> str:
    add = f"Add at your DNS provider: {domain.host} CNAME {cname_target}."
    if dns.wildcard:
        return f"A wildcard record answers for this name. {add}"
    if dns.verdict == "missing":
        return add
    return (
        f"Change the record to: {domain.host} CNAME {cname_target}. If your provider flattens it, "
        f"or your own proxy is in between, add: {_describe_proof_record(domain)}."
    )


def _describe_proof_record(domain: TrackingDomain) -> str:
    return f'{build_proof_name(domain.host)} TXT "{build_proof_value(domain.proof)}"'


class LightStatus(BaseModel):
    """The light of sending, dns, http or https.

    ``waiting``: no action is needed; ``off``: not needed or not checked.
    """

    colour: LightColour
    expected: str
    found: str
    since: datetime | None
    next_step: str


class DnsRecord(BaseModel):
    """A record that the customer adds at the DNS provider."""

    type: Literal["CNAME", "TXT"]
    name: str
    value: str
    when: str


class ChangeStatus(BaseModel):
    """A change of stage, of use, or of the sending domain's verification."""

    at: datetime
    before: str
    after: str
    reason: str


class DomainStatus(BaseModel):
    """The complete status of a tracking domain.

    ``base_url``: the start of links in messages, None while messages use the stack's default host.
    ``history``: newest first. ``checked``: the time of the last complete check. If an on-demand
    check runs out of time, its response shows the rest as *not checked yet*, and the stored domain
    does not change.
    """

    host: str
    workspace: str
    sending_domain: str | None
    role: DomainRole
    stage: DomainStage
    use: DomainUse
    since: datetime
    base_url: str | None
    next_step: str
    lights: dict[str, LightStatus]
    records: list[DnsRecord]
    app_links: AppLinksBody
    checked: datetime | None
    next_check: datetime
    failures: int
    history: list[ChangeStatus]


class DomainList(BaseModel):
    """A workspace's domains, oldest first, including those being removed."""

    domains: list[DomainStatus]


def build_domain_status(domain: TrackingDomain, cname_target: str) -> DomainStatus:
    """Build the status; ``cname_target`` is the name to which the domain's CNAME must point.

    Raises CorruptItem if the stored apps are not valid.
    """
    lights = build_lights(domain, cname_target)
    return DomainStatus(
        host=domain.host,
        workspace=domain.workspace_name,
        sending_domain=None if domain.workspace == STACK_WORKSPACE else domain.sending.domain,
        role=domain.role,
        stage=domain.stage,
        use=domain.use,
        since=domain.since,
        base_url=_get_base_url(domain),
        next_step=choose_next_step(domain, lights),
        lights={name: LightStatus(**asdict(light)) for name, light in lights.items()},
        records=_build_dns_records(domain, cname_target),
        app_links=_build_app_links(domain),
        checked=domain.checked,
        next_check=domain.due,
        failures=domain.failures,
        history=[ChangeStatus(**asdict(change)) for change in reversed(domain.history)],
    )


def _build_app_links(domain: TrackingDomain) -> AppLinksBody:
    try:
        return AppLinksBody.model_validate(domain.app_links.to_dict())
    except ValidationError as e:
        raise CorruptItem(f"tracking domain {domain.host}: invalid app links") from e


def choose_next_step(domain: TrackingDomain, status_lights: dict[str, StatusLight]) -> str:
    """Return the one thing to do now; empty if there is nothing to do."""
    if domain.use == "removed":
        return "Being removed. Links already sent work until its DNS record is removed."
    if domain.use == "reverted":
        return "Reverted: new messages use the default host until you restore this domain."
    red = [light.next_step for light in status_lights.values() if light.colour == "red"]
    # The others wait for the last waiting light.
    waiting = [
        light.next_step for light in reversed(status_lights.values()) if light.colour == "waiting"
    ]
    return next(filter(None, red + waiting), "")


def _get_base_url(domain: TrackingDomain) -> str | None:
    is_used = domain.is_working if domain.workspace == STACK_WORKSPACE else domain.is_usable
    return domain.base_url if is_used else None


def _build_dns_records(domain: TrackingDomain, target: str) -> list[DnsRecord]:
    """List the DNS records to add; ``when`` says if the TXT record is needed."""
    return [
        DnsRecord(type="CNAME", name=domain.host, value=target, when="always"),
        DnsRecord(
            type="TXT",
            name=build_proof_name(domain.host),
            value=build_proof_value(domain.proof),
            when=(
                "only if the CNAME is flattened, your own proxy is in between, or the host is not "
                "in the sending domain"
            ),
        ),
    ]
