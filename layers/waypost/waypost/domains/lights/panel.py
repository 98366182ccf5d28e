"""A domain's state in words: for sending, DNS, HTTP and HTTPS a light with what was expected,
what was found, since when, and the next step. Written for whoever has to act on it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from waypost.domains.check_results import Dns
from waypost.domains.dns import proof_name, proof_value
from waypost.domains.lights import web
from waypost.domains.lights.light import Light
from waypost.domains.model import STACK, TrackingDomain
from waypost.domains.status_messages import DNS_FOUND, DNS_STEP, PROBE_FOUND, UNSEEN_STEP


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
        "http": web.http(found),
        "https": web.https(domain, found),
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
