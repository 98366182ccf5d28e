import pytest

from tools import share
from tools.management_api import ManagementApi

LINK = {"url": "https://pages.example.com/reports/open/x", "expires": "2026-11-25T00:00:00.000Z"}


@pytest.fixture
def asked(monkeypatch) -> list[tuple[str, str, object]]:
    """What the management API was asked."""
    asked: list[tuple[str, str, object]] = []

    def ask(_: ManagementApi, method: str, path: str, body: object = None) -> object:
        asked.append((method, path, body))
        return LINK

    monkeypatch.setattr(ManagementApi, "request", ask)
    return asked


def run(*arguments: str) -> None:
    assert share.main(["--env", "dev", "--base", "http://127.0.0.1:1", *arguments]) == 0


def test_stdout_has_only_the_share_link(asked, capsys):
    run("--workspace", "acme", "--campaign", "", "--hours", "72", "--people", "")
    assert asked == [("POST", "/v1/workspaces/acme/shares", {"hours": 72, "people": False})]
    printed = capsys.readouterr()
    assert printed.out == f"{LINK['url']}\n"
    assert LINK["expires"] in printed.err


def test_request_encodes_names_and_includes_people(asked):
    run("--workspace", "a/c me", "--campaign", "spring/€", "--hours", "2", "--people", "yes")
    ((_, path, body),) = asked
    assert path == "/v1/workspaces/a%2Fc%20me/shares"
    assert body == {"campaign": "spring/€", "hours": 2, "people": True}


def test_missing_workspace_sends_no_request(asked):
    with pytest.raises(SystemExit):
        run("--workspace", "")
    assert asked == []
