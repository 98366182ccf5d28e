"""What a CDN has to offer for HTTPS by itself, and when it is asked.

A tenant serves one host under a certificate of its own. It is asked for once DNS is right and
settled, and never before: the authority checks the host over HTTP through the tenant, and a
request that cannot succeed only uses up tries.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal, Protocol

from waypost.domains.model import Certificate, TrackingDomain
from waypost.errors import EdgeRefused, ServedElsewhere

CertificateStatus = Literal[
    "none",
    "pending-validation",
    "issued",
    "inactive",
    "expired",
    "validation-timed-out",
    "revoked",
    "failed",
]

RETRY_AFTER: Final = timedelta(hours=1)
"""Between two requests for a host or a certificate that was refused."""

_TO_REQUEST: Final = ("none", "inactive", "expired", "validation-timed-out", "revoked", "failed")


@dataclass(frozen=True, slots=True)
class Tenant:
    """What the CDN holds for a host. ``attached``: its certificate serves it."""

    certificate: CertificateStatus
    attached: bool
    enabled: bool


class Edge(Protocol):
    def tenant(self, host: str, /) -> Tenant | None:
        """What is held for a host, None where nothing is. Raises ServedElsewhere."""
        ...

    def create(self, host: str, /) -> None:
        """Take a host and request its certificate. Raises EdgeRefused."""
        ...

    def enable(self, host: str, /) -> None:
        """Serve a host again that was disabled, as one removed and added anew."""
        ...

    def attach(self, host: str, /) -> None:
        """Serve the host under the certificate that was issued for it."""
        ...

    def request_again(self, host: str, /) -> None:
        """Request a certificate for a tenant without one. Raises EdgeRefused."""
        ...

    def remove(self, host: str, /) -> bool:
        """Disable, then delete; True once nothing is left. Deleting waits for disabling to have
        spread, so it takes several calls, minutes apart.
        """
        ...


def secure(domain: TrackingDomain, edge: Edge, now: datetime) -> TrackingDomain:
    """Bring a domain one step nearer to HTTPS, if a step is due; returns what the edge said."""
    found = domain.findings
    if found is None or found.https.green or not found.dns.leads_to_edge:
        return domain
    try:
        certificate = _step(domain, edge, now)
    except EdgeRefused as e:
        certificate = replace(domain.certificate, problem=str(e))
    return replace(domain, certificate=certificate)


def holds(edge: Edge, host: str) -> bool:
    """Whether the edge has anything of ours for a host."""
    try:
        return edge.tenant(host) is not None
    except ServedElsewhere:
        return False


def _step(domain: TrackingDomain, edge: Edge, now: datetime) -> Certificate:
    tenant = edge.tenant(domain.host)
    known = domain.certificate
    if tenant is None:
        if not _may_request(domain, now):
            return replace(known, status="none")
        return _requested(domain, edge.create, now)
    if not tenant.enabled:
        edge.enable(domain.host)
    elif tenant.certificate == "issued" and not tenant.attached:
        edge.attach(domain.host)
    elif tenant.certificate in _TO_REQUEST and _may_request(domain, now):
        return _requested(domain, edge.request_again, now)
    return Certificate(tenant.certificate, known.requested)


def _requested(
    domain: TrackingDomain, request: Callable[[str], None], now: datetime
) -> Certificate:
    """A try to have a certificate, which counts as one where it is refused, too."""
    try:
        request(domain.host)
    except EdgeRefused as e:
        return replace(domain.certificate, requested=now, problem=str(e))
    return Certificate("pending-validation", now)


def _may_request(domain: TrackingDomain, now: datetime) -> bool:
    found, requested = domain.findings, domain.certificate.requested
    if found is None or not found.dns.settled or found.caa.allows == "no":
        return False
    return requested is None or now - requested >= RETRY_AFTER
