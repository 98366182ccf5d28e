"""The API across workspaces: every route asked in one for what belongs to another. Pages and shares
have their matrix in tests/unit/pages/test_access.py.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.handlers import Context, load, request
from tests.workspace import Workspace, definition

SECRET_WORDS = ("ada", "spring", "secret.example", "links.acme.example", "utm-of-acme")


@pytest.fixture
def shared() -> Workspace:
    """Stores in which acme has everything and stranger has nothing."""
    made = Workspace("acme")
    (link,) = made.send("spring", [definition("https://secret.example/")])
    made.click(link, "1", person="ada")
    made.link = link  # type: ignore[attr-defined]
    return made


def ask(shared: Workspace, monkeypatch: pytest.MonkeyPatch, workspace: str, route: str, body: Any):
    module = load("api")
    monkeypatch.setattr(module, "services", shared.services())
    names = {
        "workspace": workspace,
        "campaign": "spring",
        "link": shared.link,  # type: ignore[attr-defined]
        "person": "ada",
        "host": "links.acme.example",
    }
    given = {name: value for name, value in names.items() if f"{{{name}}}" in route}
    answer = module.handler(request(route, given, body=body), Context())
    return answer["statusCode"], answer["body"]


ROOT = "/v1/workspaces/{workspace}"
ROUTES: dict[str, tuple[Any, int, int]] = {
    # route: body, status of the owner, status of a stranger
    f"GET {ROOT}/campaigns/{{campaign}}": (None, 200, 404),
    f"GET {ROOT}/campaigns/{{campaign}}/links": (None, 200, 404),
    f"GET {ROOT}/campaigns/{{campaign}}/series": (None, 200, 404),
    f"GET {ROOT}/links/{{link}}/people": (None, 200, 404),
    f"GET {ROOT}/links/{{link}}/people.csv": (None, 200, 404),
    f"GET {ROOT}/links/{{link}}/people.ndjson": (None, 200, 404),
    f"GET {ROOT}/people/{{person}}/activity": (None, 200, 404),
    f"POST {ROOT}/shares": ({"campaign": "spring"}, 201, 404),
    f"GET {ROOT}/settings": (None, 200, 200),
    f"GET {ROOT}/domains": (None, 200, 200),
    f"GET {ROOT}/domains/{{host}}": (None, 200, 404),
    f"POST {ROOT}/domains/{{host}}": ({"reverted": True}, 200, 404),
    f"DELETE {ROOT}/domains/{{host}}": (None, 200, 404),
}


def furnish(shared: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    domain = {"host": "links.acme.example"}
    status, said = ask(shared, monkeypatch, "acme", f"POST {ROOT}/domains", domain)
    assert status == 201, said
    change = {"url_params": {"utm_source": "utm-of-acme"}}
    assert ask(shared, monkeypatch, "acme", f"PUT {ROOT}/settings", change)[0] == 200


@pytest.mark.parametrize("route", ROUTES)
def test_the_owner_gets_it(shared, monkeypatch, route):
    furnish(shared, monkeypatch)
    body, status, _ = ROUTES[route]
    answer = ask(shared, monkeypatch, "acme", route, body)
    assert answer[0] == status, answer


@pytest.mark.parametrize("route", ROUTES)
def test_a_stranger_learns_nothing(shared, monkeypatch, route):
    furnish(shared, monkeypatch)
    body, _, status = ROUTES[route]
    given, text = ask(shared, monkeypatch, "stranger", route, body)
    assert given == status, text
    if status == 404:  # what was asked for may be named, nothing else
        assert "detail" in json.loads(text)
        text = text.replace("spring", "").replace("links.acme.example", "").replace("'ada'", "")
    for word in SECRET_WORDS:
        assert word not in text, text


def test_every_route_of_the_api_is_tried() -> None:
    template = load_routes()
    tried = set(ROUTES) | {
        f"POST {ROOT}/domains",
        f"PUT {ROOT}/settings",
        "GET /v1/openapi.json",
    }
    assert not {route for route in template if "verify" not in route} - tried


def load_routes() -> set[str]:
    """The routes that the template gives the API's function."""
    from tests.contract.conftest import template

    events = template().resources["ApiFunction"].properties["Events"]
    return {
        f"{event['Properties']['Method']} {event['Properties']['Path']}"  # type: ignore[index,call-overload]
        for event in events.values()  # type: ignore[union-attr]
    }
