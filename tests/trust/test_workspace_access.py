"""Access to every route by its workspace, by a workspace that owns nothing, and by a name that has
the id of the owner's.

``tests/unit/web/test_access.py`` contains the matrix of pages and share links.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, Final

import pytest
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

from tests.click_factory import make_click
from tests.colliding_names import COLLIDING, OWNER
from tests.dynamodb_tables import load_stack_template
from tests.fakes import (
    InMemoryObjectStore,
)
from tests.lambda_handlers import LambdaContext, build_api_event, load_function
from tests.rewrite_harness import NOW, create_rewrite_service
from tests.tally_factory import create_tally
from tests.unit.domains.fake_verification import FakeChecker, FakeServices
from tests.workspace_harness import WorkspaceHarness, build_link_definition
from waypost.domains.events import DomainEventPublisher
from waypost.domains.verification import DomainVerificationService
from waypost.ids import LinkId, derive_campaign_id, derive_link_id
from waypost.models.tracking_domain import CnameTargets, utc_now
from waypost.repositories.objects import ObjectUrl
from waypost.tokens import TokenSealer

SECRET_WORDS: Final = ("ada", "spring", "secret.example", "links.acme.example", "utm-of-acme")
ROOT: Final = "/v1/workspaces/{workspace}"
OPERATOR_ROUTE: Final = "POST /v1/operator/workspaces/{workspace}/domains/{host}"
HOST: Final = "links.acme.example"
MESSAGE: Final[dict[str, Any]] = {
    "campaign": "spring",
    "content": {"html": '<a href="https://public.example/">x</a>'},
    "recipients": [{"delivery": "d9", "person": "bob"}],
}


@dataclass(frozen=True)
class ExpectedAccess:
    """Statuses of a route for the owner, for a stranger, and for a name with the owner's id;
    ``body``: the request body.
    """

    owner: int
    stranger: int
    same_id: int
    body: Any = None


ACCESS_MATRIX: Final[dict[str, ExpectedAccess]] = {
    f"GET {ROOT}/campaigns": ExpectedAccess(200, 200, 409),
    f"GET {ROOT}/campaigns/{{campaign}}": ExpectedAccess(200, 404, 409),
    f"GET {ROOT}/campaigns/{{campaign}}/links": ExpectedAccess(200, 404, 409),
    f"GET {ROOT}/campaigns/{{campaign}}/series": ExpectedAccess(200, 404, 409),
    f"GET {ROOT}/links/{{link}}/people": ExpectedAccess(200, 404, 409),
    f"GET {ROOT}/links/{{link}}/people.csv": ExpectedAccess(200, 404, 409),
    f"GET {ROOT}/links/{{link}}/people.ndjson": ExpectedAccess(200, 404, 409),
    f"GET {ROOT}/people/{{person}}/activity": ExpectedAccess(200, 404, 409),
    f"GET {ROOT}/people/{{person}}/export": ExpectedAccess(200, 200, 409),
    f"GET {ROOT}/people/{{person}}/opt-out": ExpectedAccess(200, 200, 409),
    f"PUT {ROOT}/people/{{person}}/opt-out": ExpectedAccess(200, 200, 409),
    f"DELETE {ROOT}/people/{{person}}/opt-out": ExpectedAccess(200, 200, 409),
    f"DELETE {ROOT}/people/{{person}}": ExpectedAccess(202, 202, 409),
    f"POST {ROOT}/shares": ExpectedAccess(201, 404, 409, {"campaign": "spring"}),
    f"GET {ROOT}/settings": ExpectedAccess(200, 200, 409),
    f"PUT {ROOT}/settings": ExpectedAccess(200, 200, 409, {"cio_id": False}),
    f"GET {ROOT}/domains": ExpectedAccess(200, 200, 409),
    f"POST {ROOT}/domains": ExpectedAccess(409, 409, 409, {"host": HOST}),
    f"GET {ROOT}/domains/{{host}}": ExpectedAccess(200, 404, 409),
    f"POST {ROOT}/domains/{{host}}": ExpectedAccess(200, 404, 409, {"reverted": True}),
    f"DELETE {ROOT}/domains/{{host}}": ExpectedAccess(200, 404, 409),
    OPERATOR_ROUTE: ExpectedAccess(200, 404, 409, {"sending_verified": True}),
    f"POST {ROOT}/domains/{{host}}/verify": ExpectedAccess(200, 404, 409),
    "POST /v1/rewrite": ExpectedAccess(200, 200, 409, MESSAGE),
}
FIRST_WRITES: Final[dict[str, Any]] = {
    f"PUT {ROOT}/people/{{person}}/opt-out": None,
    f"DELETE {ROOT}/people/{{person}}/opt-out": None,
    f"DELETE {ROOT}/people/{{person}}": None,
    f"POST {ROOT}/shares": {},
    f"PUT {ROOT}/settings": {"cio_id": False},
    f"POST {ROOT}/domains": {"host": "links.other.example"},
    "POST /v1/rewrite": MESSAGE,
}
"""Routes by which a new workspace writes, with their bodies."""
INVOCATIONS: Final = ("recipients", "recipients, dry run", "file", "file, dry run")
"""Kinds of invocations of the rewrite function."""
ROUTES_WITHOUT_WORKSPACE: Final = {"GET /v1/openapi.json"}
"""Routes with the same response for every caller."""


@dataclass
class Stack:
    """A stack in which the owner has everything, and the stranger nothing."""

    stores: WorkspaceHarness
    link: LinkId
    modules: dict[str, Any]
    objects: InMemoryObjectStore = field(default_factory=InMemoryObjectStore)

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

    def invoke_rewrite(self, workspace: str, kind: str) -> dict[str, Any]:
        """Invoke the rewrite function as a pipeline does."""
        event = MESSAGE | {"workspace": workspace, "dry_run": "dry run" in kind}
        if "file" in kind:
            url = ObjectUrl("files", f"{workspace}/recipients.ndjson")
            self.objects.put(url, json.dumps(*event.pop("recipients")).encode())
            event = {"message": event, "input": str(url), "output": str(url.with_suffix(".out"))}
        answer: dict[str, Any] = self.modules["rewrite"].handler(event, LambdaContext())
        return answer

    def read_everything(self) -> list[tuple[int, str]]:
        """Return the responses of all of the owner's read routes."""
        reads = [route for route in ACCESS_MATRIX if route.startswith("GET ")]
        return [self.send(OWNER, route) for route in reads]


