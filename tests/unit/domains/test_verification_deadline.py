"""A check with a deadline ends in time, and its unfinished parts change nothing.

The fake network is slow on its own clock, so the tests do not wait.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, get_args

import dns.exception
import pytest

from tests.fakes import InMemoryDomainRepository, InMemoryWorkspaceRepository
from tests.faults.fake_internet import CDN_ADDRESS, KEYRING, FakeConnection, FakeInternet
from tests.faults.fault_injector import FaultInjector
from tests.unit.domains.builders import (
    EDGE,
    HOST,
    HTTPS,
    ISSUING,
    MINUTE,
    NOW,
    TARGET,
    UNREACHABLE,
    WAITING,
    make_domain,
    make_findings,
)
from waypost.domains import state_machine
from waypost.domains.certificates import CdnTenant
from waypost.domains.checker import DomainChecker
from waypost.domains.dns import DnsResolver
from waypost.domains.events import DomainEventPublisher
from waypost.domains.http_probe import HttpProber
from waypost.domains.network import NO_DEADLINE, Deadline
from waypost.domains.status import build_domain_status, build_lights
from waypost.domains.verification import (
    MIN_CHECK_SECONDS,
    DomainVerificationService,
    VerificationRun,
)
from waypost.errors import StoreUnavailable
from waypost.models.domain_check import (
    UNSEEN_PROBE,
    CaaResult,
    CheckResult,
    DnsResult,
    HstsResult,
    ProbeResult,
)
from waypost.models.tracking_domain import (
    STACK_WORKSPACE,
    STACK_WORKSPACE_NAME,
    CnameTargets,
    DomainStage,
    TrackingDomain,
    create_domain,
)
from waypost.tokens.keyring import KeyringSource

UNFINISHED = (
    CheckResult(DnsResult("unseen"), UNSEEN_PROBE, UNSEEN_PROBE),
    make_findings(http=UNSEEN_PROBE, https=UNSEEN_PROBE),
    make_findings(http=ProbeResult("timeout"), https=UNSEEN_PROBE),
    make_findings("proxied", http=ProbeResult("ours"), hsts=HstsResult("unseen"), proof=True),
    make_findings(caa=CaaResult("unseen")),
)


class SlowInternet(FakeInternet):
    """A network with ``dns`` seconds for each query and ``web`` seconds for each connection."""

    def __init__(self, dns: float = 0, web: float = 0) -> None:
        super().__init__(FaultInjector())
        self.now, self.dns, self.web = 0.0, dns, web
        self.connected = 0

    def answer_query(self, query: Any, server: str, **options: Any) -> tuple[Any, bool]:
        timeout = options["timeout"]
        self.now += min(self.dns, timeout)
        if self.dns > timeout:
            raise dns.exception.Timeout
        return super().query_dns(query, server)

    def connect(self, address: str, port: int, seconds: float) -> FakeConnection:
        self.connected += 1
        self.now += min(self.web, seconds)
        if self.web > seconds:
            raise TimeoutError
        return super().connect(address, port, seconds)


class FixedKeyring(KeyringSource):
    def __init__(self) -> None:
        pass

    def get_keyring(self) -> Any:
        return KEYRING

    def reload_keyring(self) -> None:
        return None


@pytest.fixture
def run_check(monkeypatch: pytest.MonkeyPatch) -> Any:
    def fail_zone_lookup(*_: object, **__: object) -> None:
        raise dns.exception.DNSException

    monkeypatch.setattr("dns.resolver.zone_for_name", fail_zone_lookup)

    def run(slow: SlowInternet, seconds: float, host: str = HOST) -> CheckResult:
        monkeypatch.setattr("dns.query.udp_with_fallback", slow.answer_query)
        resolver = DnsResolver(["192.0.2.53"])
        resolver.clock = lambda: slow.now
        network: Any = slow
        prober = HttpProber(resolver, network, connect=network.connect, clock=lambda: slow.now)
        deadline = Deadline.from_now(seconds, lambda: slow.now)
        return DomainChecker(resolver, prober, FixedKeyring()).check(
            host, "f00d", (TARGET, EDGE), deadline
        )

    return run


@pytest.mark.parametrize("host", [HOST, "a.b.c.d.e.f.acme.com"])
@pytest.mark.parametrize("web", [0, 1, 4.9, 60])
@pytest.mark.parametrize("seconds_of_dns", [0, 0.5, 1, 1.9, 60])
def test_check_ends_by_its_deadline_on_a_slow_network(
    run_check: Any, seconds_of_dns: float, web: float, host: str
) -> None:
    for seconds in (0, 1, 6, 12, 20):
        slow = SlowInternet(seconds_of_dns, web)
        run_check(slow, seconds, host)
        assert slow.now <= seconds


def test_slow_dns_leaves_the_check_unfinished(run_check: Any) -> None:
    result = run_check(SlowInternet(dns=1.9), 6)
    assert (result.dns.verdict, result.http, result.https) == ("unseen", UNSEEN_PROBE, UNSEEN_PROBE)
    assert not result.is_complete


def test_probe_starts_only_if_its_full_timeout_remains(run_check: Any) -> None:
    """A shorter probe would report a slow host as silent."""
    slow = SlowInternet(web=4)
    result = run_check(slow, 8)
    assert (result.dns.verdict, result.http.outcome, result.https) == (
        "cname",
        "not_ours",
        UNSEEN_PROBE,
    )
    assert slow.connected == 1


def test_hsts_is_unseen_if_no_time_remains_for_parents(run_check: Any) -> None:
    result = run_check(SlowInternet(web=4), 12, "links.mail.acme.com")
    assert result.https.outcome == "broken"
    assert result.hsts == HstsResult("unseen")


def test_caa_is_unseen_if_no_time_remains_for_its_query(run_check: Any) -> None:
    result = run_check(SlowInternet(dns=0.6, web=4.9), 15.5)
    assert result.https.outcome == "broken"
    assert (result.caa.allows, result.is_complete) == ("unseen", False)


def test_check_with_enough_time_is_complete(run_check: Any) -> None:
    slow = SlowInternet(dns=0.1, web=0.5)
    slow.hosts_with_certificate = {HOST}
    result = run_check(slow, 20)
    assert (result.http.outcome, result.https.outcome, result.is_complete) == ("ours", "ours", True)
    assert result.dns.addresses == (CDN_ADDRESS,)


@pytest.mark.parametrize("findings", UNFINISHED)
@pytest.mark.parametrize("stage", get_args(DomainStage))
@pytest.mark.parametrize("failures", [0, 1])
def test_unfinished_check_changes_only_the_due_time(
    stage: DomainStage, failures: int, findings: CheckResult
) -> None:
    """After a failure the due time stays, so that the two checks are five minutes apart."""
    before = make_domain(
        stage=stage, failures=failures, findings=HTTPS, checked=NOW, due=NOW + MINUTE
    )
    assert not state_machine.is_regression(before, findings)
    after = state_machine.apply_check_result(before, findings, NOW)
    assert after == (before if failures else replace(before, due=NOW))


def test_unfinished_check_does_not_release_a_removed_domain() -> None:
    removed = make_domain(use="removed", failures=1)
    assert state_machine.apply_removal_check(removed, DnsResult("unseen"), NOW).failures == 1


@pytest.mark.parametrize("findings", UNFINISHED)
def test_unfinished_check_shows_no_red_light_and_asks_for_no_action(
    findings: CheckResult,
) -> None:
    domain = make_domain(findings=findings)
    lights = build_lights(domain, TARGET)
    assert any("not checked yet" in light.found for light in lights.values())
    assert "red" not in {light.colour for light in lights.values()}
    assert "schedule" in build_domain_status(domain, TARGET).next_step


@dataclass
class FakeDomainChecker:
    """A checker that returns fixed results by host, each after ``seconds``."""

    results: dict[str, CheckResult]
    seconds: float = 0
    now: float = 0
    calls: list[str] = field(default_factory=list)

    def check(self, host: str, _proof: str, _targets: object, _until: Deadline) -> CheckResult:
        self.calls.append(host)
        self.now += self.seconds
        return self.results[host]

    def check_dns(self, host: str, _proof: str, _targets: object, _until: Deadline) -> DnsResult:
        self.now += self.seconds
        return self.results[host].dns


@dataclass
class FakeSesAndCdn:
    """SES and CloudFront that record the calls they receive."""

    calls: list[str] = field(default_factory=list)

    def get_verification(self, _domain: str) -> bool:
        self.calls.append("ses")
        return True

    def get_tenant(self, _host: str, /) -> CdnTenant:
        self.calls.append("edge")
        return CdnTenant("pending-validation", is_attached=False, is_enabled=True)


@dataclass
class VerificationFixture:
    """A verification service with a fake checker, a store, SES and a CDN."""

    checker: FakeDomainChecker
    store: InMemoryDomainRepository = field(default_factory=InMemoryDomainRepository)
    services: FakeSesAndCdn = field(default_factory=FakeSesAndCdn)

    def verify(self, seconds: float = 20) -> TrackingDomain:
        domain = self.build_service().verify_domain(
            make_domain().workspace, HOST, self.build_deadline(seconds)
        )
        assert domain is not None
        return domain

    def run_schedule(self, seconds: float) -> VerificationRun:
        return self.build_service().verify_due_domains(10, self.build_deadline(seconds))

    def build_service(self) -> DomainVerificationService:
        checker: Any = self.checker
        services: Any = self.services
        return DomainVerificationService(
            self.store,
            InMemoryWorkspaceRepository(),
            checker,
            services,
            services,
            DomainEventPublisher(),
            CnameTargets(EDGE, TARGET),
            lambda: NOW,
        )

    def build_deadline(self, seconds: float) -> Deadline:
        return Deadline.from_now(seconds, lambda: self.checker.now)

    def load_domain(self) -> TrackingDomain:
        domain = self.store.get(make_domain().workspace, HOST)
        assert domain is not None
        return domain


@pytest.mark.parametrize("findings", UNFINISHED)
@pytest.mark.parametrize("earlier", [None, HTTPS, WAITING])
def test_unfinished_check_is_returned_but_the_earlier_result_stays_stored(
    findings: CheckResult, earlier: CheckResult | None
) -> None:
    fixture = VerificationFixture(FakeDomainChecker({HOST: findings}))
    before = make_domain(findings=earlier, due=NOW + MINUTE, sending=make_domain().sending)
    fixture.store.add(before)
    assert fixture.verify().findings == findings
    assert fixture.load_domain() == replace(before, due=NOW, version=1)
    assert fixture.services.calls == []


@pytest.mark.parametrize("seconds", [0, 20])
def test_removed_domain_is_not_released_by_a_check_without_time(seconds: float) -> None:
    """A second check without a result, or without time to act, releases nothing."""
    result = UNFINISHED[0] if not seconds else WAITING
    fixture = VerificationFixture(FakeDomainChecker({HOST: result}, seconds=seconds))
    fixture.store.add(make_domain(use="removed", failures=1))
    assert fixture.verify().use == "removed"
    assert fixture.load_domain().failures == (2 if seconds else 1)


def build_default_domain() -> TrackingDomain:
    fresh = create_domain(STACK_WORKSPACE, STACK_WORKSPACE_NAME, TARGET, TARGET, "f00d", NOW)
    return replace(fresh, stage="https", findings=HTTPS)


def test_failure_is_not_counted_if_the_default_host_check_is_unfinished() -> None:
    fixture = VerificationFixture(FakeDomainChecker({HOST: UNREACHABLE, TARGET: UNFINISHED[0]}))
    fixture.store.add(build_default_domain())
    before = make_domain(stage="https", findings=HTTPS, due=NOW + MINUTE)
    fixture.store.add(before)
    assert fixture.verify().findings == UNREACHABLE
    assert fixture.load_domain() == replace(before, due=NOW, version=1)
    assert fixture.checker.calls == [HOST, TARGET]


def test_check_raises_if_the_default_host_fails_too() -> None:
    fixture = VerificationFixture(FakeDomainChecker({HOST: UNREACHABLE, TARGET: UNREACHABLE}))
    fixture.store.add(build_default_domain())
    fixture.store.add(make_domain(stage="https", findings=HTTPS))
    with pytest.raises(StoreUnavailable, match="neither"):
        fixture.verify()


def test_ses_and_cdn_are_skipped_without_time_and_the_domain_stays_due() -> None:
    fixture = VerificationFixture(FakeDomainChecker({HOST: ISSUING}, seconds=20))
    fixture.store.add(make_domain(sending=replace(make_domain().sending, verified=False)))
    assert fixture.verify().stage == "issuing"
    assert fixture.services.calls == []
    assert fixture.load_domain().due == NOW


def test_check_cut_short_by_the_end_of_a_run_is_due_for_the_next_run() -> None:
    fixture = VerificationFixture(FakeDomainChecker({HOST: ISSUING}, seconds=MIN_CHECK_SECONDS))
    fixture.store.add(
        make_domain(due=NOW - MINUTE, sending=replace(make_domain().sending, verified=False))
    )
    assert fixture.run_schedule(MIN_CHECK_SECONDS) == VerificationRun(
        checked_count=1, skipped_count=0, failures=()
    )
    assert fixture.services.calls == []
    assert fixture.load_domain().due <= NOW
    assert fixture.run_schedule(2 * MIN_CHECK_SECONDS) == VerificationRun(
        checked_count=1, skipped_count=0, failures=()
    )
    assert fixture.services.calls == ["ses", "edge"]
    assert fixture.load_domain().due > NOW


def test_ses_and_cdn_are_asked_if_time_remains() -> None:
    fixture = VerificationFixture(FakeDomainChecker({HOST: ISSUING}, seconds=10))
    fixture.store.add(make_domain(sending=replace(make_domain().sending, verified=False)))
    fixture.verify()
    assert fixture.services.calls == ["ses", "edge"]
    assert fixture.load_domain().due > NOW


def test_check_without_a_deadline_never_expires() -> None:
    assert NO_DEADLINE.get_remaining_seconds() > 1e9
    assert not NO_DEADLINE.is_expired
