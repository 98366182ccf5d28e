"""A tracking domain as others see it: callers of the API, report pages, the operator.

One light of a domain's state.

The lights of HTTP and HTTPS: what answers for a host, and what keeps links from working.

A domain's state in words: for sending, DNS, HTTP and HTTPS a light with what was expected,
what was found, since when, and the next step. Written for whoever has to act on it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ValidationError

from waypost.domains.check_results import UNSEEN, Dns, Findings, Probe
from waypost.domains.dns import proof_name, proof_value
from waypost.domains.model import STACK, Role, Stage, TrackingDomain, Use
from waypost.domains.schemas import AppLinksBody
from waypost.domains.status_messages import (
    DNS_FOUND,
    DNS_STEP,
    HSTS_STEP,
    MINUTES_STEP,
    PROBE_FOUND,
    PROXY_STEP,
    STOPPED_STEP,
    UNSEEN_STEP,
)
from waypost.errors import MalformedItem

Colour = Literal["green", "waiting", "red", "off"]
"""waiting: nothing to be done but wait; off: not checked, or not needed."""


@dataclass(frozen=True, slots=True)
class Light:
    colour: Colour
    expected: str
    found: str
    next_step: str = ""
    since: datetime | None = None


def http(found: Findings) -> Light:
    """Whether links over plain HTTP reach us, and browsers let them."""
    expected = PROBE_FOUND["ours"]
    if found.http == UNSEEN:
        return _unseen(expected, found.http)
    if not found.dns.right:
        return Light("off", expected, PROBE_FOUND["skipped"])
    if found.hsts.on and not found.https.green:
        return Light("red", "no HSTS policy", _hsts_found(found), HSTS_STEP[found.hsts.source])
    if found.http.green and found.hsts.source == "unseen":
        return _unseen(expected, found.http, "; HSTS not looked at yet")
    if found.http.green:
        return Light("green", expected, _told(found.http))
    if found.https.green:
        return Light("off", expected, _told(found.http), "Not needed: links use HTTPS.")
    if found.dns.leads_to_edge:
        return Light("waiting", expected, _told(found.http), "Answers once the certificate does.")
    return Light("red", expected, _told(found.http), PROXY_STEP.get(found.http.outcome, ""))


def _hsts_found(found: Findings) -> str:
    where = {
        "own": "an HSTS policy of the host itself",
        "parent": f"an HSTS policy of {found.hsts.name} for its subdomains",
        "preload": "on the list of HSTS domains that browsers ship",
    }
    return where.get(found.hsts.source, "no HSTS policy")


def https(domain: TrackingDomain, found: Findings) -> Light:
    """Whether links over HTTPS reach us, under a certificate that browsers trust."""
    expected = PROBE_FOUND["ours"]
    if found.https == UNSEEN:
        return _unseen(expected, found.https)
    if not found.dns.right:
        return Light("off", expected, PROBE_FOUND["skipped"])
    if found.https.green:
        return Light("green", expected, _told(found.https))
    if found.dns.leads_to_edge:
        return _certificate(domain, found)
    colour: Colour = "off" if found.http.green and not found.hsts.on else "red"
    return Light(colour, expected, _told(found.https), PROXY_STEP.get(found.https.outcome, ""))


def _certificate(domain: TrackingDomain, found: Findings) -> Light:
    """HTTPS where our edge answers for the host: what keeps the certificate from being there."""
    expected, status = PROBE_FOUND["ours"], domain.certificate.status
    if domain.certificate.problem:
        return Light("red", "a certificate", "the host was refused", domain.certificate.problem)
    if found.caa.allows == "unseen":
        return _unseen(expected, found.https, "; CAA not looked at yet")
    if found.caa.allows == "no":
        issuers = ", ".join(found.caa.issuers) or "nobody"
        return Light(
            "red",
            "CAA records that allow amazon.com",
            f"CAA at {found.caa.name} allows {issuers}",
            f'Add at your DNS provider: {found.caa.name} CAA 0 issue "amazon.com".',
        )
    if not found.dns.settled:
        return Light("waiting", expected, "DNS is still changing", "Wait until DNS has spread.")
    if status in ("none", "pending-validation"):
        return Light("waiting", expected, "a certificate under way", MINUTES_STEP)
    if status == "issued":
        seen = f"a certificate, and {_told(found.https)}"
        if domain.stage in ("https", "fallen_back"):
            return Light("red", expected, seen, STOPPED_STEP)
        return Light("waiting", expected, seen, MINUTES_STEP)
    return Light(
        "red",
        "a certificate",
        f"the certificate is {status}",
        "It is requested again within the hour; check that the CNAME stays in place.",
    )


def _unseen(expected: str, probe: Probe, rest: str = "") -> Light:
    return Light("waiting", expected, _told(probe) + rest, UNSEEN_STEP)


def _told(probe: Probe) -> str:
    words = PROBE_FOUND[probe.outcome]
    return f"{words} ({probe.detail})" if probe.detail else words


def lights(domain: TrackingDomain, target: str) -> dict[str, Light]:
    """The four lights by name, in the order in which they are to turn green. ``target`` is the
    name that the CNAME has to point at. Each light's ``since`` comes from the domain's record.
    """
    since = {name: at for name, _, at in domain.lit}
    drawn = _drawn(domain, target)
    return {name: replace(light, since=since.get(name)) for name, light in drawn.items()}


def relit(domain: TrackingDomain, target: str, now: datetime) -> TrackingDomain:
    """The domain with each light's colour noted; ``now`` where it is another than before."""
    before = {name: (colour, at) for name, colour, at in domain.lit}
    lit = []
    for name, light in _drawn(domain, target).items():
        colour, at = before.get(name, ("", now))
        lit.append((name, light.colour, at if colour == light.colour else now))
    return replace(domain, lit=tuple(lit))


