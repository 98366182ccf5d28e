"""Test the domain tool on the embedded stack."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from urllib3.response import HTTPResponse

from local.stack import EmbeddedStack
from tools.domains import main
from tools.management_api import ApiError, ManagementApi

HOST = "links.tool.example"
Run = Callable[..., str]


@pytest.fixture
def run(stack: EmbeddedStack, capsys: pytest.CaptureFixture[str]) -> Run:
    def run_tool(command: str, *options: str, workspace: str = "tool") -> str:
        main([command, "--base", stack.url, "--workspace", workspace, *options])
        return capsys.readouterr().out

    return run_tool


def test_domain_tool_adds_changes_and_removes_a_domain(run: Run) -> None:
    added = run("add", "--host", HOST, "--sending", "acme.example")
    assert added.startswith(f"{HOST}  waiting, on; new messages do not use it\n")
    assert f"{HOST} CNAME " in added
    assert f"_waypost.{HOST} TXT waypost=" in added
    assert "acme.example" in added
    assert "marked by the operator" in run("trust", "--host", HOST)
    assert "reverted" in run("revert", "--host", HOST)
    assert "waiting, on;" in run("restore", "--host", HOST)
    assert "✗ dns" in run("verify", "--host", HOST)
    assert json.loads(run("list", "--json"))[0]["host"] == HOST
    assert "Being removed" in run("remove", "--host", HOST)
    assert "you can add it again" in run("verify", "--host", HOST)
    assert run("list") == "no tracking domain yet\n"


def test_domain_tool_reports_an_api_error(run: Run) -> None:
    with pytest.raises(ApiError, match="404: no tracking domain"):
        run("show", "--host", "links.nobody.example")


def test_domain_tool_lists_the_default_host_without_a_workspace(run: Run) -> None:
    assert run("list", workspace="") == "no tracking domain yet\n"


def test_domain_tool_requires_a_host(run: Run) -> None:
    with pytest.raises(SystemExit):
        run("verify")


def test_domain_tool_signs_requests_to_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: dict[str, object] = {}

    def request(
        method: str, url: str, headers: dict[str, str], body: bytes, timeout: float
    ) -> HTTPResponse:
        sent.update(method=method, url=url, headers=headers, body=body)
        return HTTPResponse(b'{"domains": []}', status=200, preload_content=True)

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    api = ManagementApi("https://abc.execute-api.eu-west-1.amazonaws.com", "eu-west-1")
    monkeypatch.setattr(api.http, "request", request)
    api.request("GET", "/v1/workspaces/%28stack%29/domains")
    headers = sent["headers"]
    assert isinstance(headers, dict)
    assert "/eu-west-1/execute-api/aws4_request" in headers["Authorization"]
    assert "host;x-amz-date" in headers["Authorization"]
