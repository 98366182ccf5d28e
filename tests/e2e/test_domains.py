"""Tracking domains over HTTP on the embedded stack: changes, checks, probes and app links."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from local.stack import EmbeddedStack
from tests.e2e.conftest import Http
from waypost.domains.app_links import ANDROID_APP_LINKS_PATH, APPLE_APP_LINKS_PATH
from waypost.domains.probe_token import PROBE_PATH, create_nonce

Call = Callable[..., tuple[int, Any]]


@pytest.fixture
def call(stack: EmbeddedStack, http: Http) -> Call:
    """``call(method, path, body)`` on a workspace's domains: status and decoded body."""

    def request(
        method: str,
        path: str = "",
        body: object = None,
        *,
        workspace: str = "domains",
        root: str = "/v1/workspaces",
    ) -> tuple[int, Any]:
        url = f"{stack.url}{root}/{workspace}/domains{path}"
        response = http(method, url, body=body)
        return response.status, response.json()

    return request


def test_domain_is_added_shown_listed_changed_and_removed(call: Call) -> None:
    host = "links.managed.example"
    status, added = call("POST", body={"host": host})
    assert (status, added["stage"]) == (201, "waiting")
    assert added["next_step"].startswith("Verify managed.example as a sending identity")
    confirmation = {"sending_verified": True}
    assert call("POST", f"/{host}", confirmation)[0] == 403
    status, added = call("POST", f"/{host}", confirmation, root="/v1/operator/workspaces")
    assert status == 200
    assert added["next_step"].startswith(f"Add at your DNS provider: {host} CNAME")
    assert call("GET", f"/{host}") == (200, added)
    assert call("GET")[1]["domains"] == [added]
    status, changed = call("POST", f"/{host}", {"reverted": True})
    assert (status, changed["use"]) == (200, "reverted")
    status, removed = call("DELETE", f"/{host}?host={host}")
    assert (status, removed["use"]) == (200, "removed")


def test_verify_checks_the_domain_and_returns_the_result(call: Call) -> None:
    host = "links.verified.example"
    call("POST", body={"host": host})
    status, checked = call("POST", f"/{host}/verify")
    assert status == 200
    assert checked["checked"] is not None
    assert checked["lights"]["dns"]["colour"] == "red"
    assert checked["lights"]["dns"]["since"] == checked["checked"]
    call("DELETE", f"/{host}?host={host}")
    status, gone = call("POST", f"/{host}/verify")
    assert (status, gone.get("use")) == (200, "removed"), gone
    assert call("GET", f"/{host}")[0] == 404


def test_schedule_checks_due_domains(stack: EmbeddedStack, call: Call) -> None:
    host = "links.scheduled.example"
    call("POST", body={"host": host})
    outcomes = stack.run_schedule("VerifyDomainsFunction.Due")
    assert [outcome.error for outcome in outcomes.values()] == [None]
    status = call("GET", f"/{host}")[1]
    assert status["checked"] is not None
    assert status["next_check"] > status["checked"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "field"),
    [
        ("POST", "", {"host": "acme.example"}, 400, "host"),
        ("POST", "", {"host": "links.ok.example", "colour": 1}, 400, "colour"),
        ("GET", "/links.unknown.example", None, 404, None),
        ("DELETE", "/links.unknown.example?host=links.unknown.example", None, 404, None),
        ("DELETE", "/links.unknown.example", None, 400, "host"),
        ("DELETE", "/links.unknown.example?host=links.other.example", None, 400, "host"),
        ("POST", "/links.unknown.example/verify", None, 404, None),
    ],
)
def test_invalid_domain_request_is_answered_with_a_problem(
    call: Call, method: str, path: str, body: object, status: int, field: str | None
) -> None:
    response_status, problem = call(method, path, body)
    assert response_status == status
    if field:
        assert [error["field"] for error in problem["errors"]] == [field]


