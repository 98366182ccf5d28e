"""Each call and each question of the check of tracking domains, gone wrong in each way: the domain
stays as it was, or what was seen explains itself; the others are checked all the same.

docs/faults.md lists the promises, and is what is run here.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class LambdaContextWithTime(lambda_handlers.LambdaContext):
    def get_remaining_time_in_millis(self) -> int:
        return 300_000


class DomainSimulation:
    """Two domains of a workspace and the stack's own, checked every quarter of an hour."""

    def __init__(self, cloud: FakeCloud, app: ModuleType) -> None:
        self.cloud = cloud
        self.app = app
        self.internet = FakeInternet(cloud)
        self.now = NOON

    def run(self) -> dict[str, int]:
        """A scheduled run, as Lambda would make it; what it says of itself."""
        self.now += timedelta(minutes=15)
        try:
            told: dict[str, int] = self.app.handler({"task": "due"}, LambdaContextWithTime())
        except StoreError:
            return {}
        return told

    def issue_certificates(self) -> None:
        """The authority does its part, and CloudFront serves who has a certificate attached."""
        self.cloud.tenants.issue_certificates()
        tenants = self.cloud.tenants.by_host.values()
        self.internet.hosts_with_certificate = {
            one.host for one in tenants if one.attached and one.enabled
        }

    def run_until_stable(self, runs: int = 5) -> None:
        for _ in range(runs):
            self.run()
            self.issue_certificates()

    def domains(self) -> dict[str, TrackingDomain]:
        with self.cloud.bypass_faults():
            store = get_repositories().domains
            found = [*store.list_by_workspace(ACME), store.get(STACK_WORKSPACE, DEFAULT_HOST)]
            return {one.host: one for one in found if one is not None}

    def check_stable(self) -> None:
        """Every domain has HTTPS, the customer's are usable, and each host has one tenant."""
        found = self.domains()
        assert {host: one.stage for host, one in found.items()} == dict.fromkeys(
            (*HOSTS, DEFAULT_HOST), "https"
        )
        assert all(found[host].is_usable for host in HOSTS)
        assert set(self.cloud.tenants.by_host) == {*HOSTS, DEFAULT_HOST}


@pytest.fixture(scope="module")
def app(aws: FakeCloud) -> ModuleType:
    return lambda_handlers.load_function("verify_domains")


@contextmanager
def worlds(aws: FakeCloud, app: ModuleType) -> Iterator[DomainSimulation]:
    with aws.reset(), pytest.MonkeyPatch.context() as patch:
        world = DomainSimulation(aws, app)
        patch.setattr("dns.query.udp_with_fallback", world.internet.query_dns)
        patch.setattr("dns.resolver.zone_for_name", no_zone)
        patch.setattr("waypost.domains.http_probe.connect_tcp", world.internet.connect)
        patch.setattr(
            "waypost.domains.http_probe.create_browser_tls_context", lambda: world.internet
        )
        patch.setattr(app, "utc_now", lambda: world.now)
        patch.setattr(
            "waypost.domains.verification.MAX_CONCURRENT_CHECKS", 1
        )  # by a seed, the same way
        with aws.bypass_faults():
            store = get_repositories().domains
            for host in HOSTS:
                store.add(create_domain(ACME, "acme", host, "acme.com", "f00d", NOON))
        app.get_verification_service.cache_clear()
        yield world


def no_zone(*_: object, **__: object) -> None:
    """Name servers of zones are asked in tests/e2e/domains; here they are not known."""
    raise dns.exception.DNSException


@pytest.fixture(scope="module")
def healthy(aws: FakeCloud, app: ModuleType) -> Counter[str]:
    """How often a way from nothing to HTTPS makes each call, quotas and a removal included."""
    with worlds(aws, app) as world:
        world.run_until_stable()
        world.check_stable()
        app.handler({"task": "quotas"}, LambdaContextWithTime())
        return Counter(aws.calls)


