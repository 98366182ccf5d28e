"""Test names with any character on every management route, over a gateway that decodes paths."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

import pytest

from local.stack import EmbeddedStack
from tests.e2e.conftest import Http
from waypost.path_names import encode_path_name

NAMES = (
    "a",
    "a/b",
    "a?b",
    "a#b",
    "a/opt-out",
    "100%",
    "..",
    "%2e%2e",
    "~x",
    "~YS9i",
    "a,b",
    "abc\u202edef",
    "caf\u00e9",
    "cafe\u0301",
    "x" * 255,
    "\U0001f600" * 63,
)


class Api:
    """The management API of a stack."""

    def __init__(self, stack: EmbeddedStack, http: Http) -> None:
        self._stack, self._http = stack, http

    def ask(self, method: str, path: str, body: object = None, status: int | None = 200) -> Any:
        answer = self._http(method, f"{self._stack.url}/v1/{path}", body=body)
        assert status in (answer.status, None), (method, path, answer)
        return answer

    def send(self, workspace: str, campaign: str, person: str) -> None:
        body = {
            "workspace": workspace,
            "campaign": campaign,
            "kind": "campaign",
            "channel": "email",
            "from": "news@mail.example.com",
            "content": {"html": '<a href="https://example.com/x">x</a>'},
            "recipients": [{"delivery": "d1", "person": person, "data": {}}],
        }
        self.ask("POST", "rewrite", body)


@pytest.fixture
def api(stack: EmbeddedStack, http: Http) -> Api:
    return Api(stack, http)


def test_each_person_is_reached_by_its_own_name_only(api: Api) -> None:
    paths = {name: f"workspaces/paths/people/{encode_path_name(name)}" for name in NAMES}

    def list_opted_out() -> list[str]:
        return [
            n for n, path in paths.items() if api.ask("GET", f"{path}/opt-out").json()["opted_out"]
        ]

    for name, path in paths.items():
        repeated = urlencode({"person": name})
        api.ask("PUT", f"{path}/opt-out")
        assert list_opted_out() == [name]
        api.ask("GET", f"{path}/activity", status=404)
        for other in ("", "?person=", f"?person={quote(name + 'x')}", "?person=nobody"):
            refused = api.ask("DELETE", f"{path}/opt-out{other}", status=400).json()
            assert [error["field"] for error in refused["errors"]] == ["person"]
            assert api.ask("DELETE", path + other, status=400).json()["errors"]
        assert list_opted_out() == [name]
        assert not api.ask("DELETE", f"{path}/opt-out?{repeated}").json()["opted_out"]
        assert list_opted_out() == []


def test_each_person_is_erased_by_its_own_name_only(api: Api) -> None:
    names = NAMES[:6]
    for name in names:
        api.ask("PUT", f"workspaces/erased/people/{encode_path_name(name)}/opt-out")
    for name in names[1:]:
        segment = encode_path_name(name)
        api.ask(
            "DELETE",
            f"workspaces/erased/people/{segment}?{urlencode({'person': name})}",
            status=202,
        )
        # Each way to write the name wrongly changes no person: it arrives as another path or name.
        for wrong in (name, quote(name), quote(name, safe=""), quote(quote(name, safe=""))):
            for query in ("", "?" + urlencode({"person": name})):
                answer = api.ask("DELETE", f"workspaces/erased/people/{wrong}{query}", status=None)
                assert answer.status in (400, 403, 404), (wrong, answer)
    survivor = api.ask("GET", f"workspaces/erased/people/{names[0]}/opt-out").json()
    assert survivor["opted_out"]


@pytest.mark.parametrize("name", NAMES)
def test_campaign_and_workspace_of_any_name_have_their_own_report(api: Api, name: str) -> None:
    segment = encode_path_name(name)
    for workspace, campaign in ((name, "spring"), ("paths", name)):
        api.send(workspace, campaign, "p1")
        path = f"workspaces/{encode_path_name(workspace)}/campaigns/{encode_path_name(campaign)}"
        report = api.ask("GET", path).json()
        assert (report["campaign"], report["deliveries"]) == (campaign, 1)
        for rest in ("/links", "/series"):
            api.ask("GET", path + rest)
    listed = api.ask("GET", f"workspaces/{segment}/campaigns").json()["campaigns"]
    assert [each["campaign"] for each in listed] == (
        ["spring"] if name != "paths" else ["spring", *NAMES]
    )
    api.ask("PUT", f"workspaces/{segment}/settings", {"short_link_days": 7})
    assert api.ask("GET", f"workspaces/{segment}/settings").json()["short_link_days"] == 7
    assert api.ask("GET", f"workspaces/{segment}/domains").json() == {"domains": []}
    api.ask("POST", f"workspaces/{segment}/shares", {"hours": 1}, status=201)


@pytest.mark.parametrize(
    "segment", ["a%20b", "caf%C3%A9", "%2E%2E", "~", "~YQ", "a%25b", "~YS9i%3D"]
)
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "workspaces/{}/campaigns", None),
        ("GET", "workspaces/{}/settings", None),
        ("PUT", "workspaces/{}/settings", {"track_opens": True}),
        ("POST", "workspaces/{}/shares", {"hours": 1}),
        ("GET", "workspaces/{}/domains", None),
        ("POST", "workspaces/{}/domains", {"host": "links.path.example"}),
        ("GET", "workspaces/paths/campaigns/{}", None),
        ("GET", "workspaces/paths/campaigns/{}/links", None),
        ("GET", "workspaces/paths/campaigns/{}/series", None),
        ("GET", "workspaces/paths/people/{}/activity", None),
        ("GET", "workspaces/paths/people/{}/opt-out", None),
        ("PUT", "workspaces/paths/people/{}/opt-out", None),
        ("DELETE", "workspaces/paths/people/{}/opt-out?person=a", None),
        ("DELETE", "workspaces/paths/people/{}?person=a", None),
        ("GET", "workspaces/paths/domains/{}", None),
        ("POST", "workspaces/paths/domains/{}", {"reverted": True}),
        ("POST", "workspaces/paths/domains/{}/verify", None),
        ("POST", "workspaces/{}/domains/links.acme.example/verify", None),
        ("POST", "operator/workspaces/paths/domains/{}", {"sending_verified": True}),
        ("POST", "operator/workspaces/{}/domains/links.acme.example", {"sending_verified": True}),
        ("DELETE", "workspaces/paths/domains/{}?host=a", None),
    ],
)
def test_another_format_is_refused_with_the_format(
    api: Api, method: str, path: str, body: object, segment: str
) -> None:
    problem = api.ask(method, path.format(segment), body, status=400).json()
    assert "base64url" in problem["errors"][0]["reason"]
