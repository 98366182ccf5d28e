"""Access to every route by its workspace, and by a workspace that owns nothing.

``tests/unit/web/test_access.py`` contains the matrix of pages and share links.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import pytest
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

from tests.dynamodb_tables import load_stack_template
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
class ExpectedAccess:
    """Statuses of a route for the owner and for a stranger; ``body``: the request body."""

    owner: int
    stranger: int
    body: Any = None


ACCESS_MATRIX: Final[dict[str, ExpectedAccess]] = {
    f"GET {ROOT}/campaigns": ExpectedAccess(200, 200),
    f"GET {ROOT}/campaigns/{{campaign}}": ExpectedAccess(200, 404),
    f"GET {ROOT}/campaigns/{{campaign}}/links": ExpectedAccess(200, 404),
    f"GET {ROOT}/campaigns/{{campaign}}/series": ExpectedAccess(200, 404),
    f"GET {ROOT}/links/{{link}}/people": ExpectedAccess(200, 404),
    f"GET {ROOT}/links/{{link}}/people.csv": ExpectedAccess(200, 404),
    f"GET {ROOT}/links/{{link}}/people.ndjson": ExpectedAccess(200, 404),
    f"GET {ROOT}/people/{{person}}/activity": ExpectedAccess(200, 404),
    f"GET {ROOT}/people/{{person}}/opt-out": ExpectedAccess(200, 200),
    f"PUT {ROOT}/people/{{person}}/opt-out": ExpectedAccess(200, 200),
    f"DELETE {ROOT}/people/{{person}}/opt-out": ExpectedAccess(200, 200),
    f"DELETE {ROOT}/people/{{person}}": ExpectedAccess(202, 202),
    f"POST {ROOT}/shares": ExpectedAccess(201, 404, {"campaign": "spring"}),
    f"GET {ROOT}/settings": ExpectedAccess(200, 200),
    f"PUT {ROOT}/settings": ExpectedAccess(200, 200, {"cio_id": False}),
    f"GET {ROOT}/domains": ExpectedAccess(200, 200),
    f"POST {ROOT}/domains": ExpectedAccess(409, 409, {"host": HOST}),
    f"GET {ROOT}/domains/{{host}}": ExpectedAccess(200, 404),
    f"POST {ROOT}/domains/{{host}}": ExpectedAccess(200, 404, {"reverted": True}),
    f"DELETE {ROOT}/domains/{{host}}": ExpectedAccess(200, 404),
    f"POST {ROOT}/domains/{{host}}/verify": ExpectedAccess(200, 404),
    "POST /v1/rewrite": ExpectedAccess(200, 200, MESSAGE),
}
ROUTES_WITHOUT_WORKSPACE: Final = {"GET /v1/openapi.json"}
"""Routes with the same response for every caller."""


@dataclass
class Stack:
    """A stack in which acme owns everything, and the stranger nothing."""

    stores: WorkspaceHarness
    link: LinkId
    modules: dict[str, Any]

    def send(self, workspace: str, route: str, body: Any = None) -> tuple[int, str]:
        names = {"campaign": "spring", "link": self.link, "person": "ada", "host": HOST}
        given = {
            name: value
            for name, value in {**names, "workspace": workspace}.items()
            if f"{{{name}}}" in route
        }
        if route == "POST /v1/rewrite":
            body = {"workspace": workspace, **body}
        module = self.modules[find_function(route)]
        answer = module.handler(build_api_event(route, given, body=body), LambdaContext())
        return answer["statusCode"], answer["body"]

    def read_everything(self) -> list[tuple[int, str]]:
        """Return the responses of all of acme's read routes."""
        reads = [route for route in ACCESS_MATRIX if route.startswith("GET ")]
        return [self.send("acme", route) for route in reads]


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
    assert made.send("acme", f"POST {ROOT}/domains", {"host": HOST})[0] == 201
    change = {"url_params": {"utm_source": "utm-of-acme"}}
    assert made.send("acme", f"PUT {ROOT}/settings", change)[0] == 200
    return made


@pytest.mark.parametrize("route", ACCESS_MATRIX)
def test_the_owner_has_access(stack: Stack, route: str) -> None:
    answer = stack.send("acme", route, ACCESS_MATRIX[route].body)
    assert answer[0] == ACCESS_MATRIX[route].owner, answer


@pytest.mark.parametrize("route", ACCESS_MATRIX)
def test_a_stranger_reads_nothing(stack: Stack, route: str) -> None:
    status, text = stack.send("stranger", route, ACCESS_MATRIX[route].body)
    assert status == ACCESS_MATRIX[route].stranger, text
    if status in (404, 409):  # an error may repeat names of the request
        assert "detail" in json.loads(text)
        text = text.replace("spring", "").replace(HOST, "").replace("'ada'", "")
    for word in (*SECRET_WORDS, "acme"):
        assert word not in text, text


@pytest.mark.parametrize("route", ACCESS_MATRIX)
def test_other_workspace_changes_nothing_on_any_route(stack: Stack, route: str) -> None:
    before = stack.read_everything()
    stack.send("stranger", route, ACCESS_MATRIX[route].body)
    assert stack.read_everything() == before


def test_the_access_matrix_contains_every_route() -> None:
    assert set(ACCESS_MATRIX) | ROUTES_WITHOUT_WORKSPACE == set(load_routes())


def test_template_and_api_resolver_have_the_same_routes() -> None:
    app: APIGatewayHttpResolver = load_function("api").app
    listed = [*app._static_routes, *app._dynamic_routes]
    known = {f"{route.method} {route.path.replace('<', '{').replace('>', '}')}" for route in listed}
    assert known == {route for route, function in load_routes().items() if function == "api"}


def find_function(route: str) -> str:
    return load_routes()[route]


def load_routes() -> dict[str, str]:
    """Return each IAM route of the template with the folder of its function."""
    found = {}
    for resource in load_stack_template().resources.values():
        events = resource.properties.get("Events")
        for event in events.values() if isinstance(events, dict) else ():
            properties = event["Properties"]  # type: ignore[index,call-overload]
            if "/v1/" in str(properties.get("Path")):  # type: ignore[union-attr]
                folder = str(resource.properties["CodeUri"]).rstrip("/").rpartition("/")[2]
                found[f"{properties['Method']} {properties['Path']}"] = folder  # type: ignore[index,call-overload]
    return found