@pytest.fixture
def stack(empty_stack: Stack) -> Stack:
    stores = empty_stack.stores
    link = build_link_definition("https://secret.example/")
    assert stores.register_campaign("spring", [link]) == [empty_stack.link]
    stores.record_click(empty_stack.link, "1", person="ada")
    assert empty_stack.send(OWNER, f"POST {ROOT}/domains", {"host": HOST})[0] == 201
    change = {"url_params": {"utm_source": "utm-of-acme"}}
    assert empty_stack.send(OWNER, f"PUT {ROOT}/settings", change)[0] == 200
    return empty_stack


@pytest.fixture
def empty_stack(monkeypatch: pytest.MonkeyPatch) -> Stack:
    stores = WorkspaceHarness(OWNER)
    modules = {name: load_function(name) for name in ("api", "rewrite", "verify_domains")}
    checker: Any = FakeChecker()
    services: Any = FakeServices()
    targets = CnameTargets("edge.example.net")
    verifier = DomainVerificationService(
        stores.domains,
        stores.settings,
        checker,
        services,
        services,
        DomainEventPublisher(),
        targets,
        utc_now,
    )
    sending = create_rewrite_service(
        campaigns=stores.campaigns,
        workspaces=stores.settings,
        get_sealer=lambda: TokenSealer(stores.keyring),
    )
    monkeypatch.setattr(modules["api"], "services", stores.create_services())
    monkeypatch.setattr(modules["rewrite"], "rewrite_service", lambda: sending)
    monkeypatch.setattr(modules["verify_domains"], "get_verification_service", lambda _: verifier)
    link = derive_link_id(derive_campaign_id(OWNER, "spring"), "url:https://secret.example/")
    created = Stack(stores, link, modules)
    monkeypatch.setattr(modules["rewrite"], "object_store", lambda: created.objects)
    config = SimpleNamespace(files_bucket="files")
    monkeypatch.setattr(modules["rewrite"], "rewrite_config", lambda: config)
    return created


@pytest.mark.parametrize("route", ACCESS_MATRIX)
def test_the_owner_has_access(stack: Stack, route: str) -> None:
    answer = stack.send(OWNER, route, ACCESS_MATRIX[route].body)
    assert answer[0] == ACCESS_MATRIX[route].owner, answer


@pytest.mark.parametrize("route", ACCESS_MATRIX)
def test_a_stranger_reads_nothing(stack: Stack, route: str) -> None:
    status, text = stack.send("stranger", route, ACCESS_MATRIX[route].body)
    assert status == ACCESS_MATRIX[route].stranger, text
    if status in (404, 409):  # an error may repeat names of the request
        assert "detail" in json.loads(text)
        text = text.replace("spring", "").replace(HOST, "").replace("'ada'", "")
    for word in (*SECRET_WORDS, OWNER):
        assert word not in text, text


@pytest.mark.parametrize("route", ACCESS_MATRIX)
def test_other_workspace_changes_nothing_on_any_route(stack: Stack, route: str) -> None:
    before = stack.read_everything()
    stack.send("stranger", route, ACCESS_MATRIX[route].body)
    assert stack.read_everything() == before


