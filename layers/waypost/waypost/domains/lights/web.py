"""The lights of HTTP and HTTPS: what answers for a host, and what keeps links from working."""

from __future__ import annotations

from waypost.domains.check_results import UNSEEN, Findings, Probe
from waypost.domains.lights.light import Colour, Light
from waypost.domains.model import TrackingDomain
from waypost.domains.status_messages import (
    HSTS_STEP,
    MINUTES_STEP,
    PROBE_FOUND,
    PROXY_STEP,
    STOPPED_STEP,
    UNSEEN_STEP,
)


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