def _drawn(domain: TrackingDomain, target: str) -> dict[str, Light]:
    drawn = {} if domain.workspace == STACK else {"sending": _sending(domain)}
    found = domain.findings
    if found is None:
        unchecked = Light("off", PROBE_FOUND["ours"], "not checked yet")
        record = _record_step(domain, Dns("missing"), target)
        dns = Light("waiting", f"CNAME {target}", "not checked yet", record)
        return drawn | {"dns": dns, "http": unchecked, "https": unchecked}
    return drawn | {
        "dns": _dns(domain, found.dns, target),
        "http": http(found),
        "https": https(domain, found),
    }


def _sending(domain: TrackingDomain) -> Light:
    name, by_operator = domain.sending.domain, domain.sending.by_operator
    expected = f"{name} verified for sending"
    if domain.sending.verified and not domain.owned:
        return Light(
            "red",
            f"{domain.host} in {name}, or its TXT proof",
            "neither",
            f"Add at your DNS provider: {_proof(domain)}.",
        )
    if domain.sending.verified:
        return Light("green", expected, "marked by the operator" if by_operator else "verified")
    return Light(
        "red",
        expected,
        "not verified",
        f"Verify {name} as a sending identity (SES), or have the operator mark it verified.",
    )


def _dns(domain: TrackingDomain, dns: Dns, target: str) -> Light:
    expected = f"CNAME {target}"
    if dns.right:
        return _dns_right(dns, expected)
    if dns.verdict == "unseen":
        return Light("waiting", expected, DNS_FOUND["unseen"], UNSEEN_STEP)
    found = DNS_FOUND.get(dns.verdict, " → ".join((*dns.chain[1:], *dns.addresses[:2])))
    if dns.verdict in ("loop", "too_long", "conflict"):
        found = f"{found}: {' → '.join(dns.chain)}"
    step = DNS_STEP.get(dns.verdict, _record_step(domain, dns, target))
    return Light("red", expected, found, step)


def _dns_right(dns: Dns, expected: str) -> Light:
    if dns.verdict == "cname":
        chain = f"CNAME {' → '.join(dns.chain[1:])}"
        if dns.settled:
            return Light("green", expected, chain)
        return Light("green", expected, f"{chain}; not at all of the zone's name servers yet")
    if dns.verdict == "flattened":
        return Light("green", expected, f"our addresses (flattened) and the TXT proof: {_few(dns)}")
    return Light("green", expected, f"a proxy of yours and the TXT proof: {_few(dns)}")


