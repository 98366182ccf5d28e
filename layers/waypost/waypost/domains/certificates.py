"""Managed certificates: the steps from a correct DNS record to HTTPS on a CDN tenant.

A tenant serves one host with its own certificate. It is created only when DNS is correct at all
name servers: the certificate authority checks the host over HTTP through the tenant, and a request
that cannot succeed only uses up attempts.
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
"""Time between two requests for a host or certificate that was rejected."""

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
    """The CDN's tenant of a host. ``is_attached``: it serves the host with its certificate."""

    certificate_status: CertificateStatus
    is_attached: bool
    is_enabled: bool


class CdnTenants(Protocol):
    """The tenants of a CDN, by host."""

    def get_tenant(self, host: str, /) -> CdnTenant | None:
        """Return a host's tenant, or None. Raises HostnameInUse."""
        ...

    def create_tenant(self, host: str, /) -> None:
        """Create a tenant and request its certificate. Raises CdnRequestRejected."""
        ...

    def enable_tenant(self, host: str, /) -> None:
        """Enable a disabled tenant, as for a domain that was removed and added again."""
        ...

    def attach_certificate(self, host: str, /) -> None:
        """Serve the host with its issued certificate."""
        ...

    def request_certificate(self, host: str, /) -> None:
        """Request a certificate for a tenant without one. Raises CdnRequestRejected."""
        ...

    def remove_tenant(self, host: str, /) -> bool:
        """Disable, then delete a tenant; return True once it is deleted.

        Deletion must wait until the disabled state is deployed, so it takes several calls, minutes
        apart.
        """
        ...


def advance_https(domain: TrackingDomain, cdn_tenants: CdnTenants, now: datetime) -> TrackingDomain:
    """Take the next step to HTTPS, if one is due; return the domain with its certificate.

    A rejection by the CDN is stored as the certificate's problem.
    """
    result = domain.findings
    if result is None or result.https.is_ours or not result.dns.points_to_cdn:
        return domain
    try:
        certificate = _advance_certificate(domain, cdn_tenants, now)
    except CdnRequestRejected as e:
        certificate = replace(domain.certificate, problem=str(e))
    return replace(domain, certificate=certificate)


def has_tenant(cdn_tenants: CdnTenants, host: str) -> bool:
    """Return True if this stack's CDN distribution has a tenant for the host."""
    try:
        return cdn_tenants.get_tenant(host) is not None
    except HostnameInUse:
        return False


def _advance_certificate(
    domain: TrackingDomain, cdn_tenants: CdnTenants, now: datetime
) -> DomainCertificate:
    tenant = cdn_tenants.get_tenant(domain.host)
    current = domain.certificate
    if tenant is None:
        if not _can_request_certificate(domain, now):
            return replace(current, status="none")
        return _request_certificate(domain, cdn_tenants.create_tenant, now)
    if not tenant.is_enabled:
        cdn_tenants.enable_tenant(domain.host)
    elif tenant.certificate_status == "issued" and not tenant.is_attached:
        cdn_tenants.attach_certificate(domain.host)
    elif tenant.certificate_status in _RENEWABLE_STATUSES and _can_request_certificate(domain, now):
        return _request_certificate(domain, cdn_tenants.request_certificate, now)
    return DomainCertificate(tenant.certificate_status, current.requested)


def _request_certificate(
    domain: TrackingDomain, request: Callable[[str], None], now: datetime
) -> DomainCertificate:
    """Request a certificate; a rejected request counts as an attempt, too."""
    try:
        request(domain.host)
    except CdnRequestRejected as e:
        return replace(domain.certificate, requested=now, problem=str(e))
    return DomainCertificate("pending-validation", now)


def _can_request_certificate(domain: TrackingDomain, now: datetime) -> bool:
    result, requested = domain.findings, domain.certificate.requested
    if result is None or not result.dns.settled or result.caa.allows == "no":
        return False
    return requested is None or now - requested >= CERTIFICATE_RETRY_INTERVAL