def test_every_call_has_its_promise(healthy: Counter[str]) -> None:
    assert find_missing_promises("verify_domains", healthy) == set()


@pytest.mark.parametrize("call", list_calls("verify_domains", "test_domains_get_https_once_faults_end"))
def test_domains_get_https_once_faults_end(
    aws: FakeCloud, app: ModuleType, healthy: Counter[str], call: str
) -> None:
    for way in CALL_FAULTS if SOAK_ROUNDS > 1 else Random(call).sample(CALL_FAULTS, 2):
        for after, times in fault_schedules(min(healthy[call], 4)):
            with worlds(aws, app) as world:
                aws.plan_fault(call, way, after=after, times=times)
                world.run_until_stable(2)
                for host, domain in world.domains().items():
                    assert (
                        domain.stage != "https" or host in world.internet.hosts_with_certificate
                    ), way
                    assert domain.stage != "https" or call != "HTTPS" or after or times == 1, way
                aws.clear_faults()
                world.run_until_stable()
                world.check_stable()


@pytest.mark.parametrize("call", list_calls("verify_domains", "test_working_domains_stay_usable_on_any_fault"))
def test_working_domains_stay_usable_on_any_fault(aws: FakeCloud, app: ModuleType, call: str) -> None:
    with worlds(aws, app) as world:
        world.run_until_stable()
        for way in CALL_FAULTS:
            app.get_verification_service.cache_clear()
            world.now += timedelta(days=1)  # the sending domain is looked up again
            aws.plan_fault(call, way)
            world.run_until_stable(2)
            answer = verify(app)
            assert answer["statusCode"] in (200, 503), way
            assert answer["statusCode"] == 200 or json.loads(answer["body"])["detail"], way
            world.check_stable()
            aws.clear_faults()


def verify(app: ModuleType) -> dict[str, Any]:
    """A check that a customer asks for."""
    route = "POST /v1/workspaces/{workspace}/domains/{host}/verify"
    event = lambda_handlers.build_api_event(route, {"workspace": "acme", "host": HOSTS[0]})
    answer: dict[str, Any] = app.handler(event, LambdaContextWithTime())
    return answer


@pytest.mark.parametrize("way", CALL_FAULTS)
def test_other_domains_are_checked_if_one_cannot_be_saved(aws: FakeCloud, app: ModuleType, way: str) -> None:
    with worlds(aws, app) as world:
        world.run()
        before = world.domains()
        times = 1 if way == "denied" else 4  # a refusal is not tried again
        aws.plan_fault("TransactWriteItems of domain, claim", way, times=times)
        world.run()
        checked = [host for host, one in world.domains().items() if one != before[host]]
        assert len(checked) >= 2


@pytest.mark.parametrize("way", CALL_FAULTS)
@pytest.mark.parametrize("call", list_calls("verify_domains", "test_no_quota_usage_is_reported_if_a_call_fails"))
def test_no_quota_usage_is_reported_if_a_call_fails(
    aws: FakeCloud, app: ModuleType, capsys: pytest.CaptureFixture[str], call: str, way: str
) -> None:
    with aws.reset():
        aws.plan_fault(call, way)
        with pytest.raises((BotoCoreError, ClientError, ResponseParserError)):
            app.handler({"task": "quotas"}, LambdaContextWithTime())
    assert "QuotaPercent" not in capsys.readouterr().out


def test_domains_get_https_after_random_faults(aws: FakeCloud, app: ModuleType) -> None:
    random = Random(FAULT_SEED)
    with worlds(aws, app) as world:
        for _ in range(12 * SOAK_ROUNDS):
            aws.inject_at_random(random, 0.1)
            world.run_until_stable(1)
            for host, domain in world.domains().items():
                assert domain.stage != "https" or host in world.internet.hosts_with_certificate
        assert len(aws.fault_counts) > len(CALL_FAULTS) / 2
        aws.clear_faults()
        world.run_until_stable()
        world.check_stable()
