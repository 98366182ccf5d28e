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

from waypost.errors import CdnRequestRejected, HostnameInUse
from waypost.models.tracking_domain import DomainCertificate, TrackingDomain

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

CERTIFICATE_RETRY_INTERVAL: Final = timedelta(hours=1)
"""Between two requests for a host or a certificate that was refused."""

_RENEWABLE_STATUSES: Final = (
    "none",
    "inactive",
    "expired",
    "validation-timed-out",
    "revoked",
    "failed",
)


@dataclass(frozen=True, slots=True)
class CdnTenant:
    """What the CDN holds for a host. ``attached``: its certificate serves it."""

    certificate_status: CertificateStatus
    is_attached: bool
    is_enabled: bool


class CdnTenants(Protocol):
    def get_tenant(self, host: str, /) -> CdnTenant | None:
        """What is held for a host, None where nothing is. Raises ServedElsewhere."""
        ...

    def create_tenant(self, host: str, /) -> None:
        """Take a host and request its certificate. Raises EdgeRefused."""
        ...

    def enable_tenant(self, host: str, /) -> None:
        """Serve a host again that was disabled, as one removed and added anew."""
        ...

    def attach_certificate(self, host: str, /) -> None:
        """Serve the host under the certificate that was issued for it."""
        ...

    def request_certificate(self, host: str, /) -> None:
        """Request a certificate for a tenant without one. Raises EdgeRefused."""
        ...

    def remove_tenant(self, host: str, /) -> bool:
        """Disable, then delete; True once nothing is left. Deleting waits for disabling to have
        spread, so it takes several calls, minutes apart.
        """
        ...


def advance_https(domain: TrackingDomain, cdn_tenants: CdnTenants, now: datetime) -> TrackingDomain:
    """Bring a domain one step nearer to HTTPS, if a step is due; returns what the edge said."""
    found = domain.findings
    if found is None or found.https.is_ours or not found.dns.points_to_cdn:
        return domain
    try:
        certificate = _advance_certificate(domain, cdn_tenants, now)
    except CdnRequestRejected as e:
        certificate = replace(domain.certificate, problem=str(e))
    return replace(domain, certificate=certificate)


def has_tenant(cdn_tenants: CdnTenants, host: str) -> bool:
    """Whether the edge has anything of ours for a host."""
    try:
        return cdn_tenants.get_tenant(host) is not None
    except HostnameInUse:
        return False


def _advance_certificate(
    domain: TrackingDomain, cdn_tenants: CdnTenants, now: datetime
) -> DomainCertificate:
    tenant = cdn_tenants.get_tenant(domain.host)
    known = domain.certificate
    if tenant is None:
        if not _can_request_certificate(domain, now):
            return replace(known, status="none")
        return _request_certificate(domain, cdn_tenants.create_tenant, now)
    if not tenant.is_enabled:
        cdn_tenants.enable_tenant(domain.host)
    elif tenant.certificate_status == "issued" and not tenant.is_attached:
        cdn_tenants.attach_certificate(domain.host)
    elif tenant.certificate_status in _RENEWABLE_STATUSES and _can_request_certificate(domain, now):
        return _request_certificate(domain, cdn_tenants.request_certificate, now)
    return DomainCertificate(tenant.certificate_status, known.requested)


def _request_certificate(
    domain: TrackingDomain, request: Callable[[str], None], now: datetime
) -> DomainCertificate:
    """A try to have a certificate, which counts as one where it is refused, too."""
    try:
        request(domain.host)
    except CdnRequestRejected as e:
        return replace(domain.certificate, requested=now, problem=str(e))
    return DomainCertificate("pending-validation", now)


def _can_request_certificate(domain: TrackingDomain, now: datetime) -> bool:
    found, requested = domain.findings, domain.certificate.requested
    if found is None or not found.dns.settled or found.caa.allows == "no":
        return False
    return requested is None or now - requested >= CERTIFICATE_RETRY_INTERVAL
