"""Certificate requests of a tracking domain, and their retries."""

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
class FakeCdn:
    """A CDN without tenants that rejects the given operations."""

    rejected_calls: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)

    def get_tenant(self, host: str, /) -> CdnTenant | None:
        self._record_call("tenant")
        return None

    def create_tenant(self, host: str, /) -> None:
        assert host == HOST
        self._record_call("create")

    def enable_tenant(self, host: str, /) -> None:
        raise AssertionError

    def attach_certificate(self, host: str, /) -> None:
        raise AssertionError

    def request_certificate(self, host: str, /) -> None:
        raise AssertionError

    def remove_tenant(self, host: str, /) -> bool:
        raise AssertionError

    def _record_call(self, operation: str) -> None:
        self.calls.append(operation)
        if operation in self.rejected_calls:
            raise CdnRequestRejected(f"{operation} is not allowed")


@pytest.fixture
def uncertified_domain() -> TrackingDomain:
    return make_domain(findings=READY)


def test_certificate_is_requested_when_dns_is_correct(uncertified_domain: TrackingDomain) -> None:
    cdn = FakeCdn()
    certificate = advance_https(uncertified_domain, cdn, NOW).certificate
    assert (certificate.status, certificate.requested) == ("pending-validation", NOW)
    assert cdn.calls == ["tenant", "create"]


def test_rejected_certificate_request_is_retried_only_after_an_hour(
    uncertified_domain: TrackingDomain,
) -> None:
    cdn = FakeCdn(rejected_calls={"create"})
    rejected = advance_https(uncertified_domain, cdn, NOW)
    assert rejected.certificate.problem == "create is not allowed"
    cdn.rejected_calls.clear()
    early = advance_https(rejected, cdn, NOW + CERTIFICATE_RETRY_INTERVAL - MINUTE)
    assert early.certificate.status == "none"
    assert cdn.calls.count("create") == 1
    later = advance_https(early, cdn, NOW + CERTIFICATE_RETRY_INTERVAL)
    assert later.certificate.status == "pending-validation"


def test_rejected_tenant_lookup_does_not_delay_the_certificate_request(
    uncertified_domain: TrackingDomain,
) -> None:
    cdn = FakeCdn(rejected_calls={"tenant"})
    rejected = advance_https(uncertified_domain, cdn, NOW)
    assert rejected.certificate.problem == "tenant is not allowed"
    assert rejected.certificate.requested is None
    cdn.rejected_calls.clear()
    later = advance_https(replace(rejected, findings=READY), cdn, NOW + timedelta(minutes=5))
    assert later.certificate.status == "pending-validation"