def _few(dns: Dns) -> str:
    return ", ".join(dns.addresses[:2])


def _record_step(domain: TrackingDomain, dns: Dns, target: str) -> str:
    add = f"Add at your DNS provider: {domain.host} CNAME {target}."
    if dns.wildcard:
        return f"A wildcard record answers for this name. {add}"
    if dns.verdict == "missing":
        return add
    return (
        f"Change the record to: {domain.host} CNAME {target}. If your provider flattens it, or a "
        f"proxy of yours stands in between, add: {_proof(domain)}."
    )


def _proof(domain: TrackingDomain) -> str:
    return f'{proof_name(domain.host)} TXT "{proof_value(domain.proof)}"'


class LightStatus(BaseModel):
    """One of sending, dns, http, https. ``waiting``: nothing to do but wait; ``off``: not needed
    or not checked.
    """

    colour: Colour
    expected: str
    found: str
    since: datetime | None
    next_step: str


class DnsRecord(BaseModel):
    """A record to be made at the customer's DNS provider."""

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
    """Everything that is known of a domain. ``base_url``: what links of messages begin with, None
    while the stack's default host is used instead. ``history``: newest first. ``checked``: when
    everything was last looked at. What a check had no time for while its caller waited is waiting,
    *not looked at yet*, in the answer to that call alone; nothing else of the domain changes by it.
    """

    host: str
    workspace: str
    sending_domain: str | None
    role: Role
    stage: Stage
    use: Use
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
    """A workspace's domains, oldest first; those that are being removed too."""

    domains: list[DomainStatus]


def status_of(domain: TrackingDomain, target: str) -> DomainStatus:
    """``target`` is the name that the domain's CNAME has to point at. Raises MalformedItem for apps
    that nobody could have set.
    """
    lit = lights(domain, target)
    return DomainStatus(
        host=domain.host,
        workspace=domain.workspace_name,
        sending_domain=None if domain.workspace == STACK else domain.sending.domain,
        role=domain.role,
        stage=domain.stage,
        use=domain.use,
        since=domain.since,
        base_url=_base_url(domain),
        next_step=next_step(domain, lit),
        lights={name: LightStatus(**asdict(light)) for name, light in lit.items()},
        records=_records(domain, target),
        app_links=_apps(domain),
        checked=domain.checked,
        next_check=domain.due,
        failures=domain.failures,
        history=[ChangeStatus(**asdict(change)) for change in reversed(domain.history)],
    )


def _apps(domain: TrackingDomain) -> AppLinksBody:
    try:
        return AppLinksBody.model_validate(domain.app_links.stored())
    except ValidationError as e:
        raise MalformedItem(f"the domain {domain.host} has apps that cannot be read") from e


def next_step(domain: TrackingDomain, lit: dict[str, Light]) -> str:
    """The one thing to do now, in plain words; empty where there is nothing to do."""
    if domain.use == "removed":
        return "Being removed. Links already sent work on it until its DNS record is gone."
    if domain.use == "reverted":
        return "Reverted: new messages use the default host until its owner restores it."
    red = [light.next_step for light in lit.values() if light.colour == "red"]
    # Of what waits, the last is what the others wait for.
    waiting = [light.next_step for light in reversed(lit.values()) if light.colour == "waiting"]
    return next(filter(None, red + waiting), "")


def _base_url(domain: TrackingDomain) -> str | None:
    usable = domain.works if domain.workspace == STACK else domain.usable
    return domain.base_url if usable else None


def _records(domain: TrackingDomain, target: str) -> list[DnsRecord]:
    """The DNS records to be made; the TXT record only where it is needed."""
    return [
        DnsRecord(type="CNAME", name=domain.host, value=target, when="always"),
        DnsRecord(
            type="TXT",
            name=proof_name(domain.host),
            value=proof_value(domain.proof),
            when=(
                "only where the CNAME is flattened, a proxy of your own stands in between, or the "
                "host is not in the sending domain"
            ),
        ),
    ]
