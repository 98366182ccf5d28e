"""Faults in each call and query of verify_domains: working domains stay usable, others are checked.

docs/faults.md lists the promises that these tests check.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from random import Random
from types import ModuleType
from typing import Any

import dns.exception
import pytest
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from tests import lambda_handlers
from tests.click_factory import NOON
from tests.faults.call_faults import CALL_FAULTS
from tests.faults.fake_cloud import FakeCloud, get_repositories
from tests.faults.fake_internet import DEFAULT_HOST, FakeInternet
from tests.faults.fault_injector import fault_schedules
from tests.faults.invariants import FAULT_SEED, SOAK_ROUNDS
from tests.faults.promises import find_missing_promises, list_calls
from waypost.errors import StoreError
from waypost.ids import derive_workspace_id
from waypost.models.tracking_domain import STACK_WORKSPACE, TrackingDomain, create_domain

ACME = derive_workspace_id("acme")
HOSTS = ("links.acme.com", "go.acme.com")
CONTEXT = lambda_handlers.LambdaContext()


class DomainSimulation:
    """Two domains of a workspace and the default host, checked every 15 minutes."""

    def __init__(self, cloud: FakeCloud, app: ModuleType) -> None:
        self.cloud = cloud
        self.app = app
        self.internet = FakeInternet(cloud)
        self.now = NOON

    def run(self) -> dict[str, int]:
        """Invoke the scheduled check; return its report, or nothing if it fails."""
        self.now += timedelta(minutes=15)
        try:
            report: dict[str, int] = self.app.handler({"task": "due"}, CONTEXT)
        except StoreError:
            return {}
        return report

    def issue_certificates(self) -> None:
        """Issue certificates; CloudFront serves hosts whose tenant has one attached."""
        self.cloud.tenants.issue_certificates()
        tenants = self.cloud.tenants.by_host.values()
        self.internet.hosts_with_certificate = {
            one.host for one in tenants if one.attached and one.enabled
        }

    def run_until_stable(self, runs: int = 5) -> None:
        for _ in range(runs):
            self.run()
            self.issue_certificates()

    def load_domains(self) -> dict[str, TrackingDomain]:
        with self.cloud.bypass_faults():
            store = get_repositories().domains
            domains = [*store.list_by_workspace(ACME), store.get(STACK_WORKSPACE, DEFAULT_HOST)]
            return {one.host: one for one in domains if one is not None}

    def check_stable(self) -> None:
        """Check that each domain has HTTPS and a tenant, and the workspace's are usable."""
        domains = self.load_domains()
        assert {host: one.stage for host, one in domains.items()} == dict.fromkeys(
            (*HOSTS, DEFAULT_HOST), "https"
        )
        assert all(domains[host].is_usable for host in HOSTS)
        assert set(self.cloud.tenants.by_host) == {*HOSTS, DEFAULT_HOST}


@pytest.fixture(scope="module")
def app(aws: FakeCloud) -> ModuleType:
    return lambda_handlers.load_function("verify_domains")


@contextmanager
def simulate_domains(aws: FakeCloud, app: ModuleType) -> Iterator[DomainSimulation]:
    with aws.reset(), pytest.MonkeyPatch.context() as patch:
        simulation = DomainSimulation(aws, app)
        patch.setattr("dns.query.udp_with_fallback", simulation.internet.query_dns)
        patch.setattr("dns.resolver.zone_for_name", fail_zone_lookup)
        patch.setattr("waypost.domains.http_probe.connect_tcp", simulation.internet.connect)
        patch.setattr(
            "waypost.domains.http_probe.create_browser_tls_context", lambda: simulation.internet
        )
        patch.setattr(app, "utc_now", lambda: simulation.now)
        patch.setattr(
            "waypost.domains.verification.MAX_CONCURRENT_CHECKS", 1
        )  # the seed decides the order
        with aws.bypass_faults():
            store = get_repositories().domains
            for host in HOSTS:
                store.add(create_domain(ACME, "acme", host, "acme.com", "f00d", NOON))
        app.get_verification_service.cache_clear()
        yield simulation


def fail_zone_lookup(*_: object, **__: object) -> None:
    """Fail the lookup of a zone's name servers: tests/e2e/domains tests it."""
    raise dns.exception.DNSException


