"""Tracking domains from the first DNS record to removal, over real sockets.

The CDN is a fake that behaves as CloudFront does: a host answers no request, HTTP included, until
its certificate is attached.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.e2e.domains.conftest import (
    DEFAULT_HOST,
    EDGE_ADDRESS,
    ENDPOINT,
    HOST,
    PROXY_ADDRESS,
    DomainFixture,
)
from tests.e2e.domains.fake_services import FakeCdn, FakeSenderIdentities, RecordingEventPublisher
from tests.e2e.domains.internet import build_response, respond_to_probe
from tests.fakes import InMemoryDomainRepository, InMemoryWorkspaceRepository
from waypost.domains.base_url import DomainBaseUrlResolver
from waypost.domains.certificates import CdnTenant
from waypost.domains.network import NO_DEADLINE, Deadline
from waypost.domains.schemas import AddDomainRequest, ChangeDomainRequest, ConfirmSendingRequest
from waypost.domains.service import DomainService
from waypost.domains.verification import MIN_CHECK_SECONDS, DomainVerificationService
from waypost.errors import HostnameInUse, StoreUnavailable
from waypost.ids import derive_workspace_id
from waypost.models.tracking_domain import (
    STACK_WORKSPACE,
    STACK_WORKSPACE_NAME,
    CnameTargets,
)

ACME = derive_workspace_id("acme")
ADDRESS = "https://api.example.com"
SENDER = "news@acme.com"


@dataclass
class DomainStack:
    """The domain services, DNS and CDN together, with a clock that the test moves."""

    world: DomainFixture
    cdn: FakeCdn
    event_publisher: RecordingEventPublisher = field(default_factory=RecordingEventPublisher)
    senders: FakeSenderIdentities = field(default_factory=FakeSenderIdentities)
    store: InMemoryDomainRepository = field(default_factory=InMemoryDomainRepository)
    workspaces: InMemoryWorkspaceRepository = field(default_factory=InMemoryWorkspaceRepository)
    now: datetime = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)

    def __post_init__(self) -> None:
        targets = CnameTargets(ENDPOINT, DEFAULT_HOST)
        self.service = DomainService(
            self.store, self.workspaces, targets, self.event_publisher, lambda: self.now
        )
        self.verifier = DomainVerificationService(
            self.store,
            self.workspaces,
            self.world.checker,
            self.cdn,
            self.senders,
            self.event_publisher,
            targets,
            lambda: self.now,
        )
        self.base_urls = DomainBaseUrlResolver(self.store, ADDRESS, DEFAULT_HOST)

    def add_domain(self) -> None:
        self.service.add_domain("acme", AddDomainRequest(host=HOST))

    def check_domain(self, minutes: int = 5) -> str:
        """Advance the clock, check the domain and return its stage."""
        self.now += timedelta(minutes=minutes)
        checked = self.verifier.verify_domain(ACME, HOST)
        return checked.stage if checked else "gone"

    def get_light(self, name: str) -> dict[str, Any]:
        return self.service.get_domain("acme", HOST).lights[name].model_dump()

    def resolve_url(self) -> str:
        return self.base_urls.resolve_base(ACME, SENDER).url

    def set_up_https(self) -> DomainStack:
        """Add a domain and bring it to HTTPS."""
        self.add_domain()
        self.world.add_cname()
        self.check_domain()
        self.cdn.set_certificate_status(HOST)
        self.check_domain()
        assert self.check_domain() == "https"
        return self


@pytest.fixture
def stack(world: DomainFixture) -> Iterator[DomainStack]:
    return DomainStack(world, FakeCdn(world))  # type: ignore[return-value]


def test_expected_cname_leads_to_https_without_further_action(stack: DomainStack) -> None:
    stack.add_domain()
    assert stack.check_domain() == "waiting"
    assert (
        stack.get_light("dns")["next_step"]
        == f"Add at your DNS provider: {HOST} CNAME {DEFAULT_HOST}."
    )
    assert stack.cdn.calls == []

    stack.world.add_cname()
    assert stack.check_domain() == "issuing"
    assert stack.get_light("dns")["colour"] == "green"
    assert stack.get_light("https")["found"] == "a certificate in progress"
    assert stack.cdn.calls == ["create"]
    assert stack.resolve_url() == ADDRESS

    assert stack.check_domain() == "issuing"
    assert stack.cdn.calls == ["create"]

    stack.cdn.set_certificate_status(HOST)
    assert stack.check_domain() == "issuing"
    assert stack.cdn.calls == ["create", "attach"]
    assert stack.resolve_url() == ADDRESS  # unused until a probe succeeds

    assert stack.check_domain() == "https"
    assert stack.get_light("https")["colour"] == "green"
    assert stack.service.get_domain("acme", HOST).next_step == ""
    assert stack.resolve_url() == f"https://{HOST}"
    assert stack.event_publisher.changes == [
        ("unverified", "verified"),
        ("waiting", "issuing"),
        ("issuing", "https"),
    ]


def test_no_certificate_is_requested_while_dns_is_unsettled(stack: DomainStack) -> None:
    stack.add_domain()
    stack.world.add_cname()
    stack.world.nameservers[0].add_record(HOST, "CNAME", "old.acme.com")
    assert stack.check_domain() == "issuing"
    assert stack.cdn.calls == []
    assert stack.get_light("https")["found"] == "DNS is still changing"
    stack.world.nameservers[0].add_record(HOST, "CNAME", DEFAULT_HOST)
    stack.check_domain()
    assert stack.cdn.calls == ["create"]


def test_caa_that_forbids_amazon_is_shown_and_no_certificate_is_requested(
    stack: DomainStack,
) -> None:
    stack.add_domain()
    stack.world.add_cname()
    stack.world.dns.add_record("acme.com", "CAA", '0 issue "letsencrypt.org"')
    assert stack.check_domain() == "issuing"
    assert stack.cdn.calls == []
    light = stack.get_light("https")
    assert light["found"] == "CAA at acme.com allows letsencrypt.org"
    assert light["next_step"] == 'Add at your DNS provider: acme.com CAA 0 issue "amazon.com".'


def test_cdn_rejection_of_a_host_is_shown_and_retried_after_an_hour(stack: DomainStack) -> None:
    stack.add_domain()
    stack.world.add_cname()
    stack.cdn.rejection = "another CloudFront distribution has this host; take it off there"
    stack.check_domain()
    assert stack.get_light("https")["next_step"] == stack.cdn.rejection
    stack.check_domain()
    assert stack.cdn.calls == ["create"]
    stack.cdn.rejection = None
    stack.check_domain(minutes=60)
    assert stack.cdn.calls == ["create", "create"]
    assert stack.get_light("https")["found"] == "a certificate in progress"


def test_failed_certificate_is_requested_again_after_an_hour(stack: DomainStack) -> None:
    stack.add_domain()
    stack.world.add_cname()
    stack.check_domain()
    stack.cdn.set_certificate_status(HOST, "validation-timed-out")
    stack.check_domain()
    assert stack.get_light("https")["found"] == "the certificate is validation-timed-out"
    assert stack.cdn.calls == ["create"]
    stack.check_domain(minutes=60)
    assert stack.cdn.calls == ["create", "request_again"]


def test_tenant_without_a_certificate_request_gets_one_after_an_hour(stack: DomainStack) -> None:
    """A tenant created by hand has no request, and CloudFront can lose one."""
    stack.add_domain()
    stack.world.add_cname()
    stack.check_domain()
    stack.cdn.set_certificate_status(HOST, "none")
    stack.check_domain()
    assert stack.cdn.calls == ["create"]  # the first request may not be visible yet
    stack.check_domain(minutes=60)
    assert stack.cdn.calls == ["create", "request_again"]


def test_domain_behind_the_customers_proxy_gets_http_then_https(stack: DomainStack) -> None:
    stack.add_domain()
    proof = stack.store.list_by_workspace(ACME)[0].proof
    stack.world.dns.add_record(HOST, "A", PROXY_ADDRESS)
    stack.world.dns.add_record(f"_waypost.{HOST}", "TXT", f'"waypost={proof}"')
    assert stack.check_domain() == "waiting"
    assert stack.get_light("http")["colour"] == "red"
    assert (
        stack.get_light("http")["next_step"]
        == "Check that your proxy is up and listens on this port."
    )

    stack.world.internet.serve(PROXY_ADDRESS, 80, respond_to_probe)
    assert stack.check_domain() == "http"
    assert stack.resolve_url() == f"http://{HOST}"

    stack.world.serve_https(PROXY_ADDRESS)
    assert stack.check_domain() == "https"
    assert stack.resolve_url() == f"https://{HOST}"
    assert stack.cdn.calls == []


def test_hsts_without_https_is_red_and_messages_use_the_default_address(stack: DomainStack) -> None:
    stack.add_domain()
    proof = stack.store.list_by_workspace(ACME)[0].proof
    world = stack.world
    world.dns.add_record(HOST, "A", PROXY_ADDRESS)
    world.dns.add_record(f"_waypost.{HOST}", "TXT", f'"waypost={proof}"')
    world.internet.serve(PROXY_ADDRESS, 80, respond_to_probe)
    world.dns.add_record("acme.com", "A", "93.184.215.50")
    world.internet.serve(
        "93.184.215.50",
        443,
        lambda _: build_response(
            "200 OK", Strict_Transport_Security="max-age=600; includeSubDomains"
        ),
        world.issue_certificate("acme.com"),
    )
    assert stack.check_domain() == "blocked"
    light = stack.get_light("http")
    assert (light["colour"], light["found"]) == (
        "red",
        "an HSTS policy of acme.com for its subdomains",
    )
    assert stack.resolve_url() == ADDRESS

    world.serve_https(PROXY_ADDRESS)
    assert stack.check_domain() == "https"


def test_working_domain_falls_back_after_two_failed_checks_and_recovers_after_one(
    stack: DomainStack,
) -> None:
    stack.set_up_https()
    for zones in (stack.world.dns, *stack.world.nameservers):
        del zones.records[HOST, "CNAME"]
    assert stack.check_domain() == "https"
    assert stack.resolve_url() == f"https://{HOST}"
    assert stack.check_domain() == "fallen_back"
    assert stack.resolve_url() == ADDRESS
    stack.world.add_cname()
    assert stack.check_domain() == "https"
    assert stack.resolve_url() == f"https://{HOST}"
    assert stack.event_publisher.changes[-2:] == [
        ("https", "fallen_back"),
        ("fallen_back", "https"),
    ]


def test_working_domain_falls_back_when_its_certificate_expires(stack: DomainStack) -> None:
    stack.set_up_https()
    now = datetime.now(UTC)
    expired = stack.world.issue_certificate(
        HOST, not_before=now - timedelta(days=90), not_after=now - timedelta(days=1)
    )
    stack.world.internet.serve(EDGE_ADDRESS, 443, respond_to_probe, expired)
    stack.world.internet.close_at(EDGE_ADDRESS, 80)
    stack.check_domain()
    assert stack.check_domain() == "fallen_back"
    assert stack.get_light("https")["found"] == (
        "a certificate, and a certificate that has expired (certificate has expired)"
    )


def test_revert_and_its_undo_take_effect_without_a_check(stack: DomainStack) -> None:
    stack.set_up_https()
    status = stack.service.change_domain("acme", HOST, ChangeDomainRequest(reverted=True))
    assert status.base_url is None
    assert stack.resolve_url() == ADDRESS
    assert stack.check_domain() == "https"  # checks go on for the links already sent
    assert stack.resolve_url() == ADDRESS
    stack.service.change_domain("acme", HOST, ChangeDomainRequest(reverted=False))
    assert stack.resolve_url() == f"https://{HOST}"
    assert stack.event_publisher.changes[-2:] == [("on", "reverted"), ("reverted", "on")]


def test_working_domain_is_unused_while_its_sending_domain_is_unverified(
    stack: DomainStack,
) -> None:
    stack.senders.verified_domains = {}
    stack.set_up_https()
    assert stack.get_light("sending")["colour"] == "red"
    assert stack.resolve_url() == ADDRESS
    stack.service.confirm_sending("acme", HOST, ConfirmSendingRequest(sending_verified=True))
    assert stack.resolve_url() == f"https://{HOST}"
    assert stack.get_light("sending")["found"] == "marked by the operator"
    stack.check_domain()
    assert stack.resolve_url() == f"https://{HOST}"


def test_host_for_a_foreign_sender_is_unused_until_its_proof_is_seen(
    stack: DomainStack,
) -> None:
    stack.senders.verified_domains = {"globex.example": True}
    stack.service.add_domain("acme", AddDomainRequest(host=HOST, sending_domain="globex.example"))
    stack.world.add_cname()
    stack.check_domain()
    stack.cdn.set_certificate_status(HOST)
    stack.check_domain()
    assert stack.check_domain() == "https"
    assert stack.base_urls.resolve_base(ACME, "x@globex.example").url == ADDRESS
    assert stack.get_light("sending")["colour"] == "red"
    assert f"_waypost.{HOST} TXT" in stack.get_light("sending")["next_step"]

    proof = stack.service.get_domain("acme", HOST).records[1]
    stack.world.dns.add_record(proof.name, "TXT", f'"{proof.value}"')
    stack.check_domain()
    assert stack.base_urls.resolve_base(ACME, "x@globex.example").url == f"https://{HOST}"
    del stack.world.dns.records[proof.name, "TXT"]
    stack.check_domain()
    assert stack.base_urls.resolve_base(ACME, "x@globex.example").url == f"https://{HOST}"


def test_domain_is_unused_within_a_day_of_losing_sender_verification(stack: DomainStack) -> None:
    stack.set_up_https()
    stack.senders.verified_domains = {"acme.com": False}
    stack.check_domain()
    assert stack.resolve_url() == f"https://{HOST}"
    stack.check_domain(minutes=24 * 60)
    assert stack.resolve_url() == ADDRESS
    assert stack.event_publisher.changes[-1] == ("verified", "unverified")


def test_removed_domain_is_unused_at_once_and_served_until_its_dns_record_is_gone(
    stack: DomainStack,
) -> None:
    stack.set_up_https()
    stack.service.remove_domain("acme", HOST)
    assert stack.resolve_url() == ADDRESS
    for _ in range(3):
        stack.check_domain()
    assert stack.cdn.tenants[HOST].is_enabled
    assert stack.world.check_host().https.outcome == "ours"

    for zones in (stack.world.dns, *stack.world.nameservers):
        del zones.records[HOST, "CNAME"]
    stack.check_domain()
    assert stack.cdn.tenants[HOST].is_enabled
    stack.check_domain()
    assert not stack.cdn.tenants[HOST].is_enabled
    assert stack.check_domain() == "gone"
    assert stack.cdn.calls[-2:] == ["disable", "delete"]
    assert stack.store.get_by_host(HOST) is None


def test_removed_domain_that_was_never_served_is_deleted_by_the_next_check(
    stack: DomainStack,
) -> None:
    stack.add_domain()
    stack.service.remove_domain("acme", HOST)
    assert stack.check_domain() == "gone"
    stack.add_domain()


def test_removed_domain_served_by_another_distribution_is_deleted(stack: DomainStack) -> None:
    """For example, another stack of the same account serves the host."""
    stack.add_domain()

    def raise_in_use(_host: str) -> CdnTenant:
        raise HostnameInUse("another CloudFront distribution has this host")

    stack.cdn.get_tenant = raise_in_use  # type: ignore[method-assign]
    stack.world.add_cname()
    stack.check_domain()
    assert stack.get_light("https")["next_step"].startswith("another CloudFront distribution")
    stack.service.remove_domain("acme", HOST)
    assert stack.check_domain() == "gone"
    assert stack.cdn.calls == []


def test_removed_domain_can_be_added_again(stack: DomainStack) -> None:
    stack.set_up_https()
    stack.service.remove_domain("acme", HOST)
    assert stack.service.get_domain("acme", HOST).use == "removed"
    stack.add_domain()
    assert stack.resolve_url() == f"https://{HOST}"


def test_domain_added_again_while_its_tenant_is_disabled_is_enabled(stack: DomainStack) -> None:
    stack.set_up_https()
    stack.service.remove_domain("acme", HOST)
    stack.cdn.remove_tenant(HOST)
    stack.world.internet.close_at(EDGE_ADDRESS, 443)
    stack.world.internet.close_at(EDGE_ADDRESS, 80)
    stack.add_domain()
    stack.check_domain()
    assert stack.cdn.calls[-1] == "enable"


def test_check_does_not_overwrite_a_concurrent_change_of_the_domain(stack: DomainStack) -> None:
    stack.set_up_https()
    checker = stack.world.checker

    class ConcurrentChecker:
        check_dns = checker.check_dns

        def check(self, *args: Any) -> Any:
            stack.service.change_domain("acme", HOST, ChangeDomainRequest(reverted=True))
            return checker.check(*args)

    object.__setattr__(stack.verifier, "checker", ConcurrentChecker())
    assert stack.check_domain() == "https"
    assert stack.resolve_url() == ADDRESS


def test_concurrent_checks_count_one_failure(stack: DomainStack) -> None:
    """A scheduled check and an on-demand check run at the same time."""
    stack.set_up_https()
    stack.world.internet.close_at(EDGE_ADDRESS, 443)
    stack.world.internet.close_at(EDGE_ADDRESS, 80)
    checker, verifier = stack.world.checker, stack.verifier

    class ConcurrentChecker:
        check_dns = checker.check_dns

        def check(self, *args: Any) -> Any:
            object.__setattr__(verifier, "checker", checker)
            stack.now += timedelta(seconds=3)
            assert verifier.verify_domain(ACME, HOST)
            return checker.check(*args)

    object.__setattr__(verifier, "checker", ConcurrentChecker())
    assert stack.check_domain() == "https"
    assert stack.service.get_domain("acme", HOST).failures == 1
    assert stack.check_domain() == "fallen_back"


def test_default_host_gets_https_as_other_domains_and_never_falls_back(stack: DomainStack) -> None:
    stack.service.ensure_default_host()
    stack.service.ensure_default_host()

    def check_domain() -> str:
        stack.now += timedelta(minutes=5)
        checked = stack.verifier.verify_domain(STACK_WORKSPACE, DEFAULT_HOST)
        assert checked is not None
        return checked.stage

    assert check_domain() == "issuing"
    stack.cdn.set_certificate_status(DEFAULT_HOST)
    check_domain()
    assert stack.resolve_url() == ADDRESS
    assert check_domain() == "https"
    assert stack.resolve_url() == f"https://{DEFAULT_HOST}"
    stack.world.internet.close_at(EDGE_ADDRESS, 443)
    check_domain()
    check_domain()
    assert stack.resolve_url() == f"https://{DEFAULT_HOST}"
    (status,) = stack.service.list_domains(STACK_WORKSPACE_NAME).domains
    assert status.lights.keys() == {"dns", "http", "https"}


def test_scheduled_run_checks_other_due_domains_after_one_check_fails(stack: DomainStack) -> None:
    stack.add_domain()
    stack.service.add_domain("acme", AddDomainRequest(host="broken.acme.com"))
    stack.service.add_domain("acme", AddDomainRequest(host="later.acme.com"))
    checker = stack.world.checker

    class FailingChecker:
        check_dns = checker.check_dns

        def check(self, host: str, *args: Any) -> Any:
            if host == "broken.acme.com":
                raise RuntimeError("out of order")
            return checker.check(host, *args)

    object.__setattr__(stack.verifier, "checker", FailingChecker())
    run = stack.verifier.verify_due_domains(10, NO_DEADLINE)
    assert (run.checked_count, run.skipped_count) == (3, 0)
    assert run.failures == ("broken.acme.com: RuntimeError: out of order",)
    assert stack.store.list_due(stack.now, 10) == [(ACME, "broken.acme.com")]


def test_check_result_is_saved_although_the_cdn_is_unavailable(
    stack: DomainStack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.set_up_https()
    stack.world.internet.close()

    def raise_unavailable(_host: str) -> None:
        raise StoreUnavailable("CloudFront: Throttling")

    stack.cdn.get_tenant = raise_unavailable  # type: ignore[method-assign]
    stack.check_domain()
    assert stack.check_domain() == "fallen_back"
    assert '"DomainCheckBroke":1,"reason":"edge"' in capsys.readouterr().out


def test_sender_verification_is_unchanged_while_ses_is_unavailable(stack: DomainStack) -> None:
    stack.set_up_https()

    def raise_unavailable(_domain: str) -> None:
        raise StoreUnavailable("SES: TooManyRequestsException")

    stack.senders.get_verification = raise_unavailable  # type: ignore[method-assign,assignment]
    stack.check_domain(minutes=48 * 60)
    assert stack.resolve_url() == f"https://{HOST}"


def test_scheduled_run_starts_no_check_without_enough_time(stack: DomainStack) -> None:
    stack.add_domain()
    run = stack.verifier.verify_due_domains(10, Deadline.from_now(MIN_CHECK_SECONDS - 1))
    assert (run.checked_count, run.skipped_count) == (0, 1)
    assert stack.store.list_due(stack.now, 10) == [(ACME, HOST)]