def test_hostname_of_another_workspace_is_refused(call: Call) -> None:
    body = {"host": "links.taken.example"}
    assert call("POST", body=body)[0] == 201
    status, problem = call("POST", body=body, workspace="another")
    assert status == 409
    assert "taken" in problem["detail"]


def test_probe_is_answered_with_a_signature_on_any_host(stack: EmbeddedStack, http: Http) -> None:
    nonce = create_nonce()
    first, again, other = (
        http("GET", f"{stack.url}{PROBE_PATH}{probe_nonce}")
        for probe_nonce in (nonce, nonce, create_nonce())
    )
    assert first.status == 200
    assert first.headers["cache-control"] == "no-store"
    assert first.body == again.body != other.body
    assert http("GET", f"{stack.url}{PROBE_PATH}short").status == 404


def test_app_link_files_are_served_only_on_their_domain(
    stack: EmbeddedStack, http: Http, call: Call
) -> None:
    host = "links.apps.example"
    fingerprint = ":".join(["AB"] * 32)
    call(
        "POST",
        body={
            "host": host,
            "app_links": {
                "ios": ["ABCDE12345.com.acme.app"],
                "android": [{"package": "com.acme.app", "fingerprints": [fingerprint]}],
                "urls": ["https://acme.example/shop/*"],
            },
        },
    )
    apple = http("GET", stack.url + APPLE_APP_LINKS_PATH, headers={"host": host})
    assert (apple.status, apple.headers["content-type"]) == (200, "application/json")
    assert apple.json()["applinks"]["details"][0]["appIDs"] == ["ABCDE12345.com.acme.app"]
    android = http("GET", stack.url + ANDROID_APP_LINKS_PATH, headers={"host": host})
    assert android.json()[0]["target"]["package_name"] == "com.acme.app"
    assert (
        http(
            "GET", stack.url + APPLE_APP_LINKS_PATH, headers={"host": "links.taken.example"}
        ).status
        == 404
    )
    assert http("GET", f"{stack.url}/.well-known/security.txt").status == 404


@pytest.fixture
def token(stack: EmbeddedStack, http: Http, request: pytest.FixtureRequest) -> str:
    """The token of a new link, in a campaign named after the test."""
    message = {
        "workspace": "domains",
        "campaign": request.node.name,
        "kind": "campaign",
        "channel": "email",
        "from": "news@acme.example",
        "content": {"html": '<a href="https://acme.example/shop">shop</a>'},
        "recipients": [{"delivery": "d1", "person": "p1", "data": {}}],
    }
    rewritten = http("POST", f"{stack.url}/v1/rewrite", body=message).json()
    html: str = rewritten["deliveries"][0]["content"]["html"]
    return html.partition('href="')[2].partition('"')[0].partition("/e/c/")[2]


@pytest.mark.parametrize("host", ["links.gone.example", "e.waypost.example", "links.acme.example"])
def test_link_redirects_on_every_host_of_the_stack(
    stack: EmbeddedStack, http: Http, token: str, host: str
) -> None:
    response = http("GET", f"{stack.url}/e/c/{token}", headers={"host": host})
    assert response.status == 302
    assert response.headers["location"].startswith("https://acme.example/shop")


def test_link_opened_by_an_app_redirects_and_counts_once(
    stack: EmbeddedStack, http: Http, token: str, request: pytest.FixtureRequest
) -> None:
    headers = {"user-agent": "Acme/1.0 CFNetwork/1.0 Darwin/25.0"}
    for method in ("GET", "HEAD"):
        opened = http(method, f"{stack.url}/app/e/c/{token}", headers=headers)
        assert opened.status == 302
        assert opened.headers["location"].startswith("https://acme.example/shop")
    assert stack.wait_until_counted()
    campaign = f"{stack.url}/v1/workspaces/domains/campaigns/{request.node.name}"
    assert http("GET", campaign).json()["clicks"]["total"] == 1
