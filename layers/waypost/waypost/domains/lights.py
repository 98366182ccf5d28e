"""A domain's state in words: for sending, DNS, HTTP and HTTPS a light with what was expected,
what was found, since when, and the next step. Written for whoever has to act on it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from waypost.domains.domain import STACK, TrackingDomain
from waypost.domains.findings import Dns, Findings, Probe
from waypost.domains.records import proof_name, proof_value
from waypost.domains.words import DNS_FOUND, DNS_STEP, HSTS_STEP, PROBE_FOUND, PROXY_STEP

Colour = Literal["green", "waiting", "red", "off"]
"""waiting: nothing to be done but wait; off: not checked, or not needed."""


@dataclass(frozen=True, slots=True)
class Light:
    colour: Colour
    expected: str
    found: str
    next_step: str = ""
    since: datetime | None = None


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
        "http": _http(found),
        "https": _https(domain, found),
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


def _http(found: Findings) -> Light:
    expected = PROBE_FOUND["ours"]
    if not found.dns.right:
        return Light("off", expected, PROBE_FOUND["skipped"])
    if found.hsts.on and not found.https.green:
        return Light("red", "no HSTS policy", _hsts_found(found), HSTS_STEP[found.hsts.source])
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


def _https(domain: TrackingDomain, found: Findings) -> Light:
    expected = PROBE_FOUND["ours"]
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
        return Light("waiting", expected, "a certificate under way", "Wait; it takes minutes.")
    if status == "issued":
        return Light("waiting", expected, f"a certificate, and {_told(found.https)}", "Wait.")
    return Light(
        "red",
        "a certificate",
        f"the certificate is {status}",
        "It is requested again within the hour; check that the CNAME stays in place.",
    )


def _told(probe: Probe) -> str:
    words = PROBE_FOUND[probe.outcome]
    return f"{words} ({probe.detail})" if probe.detail else words