@pytest.mark.parametrize("route", ACCESS_MATRIX)
def test_a_name_with_the_owners_id_reads_and_changes_nothing(stack: Stack, route: str) -> None:
    before = stack.read_everything()
    status, text = stack.send(COLLIDING, route, ACCESS_MATRIX[route].body)
    assert status == ACCESS_MATRIX[route].same_id, text
    problem = json.loads(text)
    assert problem["detail"] == (
        f"workspace '{COLLIDING}': its id belongs to another name; choose another name"
    )
    for word in (*SECRET_WORDS, OWNER):
        assert word not in text, text
    assert stack.read_everything() == before


@pytest.mark.parametrize("route", ACCESS_MATRIX)
def test_the_owner_has_access_after_a_request_with_the_same_id(stack: Stack, route: str) -> None:
    stack.send(COLLIDING, route, ACCESS_MATRIX[route].body)
    assert stack.send(OWNER, route, ACCESS_MATRIX[route].body)[0] == ACCESS_MATRIX[route].owner


@pytest.mark.parametrize("kind", INVOCATIONS)
def test_a_message_of_a_name_with_the_owners_id_is_refused(stack: Stack, kind: str) -> None:
    before = stack.read_everything()
    problem = stack.invoke_rewrite(COLLIDING, kind)
    assert problem["status"] == 409
    assert problem["detail"].endswith("its id belongs to another name; choose another name")
    assert stack.read_everything() == before
    assert len(stack.objects._objects) == ("file" in kind)
    assert "status" not in stack.invoke_rewrite(OWNER, kind)


@pytest.mark.parametrize("route", FIRST_WRITES)
def test_the_first_write_claims_the_id(empty_stack: Stack, route: str) -> None:
    assert empty_stack.send(COLLIDING, route, FIRST_WRITES[route])[0] < 300
    assert empty_stack.send(OWNER, f"GET {ROOT}/settings")[0] == 409
    assert empty_stack.send(COLLIDING, f"GET {ROOT}/settings")[0] == 200


@pytest.mark.parametrize("route", [route for route in ACCESS_MATRIX if route not in FIRST_WRITES])
def test_no_other_route_claims_the_id(empty_stack: Stack, route: str) -> None:
    empty_stack.send(COLLIDING, route, ACCESS_MATRIX[route].body)
    assert empty_stack.send(OWNER, f"PUT {ROOT}/settings", {})[0] == 200


@pytest.mark.parametrize("kind", INVOCATIONS)
def test_only_a_message_that_is_sent_claims_the_id(empty_stack: Stack, kind: str) -> None:
    assert "status" not in empty_stack.invoke_rewrite(COLLIDING, kind)
    status, _ = empty_stack.send(OWNER, f"GET {ROOT}/settings")
    assert status == (200 if "dry run" in kind else 409)


def test_a_refused_message_claims_nothing(empty_stack: Stack) -> None:
    refused = {"content": {"html": "{{ x"}, "liquid": True}
    assert empty_stack.send(COLLIDING, "POST /v1/rewrite", MESSAGE | refused)[0] == 400
    assert empty_stack.send(OWNER, "POST /v1/rewrite", MESSAGE)[0] == 200


def test_clicks_are_counted_by_their_link_whoever_claimed_the_id(empty_stack: Stack) -> None:
    """A release without claims registered links of both names."""
    names = (COLLIDING, OWNER)
    stored = empty_stack.stores.campaigns
    campaigns = [
        stored.get_or_create(name, name, kind="", channel="email", now=NOW) for name in names
    ]
    definition = build_link_definition("https://example.com/")
    links = [stored.define_links(campaign, [definition], NOW) for campaign in campaigns]
    assert empty_stack.send(OWNER, f"PUT {ROOT}/settings", {})[0] == 200
    clicks = [replace(make_click(link), link=link) for (link,) in links]
    assert create_tally(empty_stack.stores.repositories).count_clicks(clicks).new_count == 2
    assert [stored.get_counts(campaign).total.total for campaign in campaigns] == [1, 1]


@pytest.mark.parametrize("confirmed", [True, False])
@pytest.mark.parametrize(
    ("route", "body"),
    [(f"POST {ROOT}/domains", {"host": "go.acme.example"}), (f"POST {ROOT}/domains/{{host}}", {})],
)
def test_a_workspace_cannot_confirm_its_sending_domain(
    stack: Stack, route: str, body: dict[str, Any], *, confirmed: bool
) -> None:
    before = stack.read_everything()
    status, text = stack.send(OWNER, route, body | {"sending_verified": confirmed})
    assert status == 403
    assert "only operators" in json.loads(text)["detail"]
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
