import pytest

from tools import share
from tools.management_api import ManagementApi

LINK = {"url": "https://pages.example.com/reports/open/x", "expires": "2026-11-25T00:00:00.000Z"}


@pytest.fixture
def requests(monkeypatch) -> list[tuple[str, str, object]]:
    """The requests to the management API."""
    requests: list[tuple[str, str, object]] = []

    def ask(_: ManagementApi, method: str, path: str, body: object = None) -> object:
        requests.append((method, path, body))
        return LINK

    monkeypatch.setattr(ManagementApi, "request", ask)
    return requests


def run(*arguments: str) -> None:
    assert share.main(["--env", "dev", "--base", "http://127.0.0.1:1", *arguments]) == 0


def test_stdout_has_only_the_share_link(requests, capsys):
    run("--workspace", "acme", "--campaign", "", "--hours", "72", "--people", "")
    assert requests == [("POST", "/v1/workspaces/acme/shares", {"hours": 72, "people": False})]
    output = capsys.readouterr()
    assert output.out == f"{LINK['url']}\n"
    assert LINK["expires"] in output.err


def test_request_encodes_names_and_includes_people(requests):
    run("--workspace", "a/c me", "--campaign", "spring/€", "--hours", "2", "--people", "yes")
    ((_, path, body),) = requests
    assert path == "/v1/workspaces/~YS9jIG1l/shares"
    assert body == {"campaign": "spring/€", "hours": 2, "people": True}


def test_missing_workspace_sends_no_request(requests):
    with pytest.raises(SystemExit):
        run("--workspace", "")
    assert requests == []
