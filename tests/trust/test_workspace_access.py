"""Every route across workspaces: asked in one for what belongs to another. Pages and shares have
their matrix in tests/unit/web/test_access.py.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import pytest
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

from tests.contract.conftest import load_stack_template
from tests.fakes import InMemoryShortLinkRepository
from tests.lambda_handlers import LambdaContext, build_api_event, load_function
from tests.rewrite_harness import NOW, FakeBaseUrls
from tests.unit.domains.fake_verification import FakeChecker, FakeServices
from tests.workspace_harness import WorkspaceHarness, build_link_definition
from waypost.domains.events import DomainEventPublisher
from waypost.domains.verification import DomainVerificationService
from waypost.ids import LinkId
from waypost.models.tracking_domain import CnameTargets, utc_now
from waypost.rewrite.service import RewriteService
from waypost.tokens import TokenSealer

SECRET_WORDS: Final = ("ada", "spring", "secret.example", "links.acme.example", "utm-of-acme")
ROOT: Final = "/v1/workspaces/{workspace}"
HOST: Final = "links.acme.example"
MESSAGE: Final = {
    "campaign": "spring",
    "content": {"html": '<a href="https://public.example/">x</a>'},
    "recipients": [{"delivery": "d9", "person": "bob"}],
}


@dataclass(frozen=True)
class Cell:
    """What the owner of everything gets, and who has nothing; ``body`` is sent."""

    owner: int
    stranger: int
    body: Any = None


CELLS: Final[dict[str, Cell]] = {
    f"GET {ROOT}/campaigns": Cell(200, 200),
    f"GET {ROOT}/campaigns/{{campaign}}": Cell(200, 404),
    f"GET {ROOT}/campaigns/{{campaign}}/links": Cell(200, 404),
    f"GET {ROOT}/campaigns/{{campaign}}/series": Cell(200, 404),
    f"GET {ROOT}/links/{{link}}/people": Cell(200, 404),
    f"GET {ROOT}/links/{{link}}/people.csv": Cell(200, 404),
    f"GET {ROOT}/links/{{link}}/people.ndjson": Cell(200, 404),
    f"GET {ROOT}/people/{{person}}/activity": Cell(200, 404),
    f"GET {ROOT}/people/{{person}}/opt-out": Cell(200, 200),
    f"PUT {ROOT}/people/{{person}}/opt-out": Cell(200, 200),
    f"DELETE {ROOT}/people/{{person}}/opt-out": Cell(200, 200),
    f"DELETE {ROOT}/people/{{person}}": Cell(202, 202),
    f"POST {ROOT}/shares": Cell(201, 404, {"campaign": "spring"}),
    f"GET {ROOT}/settings": Cell(200, 200),
    f"PUT {ROOT}/settings": Cell(200, 200, {"cio_id": False}),
    f"GET {ROOT}/domains": Cell(200, 200),
    f"POST {ROOT}/domains": Cell(409, 409, {"host": HOST}),
    f"GET {ROOT}/domains/{{host}}": Cell(200, 404),
    f"POST {ROOT}/domains/{{host}}": Cell(200, 404, {"reverted": True}),
    f"DELETE {ROOT}/domains/{{host}}": Cell(200, 404),
    f"POST {ROOT}/domains/{{host}}/verify": Cell(200, 404),
    "POST /v1/rewrite": Cell(200, 200, MESSAGE),
}
OF_NO_WORKSPACE: Final = {"GET /v1/openapi.json"}
"""Routes that answer everybody alike."""


@dataclass
class Stack:
    """One stack in which acme has everything, and the stranger nothing."""

    stores: WorkspaceHarness
    link: LinkId
    modules: dict[str, Any]

    def ask(self, workspace: str, route: str, body: Any = None) -> tuple[int, str]:
        names = {"campaign": "spring", "link": self.link, "person": "ada", "host": HOST}
        given = {
            name: value
            for name, value in {**names, "workspace": workspace}.items()
            if f"{{{name}}}" in route
        }
        if route == "POST /v1/rewrite":
            body = {"workspace": workspace, **body}
        module = self.modules[function_of(route)]
        answer = module.handler(build_api_event(route, given, body=body), LambdaContext())
        return answer["statusCode"], answer["body"]

    def everything(self) -> list[tuple[int, str]]:
        """All that acme is told of what it has."""
        reads = [route for route in CELLS if route.startswith("GET ")]
        return [self.ask("acme", route) for route in reads]


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Stack:
    stores = WorkspaceHarness("acme")
    (link,) = stores.register_campaign("spring", [build_link_definition("https://secret.example/")])
    stores.record_click(link, "1", person="ada")
    modules = {name: load_function(name) for name in ("api", "rewrite", "verify_domains")}
    checker: Any = FakeChecker()
    services: Any = FakeServices()
    targets = CnameTargets("edge.example.net")
    verifier = DomainVerificationService(
        stores.domains, checker, services, services, DomainEventPublisher(), targets, utc_now
    )
    sending = RewriteService(
        campaigns=stores.campaigns,
        workspaces=stores.settings,
        base_urls=FakeBaseUrls(),
        short_links=InMemoryShortLinkRepository(),
        get_sealer=lambda: TokenSealer(stores.keyring),
        now=lambda: NOW,
    )
    monkeypatch.setattr(modules["api"], "services", stores.create_services())
    monkeypatch.setattr(modules["rewrite"], "rewrite_service", lambda: sending)
    monkeypatch.setattr(modules["verify_domains"], "get_verification_service", lambda _: verifier)
    made = Stack(stores, link, modules)
    assert made.ask("acme", f"POST {ROOT}/domains", {"host": HOST})[0] == 201
    change = {"url_params": {"utm_source": "utm-of-acme"}}
    assert made.ask("acme", f"PUT {ROOT}/settings", change)[0] == 200
    return made


@pytest.mark.parametrize("route", CELLS)
def test_the_owner_gets_it(stack: Stack, route: str) -> None:
    answer = stack.ask("acme", route, CELLS[route].body)
    assert answer[0] == CELLS[route].owner, answer


@pytest.mark.parametrize("route", CELLS)
def test_a_stranger_learns_nothing(stack: Stack, route: str) -> None:
    status, text = stack.ask("stranger", route, CELLS[route].body)
    assert status == CELLS[route].stranger, text
    if status in (404, 409):  # what was asked for may be named, nothing else
        assert "detail" in json.loads(text)
        text = text.replace("spring", "").replace(HOST, "").replace("'ada'", "")
    for word in (*SECRET_WORDS, "acme"):
        assert word not in text, text


@pytest.mark.parametrize("route", CELLS)
def test_a_stranger_changes_nothing(stack: Stack, route: str) -> None:
    before = stack.everything()
    stack.ask("stranger", route, CELLS[route].body)
    assert stack.everything() == before


def test_every_route_has_its_cell() -> None:
    assert set(CELLS) | OF_NO_WORKSPACE == set(routes())


def test_the_template_has_every_route_of_the_resolver_and_no_other() -> None:
    app: APIGatewayHttpResolver = load_function("api").app
    listed = [*app._static_routes, *app._dynamic_routes]
    known = {f"{route.method} {route.path.replace('<', '{').replace('>', '}')}" for route in listed}
    assert known == {route for route, function in routes().items() if function == "api"}


def function_of(route: str) -> str:
    return routes()[route]


def routes() -> dict[str, str]:
    """Every route of the template behind IAM, and the folder of its function."""
    found = {}
    for resource in load_stack_template().resources.values():
        events = resource.properties.get("Events")
        for event in events.values() if isinstance(events, dict) else ():
            properties = event["Properties"]  # type: ignore[index,call-overload]
            if "/v1/" in str(properties.get("Path")):  # type: ignore[union-attr]
                folder = str(resource.properties["CodeUri"]).rstrip("/").rpartition("/")[2]
                found[f"{properties['Method']} {properties['Path']}"] = folder  # type: ignore[index,call-overload]
    return found
