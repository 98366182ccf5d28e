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

from tests import handlers
from tests.clicks import NOON
from tests.faults.breaking import breaks
from tests.faults.checking import ROUNDS, SEED
from tests.faults.cloud import Cloud, client
from tests.faults.internet import DEFAULT_HOST, Internet
from tests.faults.promises import calls_of, unpromised
from tests.faults.ways import WAYS
from waypost.domains.model import STACK, TrackingDomain, new_domain
from waypost.domains.network import TcpConnector
from waypost.errors import StoreError
from waypost.ids import workspace_code
from waypost.repositories.dynamodb.domains import DynamoDomains

ACME = workspace_code("acme")
HOSTS = ("links.acme.com", "go.acme.com")


@dataclass(frozen=True, slots=True)
class Context(handlers.Context):
    def get_remaining_time_in_millis(self) -> int:
        return 300_000


class World:
    """Two domains of a workspace and the stack's own, checked every quarter of an hour."""

    def __init__(self, cloud: Cloud, app: ModuleType) -> None:
        self.cloud = cloud
        self.app = app
        self.internet = Internet(cloud)
        self.now = NOON

    def run(self) -> dict[str, int]:
        """A scheduled run, as Lambda would make it; what it says of itself."""
        self.now += timedelta(minutes=15)
        try:
            told: dict[str, int] = self.app.handler({"task": "due"}, Context())
        except StoreError:
            return {}
        return told

    def issue(self) -> None:
        """The authority does its part, and CloudFront serves who has a certificate attached."""
        self.cloud.tenants.issue()
        tenants = self.cloud.tenants.held.values()
        self.internet.secure = {one.host for one in tenants if one.attached and one.enabled}

    def settle(self, runs: int = 5) -> None:
        for _ in range(runs):
            self.run()
            self.issue()

    def domains(self) -> dict[str, TrackingDomain]:
        with self.cloud.aside():
            store = DynamoDomains(client("dynamodb"), "workspaces")
            found = [*store.of_workspace(ACME), store.get(STACK, DEFAULT_HOST)]
            return {one.host: one for one in found if one is not None}

    def check_settled(self) -> None:
        """Every domain has HTTPS, the customer's are usable, and each host has one tenant."""
        found = self.domains()
        assert {host: one.stage for host, one in found.items()} == dict.fromkeys(
            (*HOSTS, DEFAULT_HOST), "https"
        )
        assert all(found[host].usable for host in HOSTS)
        assert set(self.cloud.tenants.held) == {*HOSTS, DEFAULT_HOST}


@pytest.fixture(scope="module")
def app(aws: Cloud) -> ModuleType:
    return handlers.load("verify_domains")


@contextmanager
def worlds(aws: Cloud, app: ModuleType) -> Iterator[World]:
    with aws.fresh(), pytest.MonkeyPatch.context() as patch:
        world = World(aws, app)
        patch.setattr("dns.query.udp_with_fallback", world.internet.ask)
        patch.setattr("dns.resolver.zone_for_name", no_zone)
        patch.setattr(TcpConnector, "connect", lambda _, *asked: world.internet.connect(*asked))
        patch.setattr("waypost.domains.http_probe.browser_like", lambda: world.internet)
        patch.setattr(app, "utc_now", lambda: world.now)
        patch.setattr("waypost.domains.verification.AT_ONCE", 1)  # by a seed, the same way
        with aws.aside():
            store = DynamoDomains(client("dynamodb"), "workspaces")
            for host in HOSTS:
                store.add(new_domain(ACME, "acme", host, "acme.com", "f00d", NOON))
        app.verifier.cache_clear()
        yield world


def no_zone(*_: object, **__: object) -> None:
    """Name servers of zones are asked in tests/e2e/domains; here they are not known."""
    raise dns.exception.DNSException


@pytest.fixture(scope="module")
def healthy(aws: Cloud, app: ModuleType) -> Counter[str]:
    """How often a way from nothing to HTTPS makes each call, quotas and a removal included."""
    with worlds(aws, app) as world:
        world.settle()
        world.check_settled()
        app.handler({"task": "quotas"}, Context())
        return Counter(aws.calls)


def test_every_call_has_its_promise(healthy: Counter[str]) -> None:
    assert unpromised("verify_domains", healthy) == set()


@pytest.mark.parametrize("call", calls_of("verify_domains", "test_https_comes_once_faults_end"))
def test_https_comes_once_faults_end(
    aws: Cloud, app: ModuleType, healthy: Counter[str], call: str
) -> None:
    for way in WAYS if ROUNDS > 1 else Random(call).sample(WAYS, 2):
        for after, times in breaks(min(healthy[call], 4)):
            with worlds(aws, app) as world:
                aws.break_(call, way, after=after, times=times)
                world.settle(2)
                for host, domain in world.domains().items():
                    assert domain.stage != "https" or host in world.internet.secure, way
                    assert domain.stage != "https" or call != "HTTPS" or after or times == 1, way
                aws.heal()
                world.settle()
                world.check_settled()


@pytest.mark.parametrize("call", calls_of("verify_domains", "test_what_works_is_not_given_up"))
def test_what_works_is_not_given_up(aws: Cloud, app: ModuleType, call: str) -> None:
    with worlds(aws, app) as world:
        world.settle()
        for way in WAYS:
            app.verifier.cache_clear()
            world.now += timedelta(days=1)  # the sending domain is looked up again
            aws.break_(call, way)
            world.settle(2)
            answer = verify(app)
            assert answer["statusCode"] in (200, 503), way
            assert answer["statusCode"] == 200 or json.loads(answer["body"])["detail"], way
            world.check_settled()
            aws.heal()


def verify(app: ModuleType) -> dict[str, Any]:
    """A check that a customer asks for."""
    route = "POST /v1/workspaces/{workspace}/domains/{host}/verify"
    event = handlers.request(route, {"workspace": "acme", "host": HOSTS[0]})
    answer: dict[str, Any] = app.handler(event, Context())
    return answer


@pytest.mark.parametrize("way", WAYS)
def test_one_domain_that_fails_keeps_no_other(aws: Cloud, app: ModuleType, way: str) -> None:
    with worlds(aws, app) as world:
        world.run()
        before = world.domains()
        times = 1 if way == "denied" else 4  # a refusal is not tried again
        aws.break_("TransactWriteItems of domain, claim", way, times=times)
        world.run()
        checked = [host for host, one in world.domains().items() if one != before[host]]
        assert len(checked) >= 2


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("call", calls_of("verify_domains", "test_a_quota_is_not_guessed"))
def test_a_quota_is_not_guessed(
    aws: Cloud, app: ModuleType, capsys: pytest.CaptureFixture[str], call: str, way: str
) -> None:
    with aws.fresh():
        aws.break_(call, way)
        with pytest.raises((BotoCoreError, ClientError, ResponseParserError)):
            app.handler({"task": "quotas"}, Context())
    assert "QuotaPercent" not in capsys.readouterr().out


def test_at_random_every_domain_gets_https_once_faults_end(aws: Cloud, app: ModuleType) -> None:
    random = Random(SEED)
    with worlds(aws, app) as world:
        for _ in range(12 * ROUNDS):
            aws.at_random(random, 0.1)
            world.settle(1)
            for host, domain in world.domains().items():
                assert domain.stage != "https" or host in world.internet.secure
        assert len(aws.seen) > len(WAYS) / 2
        aws.heal()
        world.settle()
        world.check_settled()
