"""Fakes of CloudFront, SES and the event bus for domain checks over real sockets.

A host answers no request, HTTP included, until its certificate is attached, as on CloudFront.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.e2e.domains.conftest import EDGE_ADDRESS, DomainFixture
from tests.e2e.domains.internet import respond_to_probe
from waypost.domains.certificates import CdnTenant, CertificateStatus
from waypost.domains.events import DomainEventPublisher
from waypost.domains.sender_identity import SenderIdentities
from waypost.errors import CdnRequestRejected
from waypost.models.tracking_domain import DomainChange, TrackingDomain


@dataclass
class FakeCdn:
    """A CDN that behaves as CloudFront does."""

    world: DomainFixture
    tenants: dict[str, CdnTenant] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    rejection: str | None = None

    def get_tenant(self, host: str, /) -> CdnTenant | None:
        return self.tenants.get(host)

    def create_tenant(self, host: str, /) -> None:
        self.calls.append("create")
        if self.rejection:
            raise CdnRequestRejected(self.rejection)
        self.tenants[host] = CdnTenant("pending-validation", is_attached=False, is_enabled=True)

    def set_certificate_status(self, host: str, status: CertificateStatus = "issued") -> None:
        """Set the certificate's status, as the authority does later."""
        self.tenants[host] = CdnTenant(status, is_attached=False, is_enabled=True)

    def attach_certificate(self, host: str, /) -> None:
        self.calls.append("attach")
        self.tenants[host] = CdnTenant("issued", is_attached=True, is_enabled=True)
        self.world.internet.serve(EDGE_ADDRESS, 80, respond_to_probe)
        self.world.serve_https(EDGE_ADDRESS, host)

    def enable_tenant(self, host: str, /) -> None:
        self.calls.append("enable")
        tenant = self.tenants[host]
        self.tenants[host] = CdnTenant(
            tenant.certificate_status, tenant.is_attached, is_enabled=True
        )

    def request_certificate(self, host: str, /) -> None:
        self.calls.append("request_again")
        self.tenants[host] = CdnTenant("pending-validation", is_attached=False, is_enabled=True)

    def remove_tenant(self, host: str, /) -> bool:
        tenant = self.tenants[host]
        if tenant.is_enabled:
            self.calls.append("disable")
            self.tenants[host] = CdnTenant(
                tenant.certificate_status, tenant.is_attached, is_enabled=False
            )
            return False
        self.calls.append("delete")
        del self.tenants[host]
        return True


@dataclass
class RecordingEventPublisher(DomainEventPublisher):
    """A publisher that records the changes."""

    changes: list[tuple[str, str]] = field(default_factory=list)

    def publish(self, domain: TrackingDomain, changes: Sequence[DomainChange]) -> None:
        self.changes += [(change.before, change.after) for change in changes]


@dataclass
class FakeSenderIdentities(SenderIdentities):
    """SES identities that the test sets."""

    verified_domains: dict[str, bool] = field(default_factory=lambda: {"acme.com": True})

    def get_verification(self, domain: str) -> bool | None:
        return self.verified_domains.get(domain)