@pytest.fixture(scope="module")
def healthy_calls(aws: FakeCloud, app: ModuleType) -> Counter[str]:
    """Count the calls without faults, until all domains have HTTPS, of a check on request, and of
    the quota report.
    """
    with simulate_domains(aws, app) as simulation:
        simulation.run_until_stable()
        simulation.check_stable()
        request_check(app)
        app.handler({"task": "quotas"}, CONTEXT)
        return Counter(aws.calls)


def test_every_call_has_its_promise(healthy_calls: Counter[str]) -> None:
    assert find_missing_promises("verify_domains", healthy_calls) == set()


@pytest.mark.parametrize(
    "call", list_calls("verify_domains", "test_domains_get_https_once_faults_end")
)
def test_domains_get_https_once_faults_end(
    aws: FakeCloud, app: ModuleType, healthy_calls: Counter[str], call: str
) -> None:
    for fault in CALL_FAULTS if SOAK_ROUNDS > 1 else Random(call).sample(CALL_FAULTS, 2):
        for after, times in fault_schedules(min(healthy_calls[call], 4)):
            with simulate_domains(aws, app) as simulation:
                aws.plan_fault(call, fault, after=after, times=times)
                simulation.run_until_stable(2)
                for host, domain in simulation.load_domains().items():
                    assert (
                        domain.stage != "https"
                        or host in simulation.internet.hosts_with_certificate
                    ), fault
                    assert domain.stage != "https" or call != "HTTPS" or after or times == 1, fault
                aws.clear_faults()
                simulation.run_until_stable()
                simulation.check_stable()


@pytest.mark.parametrize(
    "call", list_calls("verify_domains", "test_working_domains_stay_usable_on_any_fault")
)
def test_working_domains_stay_usable_on_any_fault(
    aws: FakeCloud, app: ModuleType, call: str
) -> None:
    with simulate_domains(aws, app) as simulation:
        simulation.run_until_stable()
        for fault in CALL_FAULTS:
            app.get_verification_service.cache_clear()
            simulation.now += timedelta(days=1)  # the sending domain is due again
            aws.plan_fault(call, fault)
            simulation.run_until_stable(2)
            answer = request_check(app)
            assert answer["statusCode"] in (200, 503), fault
            assert answer["statusCode"] == 200 or json.loads(answer["body"])["detail"], fault
            simulation.check_stable()
            aws.clear_faults()


def request_check(app: ModuleType) -> dict[str, Any]:
    """Request a check through the API."""
    route = "POST /v1/workspaces/{workspace}/domains/{host}/verify"
    event = lambda_handlers.build_api_event(route, {"workspace": "acme", "host": HOSTS[0]})
    answer: dict[str, Any] = app.handler(event, CONTEXT)
    return answer


@pytest.mark.parametrize("fault", CALL_FAULTS)
def test_other_domains_are_checked_if_one_cannot_be_saved(
    aws: FakeCloud, app: ModuleType, fault: str
) -> None:
    with simulate_domains(aws, app) as simulation:
        simulation.run()
        before = simulation.load_domains()
        times = 1 if fault == "denied" else 4  # the SDK does not retry a refusal
        aws.plan_fault("TransactWriteItems of domain, claim", fault, times=times)
        simulation.run()
        changed_hosts = [
            host for host, one in simulation.load_domains().items() if one != before[host]
        ]
        assert len(changed_hosts) >= 2


@pytest.mark.parametrize("fault", CALL_FAULTS)
@pytest.mark.parametrize(
    "call", list_calls("verify_domains", "test_no_quota_usage_is_reported_if_a_call_fails")
)
def test_no_quota_usage_is_reported_if_a_call_fails(
    aws: FakeCloud, app: ModuleType, capsys: pytest.CaptureFixture[str], call: str, fault: str
) -> None:
    with aws.reset():
        aws.plan_fault(call, fault)
        with pytest.raises((BotoCoreError, ClientError, ResponseParserError)):
            app.handler({"task": "quotas"}, CONTEXT)
    assert "QuotaPercent" not in capsys.readouterr().out


def test_domains_get_https_after_random_faults(aws: FakeCloud, app: ModuleType) -> None:
    random = Random(FAULT_SEED)
    with simulate_domains(aws, app) as simulation:
        for _ in range(12 * SOAK_ROUNDS):
            aws.inject_at_random(random, 0.1)
            simulation.run_until_stable(1)
            for host, domain in simulation.load_domains().items():
                assert domain.stage != "https" or host in simulation.internet.hosts_with_certificate
        assert len(aws.fault_counts) > len(CALL_FAULTS) / 2
        aws.clear_faults()
        simulation.run_until_stable()
        simulation.check_stable()
