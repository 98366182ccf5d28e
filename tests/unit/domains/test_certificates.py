"""When a certificate is requested, and when again."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from tests.unit.domains.builders import HOST, MINUTE, NOW, make_domain, make_findings
from waypost.domains.certificates import CERTIFICATE_RETRY_INTERVAL, CdnTenant, advance_https
from waypost.errors import CdnRequestRejected
from waypost.models.tracking_domain import TrackingDomain

READY = make_findings("cname", settled=True)


@dataclass
class Edge:
    """A CDN without tenants that rejects the given operations."""

    refusing: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    def get_tenant(self, host: str, /) -> CdnTenant | None:
        self._ask("tenant")
        return None

    def create_tenant(self, host: str, /) -> None:
        assert host == HOST
        self._ask("create")

    def enable_tenant(self, host: str, /) -> None:
        raise AssertionError

    def attach_certificate(self, host: str, /) -> None:
        raise AssertionError

    def request_certificate(self, host: str, /) -> None:
        raise AssertionError

    def remove_tenant(self, host: str, /) -> bool:
        raise AssertionError

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if what in self.refusing:
            raise CdnRequestRejected(f"{what} is not allowed")


@pytest.fixture
def waiting() -> TrackingDomain:
    return make_domain(findings=READY)


def test_certificate_is_requested_when_dns_is_correct(waiting: TrackingDomain) -> None:
    edge = Edge()
    certificate = advance_https(waiting, edge, NOW).certificate
    assert (certificate.status, certificate.requested) == ("pending-validation", NOW)
    assert edge.asked == ["tenant", "create"]


def test_rejected_certificate_request_is_retried_only_after_an_hour(
    waiting: TrackingDomain,
) -> None:
    edge = Edge(refusing={"create"})
    refused = advance_https(waiting, edge, NOW)
    assert refused.certificate.problem == "create is not allowed"
    edge.refusing.clear()
    soon = advance_https(refused, edge, NOW + CERTIFICATE_RETRY_INTERVAL - MINUTE)
    assert soon.certificate.status == "none"
    assert edge.asked.count("create") == 1
    later = advance_https(soon, edge, NOW + CERTIFICATE_RETRY_INTERVAL)
    assert later.certificate.status == "pending-validation"


def test_rejected_tenant_lookup_does_not_delay_the_certificate_request(
    waiting: TrackingDomain,
) -> None:
    edge = Edge(refusing={"tenant"})
    refused = advance_https(waiting, edge, NOW)
    assert refused.certificate.problem == "tenant is not allowed"
    assert refused.certificate.requested is None
    edge.refusing.clear()
    later = advance_https(replace(refused, findings=READY), edge, NOW + timedelta(minutes=5))
    assert later.certificate.status == "pending-validation"
