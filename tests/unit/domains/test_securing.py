"""When a certificate is asked for, and when again."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from tests.unit.domains.builders import HOST, MINUTE, NOW, domain, seen
from waypost.domains.certificates import RETRY_AFTER, Tenant, secure
from waypost.domains.model import TrackingDomain
from waypost.errors import EdgeRefused

READY = seen("cname", settled=True)


@dataclass
class Edge:
    """A CDN without tenants, which refuses what it is told to."""

    refusing: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    def tenant(self, host: str, /) -> Tenant | None:
        self._ask("tenant")
        return None

    def create(self, host: str, /) -> None:
        assert host == HOST
        self._ask("create")

    def enable(self, host: str, /) -> None:
        raise AssertionError

    def attach(self, host: str, /) -> None:
        raise AssertionError

    def request_again(self, host: str, /) -> None:
        raise AssertionError

    def remove(self, host: str, /) -> bool:
        raise AssertionError

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if what in self.refusing:
            raise EdgeRefused(f"{what} is not allowed")


@pytest.fixture
def waiting() -> TrackingDomain:
    return domain(findings=READY)


def test_a_certificate_is_requested_once_dns_is_right(waiting: TrackingDomain) -> None:
    edge = Edge()
    certificate = secure(waiting, edge, NOW).certificate
    assert (certificate.status, certificate.requested) == ("pending-validation", NOW)
    assert edge.asked == ["tenant", "create"]


def test_a_refused_request_is_made_again_after_an_hour_and_not_before(
    waiting: TrackingDomain,
) -> None:
    edge = Edge(refusing={"create"})
    refused = secure(waiting, edge, NOW)
    assert refused.certificate.problem == "create is not allowed"
    edge.refusing.clear()
    soon = secure(refused, edge, NOW + RETRY_AFTER - MINUTE)
    assert soon.certificate.status == "none"
    assert edge.asked.count("create") == 1
    later = secure(soon, edge, NOW + RETRY_AFTER)
    assert later.certificate.status == "pending-validation"


def test_a_refused_look_is_no_request_and_delays_none(waiting: TrackingDomain) -> None:
    edge = Edge(refusing={"tenant"})
    refused = secure(waiting, edge, NOW)
    assert refused.certificate.problem == "tenant is not allowed"
    assert refused.certificate.requested is None
    edge.refusing.clear()
    later = secure(replace(refused, findings=READY), edge, NOW + timedelta(minutes=5))
    assert later.certificate.status == "pending-validation"
