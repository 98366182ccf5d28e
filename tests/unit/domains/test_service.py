"""Domain management: add, change, remove and list."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from tests.fakes import InMemoryDomainRepository, InMemoryWorkspaceRepository
from tests.unit.domains.builders import EDGE, HOST, NOW, TARGET
from waypost.domains.events import DomainEventPublisher
from waypost.domains.schemas import AddDomainRequest, ChangeDomainRequest, ConfirmSendingRequest
from waypost.domains.service import MAX_WORKSPACE_DOMAINS, DomainService
from waypost.domains.status import DomainStatus
from waypost.errors import AlreadyExists, InvalidRequest, NotFound, OperatorRequired
from waypost.ids import derive_workspace_id
from waypost.models.tracking_domain import STACK_WORKSPACE_NAME, CnameTargets
from waypost.validation import validate_value

ACME = derive_workspace_id("acme")


@pytest.fixture
def service() -> DomainService:
    return DomainService(
        InMemoryDomainRepository(),
        InMemoryWorkspaceRepository(),
        CnameTargets(EDGE, TARGET),
        DomainEventPublisher(),
        lambda: NOW,
    )


def add(service: DomainService, host: str = HOST, workspace: str = "acme", **body: Any) -> Any:
    return to_json(
        service.add_domain(workspace, validate_value(AddDomainRequest, {"host": host} | body))
    )


def confirm(service: DomainService, **body: Any) -> DomainStatus:
    request = validate_value(ConfirmSendingRequest, {"sending_verified": True} | body)
    return service.confirm_sending("acme", HOST, request)


def to_json(response: BaseModel) -> Any:
    """Dump a response model to JSON values."""
    return response.model_dump(mode="json")


def test_new_domain_shows_the_dns_records_to_add(service: DomainService) -> None:
    status = add(service)
    assert status["records"][0] == {
        "type": "CNAME",
        "name": HOST,
        "value": TARGET,
        "when": "always",
    }
    proof = status["records"][1]
    assert proof["name"] == f"_waypost.{HOST}"
    assert proof["value"].startswith("waypost=")
    assert (status["stage"], status["use"], status["base_url"]) == ("waiting", "on", None)
    assert status["next_check"] == "2026-11-21T10:00:00Z"
    assert to_json(service.get_domain("acme", HOST)) == status


def test_each_new_domain_has_its_own_random_proof(service: DomainService) -> None:
    proofs = {add(service, f"{i}.acme.com")["records"][1]["value"] for i in range(5)}
    assert len(proofs) == 5


def test_sending_domain_defaults_to_the_parent_of_the_host(service: DomainService) -> None:
    assert add(service)["sending_domain"] == "acme.com"
    assert add(service, "t.acme.com", sending_domain="Mail.ACME.com")["sending_domain"] == (
        "mail.acme.com"
    )


def test_cname_target_is_the_cdn_if_the_stack_has_no_default_host() -> None:
    service_without_default_host = DomainService(
        InMemoryDomainRepository(),
        InMemoryWorkspaceRepository(),
        CnameTargets(EDGE),
        DomainEventPublisher(),
        lambda: NOW,
    )
    assert add(service_without_default_host)["records"][0]["value"] == EDGE


@pytest.mark.parametrize("host", [TARGET, f"x.{TARGET}", EDGE, f"a.b.{EDGE}"])
def test_host_names_of_the_stack_are_rejected(service: DomainService, host: str) -> None:
    with pytest.raises(InvalidRequest, match="the stack's own"):
        add(service, host)


@pytest.mark.parametrize("workspace", ["acme", "globex"])
def test_host_can_be_added_only_once_across_workspaces(
    service: DomainService, workspace: str
) -> None:
    add(service)
    with pytest.raises(AlreadyExists, match="taken"):
        add(service, workspace=workspace)


def test_number_of_domains_in_a_workspace_is_limited(service: DomainService) -> None:
    for i in range(MAX_WORKSPACE_DOMAINS):
        add(service, f"{i}.acme.com")
    with pytest.raises(AlreadyExists, match=str(MAX_WORKSPACE_DOMAINS)):
        add(service, "one-more.acme.com")
    assert add(service, "links.globex.com", workspace="globex")


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["host"]),
        ({"host": "acme.com"}, ["host"]),
        ({"host": 5}, ["host"]),
        ({"host": HOST, "sending_domain": "no name"}, ["sending_domain"]),
        ({"host": HOST, "sending_verified": "yes"}, ["sending_verified"]),
        ({"host": HOST, "colour": "red"}, ["colour"]),
        ({"host": "x", "sending_domain": "y"}, ["sending_domain", "host"]),
    ],
)
def test_every_invalid_field_of_an_add_request_is_named(
    body: dict[str, Any], fields: list[str]
) -> None:
    with pytest.raises(InvalidRequest) as error:
        validate_value(AddDomainRequest, body)
    assert [problem.field for problem in error.value.problems] == fields


def test_domain_of_another_workspace_is_not_found(service: DomainService) -> None:
    add(service)
    for attempt in (
        lambda: service.get_domain("globex", HOST),
        lambda: service.change_domain("globex", HOST, ChangeDomainRequest(reverted=True)),
        lambda: service.remove_domain("globex", HOST),
    ):
        with pytest.raises(NotFound):
            attempt()
    assert service.list_domains("globex").domains == []


def test_change_to_equal_values_writes_nothing(service: DomainService) -> None:
    add(service)
    service.change_domain("acme", HOST, ChangeDomainRequest(sending_domain="acme.com"))
    stored = service.domains.get(ACME, HOST)
    assert stored is not None
    assert stored.version == 0


@pytest.mark.parametrize("confirmed", [True, False])
def test_workspace_cannot_set_sending_verified(service: DomainService, *, confirmed: bool) -> None:
    with pytest.raises(OperatorRequired, match="sending_verified: only operators may set it"):
        add(service, sending_verified=confirmed)
    assert service.list_domains("acme").domains == []
    before = add(service)
    change = ChangeDomainRequest(sending_verified=confirmed, reverted=True)
    with pytest.raises(OperatorRequired):
        service.change_domain("acme", HOST, change)
    assert to_json(service.get_domain("acme", HOST)) == before


def test_workspace_cannot_set_sending_verified_when_it_restores_a_domain(
    service: DomainService,
) -> None:
    add(service)
    service.remove_domain("acme", HOST)
    with pytest.raises(OperatorRequired):
        add(service, sending_verified=True)
    assert service.get_domain("acme", HOST).use == "removed"


def test_operator_confirms_a_sending_domain_of_the_same_request(service: DomainService) -> None:
    add(service)
    confirmed = confirm(service, sending_domain="mail.acme.com")
    assert confirmed.sending_domain == "mail.acme.com"
    assert confirmed.lights["sending"].colour == "green"
    assert confirmed.history[-1].reason == "by the operator"


def test_operator_cannot_confirm_a_domain_that_is_absent_or_under_removal(
    service: DomainService,
) -> None:
    with pytest.raises(NotFound):
        confirm(service)
    add(service)
    service.remove_domain("acme", HOST)
    with pytest.raises(AlreadyExists, match="being removed"):
        confirm(service)


def test_new_sending_domain_must_be_verified_again(service: DomainService) -> None:
    add(service)
    confirm(service)
    changed = service.change_domain(
        "acme", HOST, ChangeDomainRequest(sending_domain="other.example")
    )
    assert changed.lights["sending"].colour == "red"


def test_operators_verification_mark_can_be_withdrawn(service: DomainService) -> None:
    add(service)
    assert confirm(service).lights["sending"].found == "marked by the operator"
    unmarked = confirm(service, sending_verified=False)
    assert unmarked.lights["sending"].colour == "red"


def test_removed_domain_is_due_for_a_check_at_once(service: DomainService) -> None:
    add(service)
    stored = service.domains.get(ACME, HOST)
    assert stored is not None
    service.domains.save(replace(stored, due=NOW + timedelta(days=1)))
    service.remove_domain("acme", HOST)
    assert service.domains.list_due(NOW, 1) == [(ACME, HOST)]


def test_domain_under_removal_cannot_be_changed(service: DomainService) -> None:
    add(service)
    service.remove_domain("acme", HOST)
    with pytest.raises(AlreadyExists, match="being removed"):
        service.change_domain("acme", HOST, ChangeDomainRequest(reverted=True))


def test_history_lists_changes_of_use_newest_first(service: DomainService) -> None:
    add(service)
    service.change_domain("acme", HOST, ChangeDomainRequest(reverted=True))
    history = to_json(service.remove_domain("acme", HOST))["history"]
    assert [(entry["before"], entry["after"]) for entry in history] == [
        ("reverted", "removed"),
        ("on", "reverted"),
    ]
    assert history[0]["at"] == "2026-11-21T10:00:00Z"


def test_default_host_is_shown_but_cannot_be_changed_by_requests(service: DomainService) -> None:
    service.ensure_default_host()
    status = to_json(service.get_domain(STACK_WORKSPACE_NAME, TARGET))
    assert status["records"][0]["value"] == EDGE
    assert status["sending_domain"] is None
    for attempt in (
        lambda: add(service, workspace=STACK_WORKSPACE_NAME),
        lambda: service.change_domain(
            STACK_WORKSPACE_NAME, TARGET, ChangeDomainRequest(reverted=True)
        ),
        lambda: service.remove_domain(STACK_WORKSPACE_NAME, TARGET),
    ):
        with pytest.raises(AlreadyExists, match="parameter of the stack"):
            attempt()
