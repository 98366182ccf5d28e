"""The function that checks domains: its events and its responses."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest

from tests.contract.corrupt_domains import corrupt_domain_item, put_domain_item
from tests.fakes import InMemoryDomainRepository, InMemoryWorkspaceRepository
from tests.lambda_handlers import build_api_event, load_function
from tests.unit.domains.builders import EDGE, HOST, NOW, TARGET, UNREACHABLE, make_domain
from tests.unit.domains.fake_verification import FakeChecker, FakeServices
from waypost.domains.events import DomainEventPublisher
from waypost.domains.network import NO_DEADLINE
from waypost.domains.verification import MIN_CHECK_SECONDS, DomainVerificationService
from waypost.ids import derive_workspace_id
from waypost.models import tracking_domain
from waypost.models.attributes import Item
from waypost.models.tracking_domain import (
    STACK_WORKSPACE,
    STACK_WORKSPACE_NAME,
    CnameTargets,
    TrackingDomain,
    create_domain,
)

VERIFY = "POST /v1/workspaces/{workspace}/domains/{host}/verify"


@dataclass
class FakeLambdaContext:
    function_name: str = "verify"
    memory_limit_in_mb: int = 128
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:verify"
    aws_request_id: str = "1"
    remaining_ms: int = 300_000

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms


@pytest.fixture
def store() -> InMemoryDomainRepository:
    return InMemoryDomainRepository()


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch, store: InMemoryDomainRepository) -> ModuleType:
    module = load_function("verify_domains")
    checker: Any = FakeChecker()
    services: Any = FakeServices()
    verifier = DomainVerificationService(
        store,
        InMemoryWorkspaceRepository(),
        checker,
        services,
        services,
        DomainEventPublisher(),
        CnameTargets(EDGE, TARGET),
        lambda: NOW,
    )
    monkeypatch.setattr(module, "get_verification_service", lambda _: verifier)
    return module


def request_check(function: ModuleType, workspace: str, host: str) -> tuple[int, Any]:
    event = build_api_event(VERIFY, {"workspace": workspace, "host": host})
    response = function.handler(event, FakeLambdaContext())
    return response["statusCode"], json.loads(response["body"])


def test_verify_request_checks_one_domain_and_returns_its_status(
    function: ModuleType, store: InMemoryDomainRepository
) -> None:
    store.add(make_domain())
    status, body = request_check(function, "acme", HOST.upper())
    assert (status, body["stage"]) == (200, "https")
    assert body["base_url"] == f"https://{HOST}"


@pytest.mark.parametrize("workspace", ["acme", "globex"])
def test_verify_request_for_an_unknown_domain_is_404(
    function: ModuleType, store: InMemoryDomainRepository, workspace: str
) -> None:
    store.add(make_domain(host="other.acme.com"))
    assert request_check(function, workspace, HOST)[0] == 404


@pytest.mark.parametrize("workspace", ["%2F", "50%25", "a/b"])
def test_verify_request_uses_the_workspace_decoded_by_api_gateway(
    function: ModuleType, store: InMemoryDomainRepository, workspace: str
) -> None:
    store.add(make_domain(workspace=derive_workspace_id(workspace)))
    assert request_check(function, workspace, HOST)[0] == 200


def test_direct_invocation_checks_one_domain(
    function: ModuleType, store: InMemoryDomainRepository
) -> None:
    store.add(make_domain())
    assert (
        function.handler({"workspace": "acme", "host": HOST}, FakeLambdaContext())["stage"]
        == "https"
    )


def test_check_deadline_is_below_the_api_gateway_and_lambda_timeouts(
    function: ModuleType, store: InMemoryDomainRepository
) -> None:
    store.add(make_domain())
    request_check(function, "acme", HOST)
    assert 0 < FakeChecker.deadline.get_remaining_seconds() <= function.REQUEST_CHECK_SECONDS < 29
    function.handler({"workspace": "acme", "host": HOST}, FakeLambdaContext())
    assert FakeChecker.deadline == NO_DEADLINE
    store.add(make_domain(host="other.acme.com"))
    function.handler({"task": "due"}, FakeLambdaContext(remaining_ms=300_000))
    assert 250 < FakeChecker.deadline.get_remaining_seconds() <= 300 - function.SAVE_RESERVE_SECONDS


def test_scheduled_run_adds_the_default_host_and_checks_due_domains(
    function: ModuleType, store: InMemoryDomainRepository
) -> None:
    store.add(make_domain())
    result = function.handler({"task": "due"}, FakeLambdaContext())
    assert result == {"checked": 2, "left": 0, "failed": 0}
    default_host = store.get(STACK_WORKSPACE, TARGET)
    assert default_host is not None
    assert default_host.stage == "https"


def test_failed_check_is_measured_and_the_other_domains_are_checked(
    function: ModuleType, store: InMemoryDomainRepository, capsys: pytest.CaptureFixture[str]
) -> None:
    store.add(make_domain(host="broken.acme.com"))
    store.add(make_domain())
    result = function.handler({"task": "due"}, FakeLambdaContext())
    assert result == {"checked": 3, "left": 0, "failed": 1}
    assert '"DomainCheckBroke":1' in capsys.readouterr().out


def build_default_domain() -> TrackingDomain:
    return create_domain(STACK_WORKSPACE, STACK_WORKSPACE_NAME, TARGET, TARGET, "f00d", NOW)


@pytest.mark.parametrize(
    "corrupt_item",
    [
        corrupt_domain_item(build_default_domain(), "stage", "x"),
        corrupt_domain_item(build_default_domain(), "due", None),
        tracking_domain.build_claim_key(TARGET),
    ],
)
@pytest.mark.parametrize("is_stored", [True, False])
def test_corrupt_item_of_the_default_host_does_not_block_other_checks(
    function: ModuleType, store: InMemoryDomainRepository, corrupt_item: Item, *, is_stored: bool
) -> None:
    if is_stored:
        store.add(build_default_domain())
    put_domain_item(store, corrupt_item)
    store.add(make_domain())
    function.handler({"task": "due"}, FakeLambdaContext())
    checked = store.get(derive_workspace_id("acme"), HOST)
    assert checked is not None
    assert checked.stage == "https"


def test_corrupt_claim_and_corrupt_domain_do_not_block_other_checks(
    function: ModuleType, store: InMemoryDomainRepository, capsys: pytest.CaptureFixture[str]
) -> None:
    for host in ("a.acme.com", "b.acme.com", HOST):
        store.add(make_domain(host=host))
    put_domain_item(store, tracking_domain.build_claim_key("a.acme.com"))
    put_domain_item(store, corrupt_domain_item(make_domain(host="b.acme.com"), "failures", "none"))
    result = function.handler({"task": "due"}, FakeLambdaContext())
    assert result == {"checked": 3, "left": 0, "failed": 1}  # default host, corrupt domain, HOST
    checked = store.get(derive_workspace_id("acme"), HOST)
    assert checked is not None
    assert checked.stage == "https"
    assert '"RowDamaged":1' in capsys.readouterr().out


def test_failed_domain_falls_back_although_the_default_host_is_corrupt(
    function: ModuleType, store: InMemoryDomainRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A corrupt item of the default host must not keep every domain in use."""
    monkeypatch.setattr(FakeChecker, "check", lambda *_: UNREACHABLE)
    store.add(make_domain(stage="https", failures=1, proven=True))
    store.add(build_default_domain())
    put_domain_item(store, corrupt_domain_item(build_default_domain(), "stage", "x"))
    assert request_check(function, "acme", HOST)[1]["stage"] == "fallen_back"


def test_verify_request_for_a_corrupt_domain_is_500_and_names_the_host(
    function: ModuleType, store: InMemoryDomainRepository
) -> None:
    store.add(make_domain())
    put_domain_item(store, corrupt_domain_item(make_domain(), "failures", "none"))
    status, body = request_check(function, "acme", HOST)
    assert (status, body["title"]) == (500, "What is stored cannot be read")
    assert HOST in body["detail"]


def test_scheduled_run_starts_no_check_near_its_timeout(
    function: ModuleType, store: InMemoryDomainRepository
) -> None:
    store.add(make_domain())
    min_ms = int(1000 * (MIN_CHECK_SECONDS + function.SAVE_RESERVE_SECONDS))
    result = function.handler({"task": "due"}, FakeLambdaContext(remaining_ms=min_ms - 1))
    assert result == {"checked": 0, "left": 2, "failed": 0}
    result = function.handler({"task": "due"}, FakeLambdaContext(remaining_ms=min_ms + 5_000))
    assert result == {"checked": 2, "left": 0, "failed": 0}
    assert FakeChecker.deadline.get_remaining_seconds() <= MIN_CHECK_SECONDS + 5
