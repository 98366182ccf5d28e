"""The operator's commands on a stack's tables."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.click_factory import CAMPAIGN, NOON, make_click
from tests.colliding_names import COLLIDING, OWNER
from tests.dynamodb_tables import TemporaryTables
from tools import clicks
from tools.stack import DeployedStack
from waypost.clicks.fallback_queue import serialize_click
from waypost.composition import Repositories
from waypost.errors import AlreadyExists
from waypost.ids import derive_workspace_id
from waypost.models.tracking_domain import STACK_WORKSPACE, STACK_WORKSPACE_NAME, create_domain


class Events:
    def put_events(self, *, Entries: list[Any]) -> dict[str, Any]:  # noqa: N803
        return {"Entries": [{} for _ in Entries]}


@pytest.fixture(autouse=True)
def stack(tables: TemporaryTables, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("clicks", "campaigns", "workspaces", "short_links"):
        monkeypatch.setenv(f"{variable.upper()}_TABLE", getattr(tables, variable))
    monkeypatch.setenv("EVENT_BUS", "clicks")
    made = {"dynamodb": tables.client, "events": Events()}
    monkeypatch.setattr(DeployedStack, "client", lambda _, service: made[service])


def test_lost_clicks_are_replayed_once(
    dynamodb_stores: Repositories, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "lost.ndjson"
    file.write_text(
        serialize_click(make_click("a")) + "\n" + serialize_click(make_click("b", person="p2"))
    )
    for anew in (2, 0):
        assert clicks.main(["--env", "dev", "replay", str(file)]) == 0
        told = f"2 clicks found, {anew} newly recorded, {anew} newly counted\n"
        assert capsys.readouterr().out == told
    assert dynamodb_stores.campaigns.get_counts(CAMPAIGN).total.human == 2


def test_a_file_without_clicks_is_named(
    dynamodb_stores: Repositories, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("nothing of ours\n")
    assert clicks.main(["replay", str(file)]) == 0
    assert f"{file}: no clicks" in capsys.readouterr().err
    file.write_bytes(b"\x89PNG")
    with pytest.raises(SystemExit, match="not UTF-8 text"):
        clicks.main(["replay", str(file)])


def test_a_campaign_that_nobody_sent_is_not_right_but_unknown(
    dynamodb_stores: Repositories,
) -> None:
    with pytest.raises(SystemExit, match="workspace 'acme' has no campaign 'spring-sail'"):
        clicks.main(["recount", "acme", "spring-sail"])


def test_a_recount_tells_differences_and_sets_them_right(
    dynamodb_stores: Repositories, capsys: pytest.CaptureFixture[str]
) -> None:
    dynamodb_stores.clicks.record(make_click())
    command = ["--env", "dev", "recount", "acme", "spring-sale"]
    assert clicks.main(command) == 1
    assert "total human: 0 counted, 1 expected" in capsys.readouterr().out
    assert clicks.main([*command, "--repair"]) == 0
    assert clicks.main(command) == 0
    assert capsys.readouterr().out.endswith("every counter is correct\n")


def test_a_person_is_erased_and_figures_stay(
    dynamodb_stores: Repositories, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "clicks.ndjson"
    file.write_text(
        "\n".join(serialize_click(make_click(f"c{n}", person="erika", after=n)) for n in range(3))
    )
    clicks.main(["--env", "dev", "replay", str(file)])
    before = dynamodb_stores.campaigns.get_counts(CAMPAIGN)
    assert clicks.main(["--env", "dev", "erase", "acme", "erika"]) == 0
    assert (
        "3 clicks in 1 campaigns are anonymous now, 0 links are erased" in capsys.readouterr().out
    )
    assert dynamodb_stores.campaigns.get_counts(CAMPAIGN) == before
    assert "erika" not in str(list(dynamodb_stores.clicks.scan_by_campaign(CAMPAIGN)))
    assert clicks.main(["--env", "dev", "recount", "acme", "spring-sale"]) == 0


def test_opting_out_and_in(dynamodb_stores: Repositories) -> None:
    person = (make_click().workspace, "p1")
    assert clicks.main(["--env", "dev", "opt-out", "acme", "p1"]) == 0
    assert set(dynamodb_stores.workspaces.get_opt_outs({person})) == {person}
    assert clicks.main(["--env", "dev", "opt-in", "acme", "p1"]) == 0
    assert dynamodb_stores.workspaces.get_opt_outs({person}) == {}


def test_names_of_an_earlier_release_are_claimed_by_their_first_writers(
    dynamodb_stores: Repositories, capsys: pytest.CaptureFixture[str]
) -> None:
    def send(workspace: str, now: datetime) -> None:
        dynamodb_stores.campaigns.get_or_create(
            workspace, f"of {workspace}", kind="", channel="email", now=now
        )

    send(COLLIDING, NOON)
    send("acme", NOON)
    domain = create_domain(
        derive_workspace_id(OWNER),
        OWNER,
        "links.wonka.example",
        "wonka.example",
        "f00d",
        NOON - timedelta(days=1),
    )
    dynamodb_stores.domains.add(domain)
    stack_host = create_domain(
        STACK_WORKSPACE, STACK_WORKSPACE_NAME, "e.example.com", "e.example.com", "f00d", NOON
    )
    dynamodb_stores.domains.add(stack_host)
    for _ in range(2):
        assert clicks.main(["claim-names"]) == 1
        printed = capsys.readouterr()
        assert printed.out == "2 names of workspaces are claimed\n"
        assert printed.err == f"workspace {COLLIDING!r}: its id belongs to another name\n"
    with pytest.raises(AlreadyExists):
        dynamodb_stores.workspaces.resolve_id(COLLIDING)


@pytest.mark.parametrize(
    ("command", "argument"),
    [("recount", "spring-sale"), ("opt-out", "p1"), ("opt-in", "p1"), ("erase", "p1")],
)
def test_commands_refuse_a_name_whose_id_belongs_to_another(
    dynamodb_stores: Repositories, command: str, argument: str
) -> None:
    workspace_id = dynamodb_stores.workspaces.claim_id(OWNER)
    opt_out = dynamodb_stores.workspaces.opt_out(workspace_id, "p1", NOON)
    with pytest.raises(AlreadyExists, match="choose another name"):
        clicks.main([command, COLLIDING, argument])
    person = (workspace_id, "p1")
    assert dynamodb_stores.workspaces.get_opt_outs({person}) == {person: opt_out}


def test_campaigns_of_an_earlier_release_are_listed(
    dynamodb_stores: Repositories, tables: TemporaryTables, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = {"kind": "campaign", "channel": "email", "now": NOON}
    code = dynamodb_stores.campaigns.get_or_create("acme", "spring-sale", **opened)  # type: ignore[arg-type]
    tables.client.update_item(
        TableName=tables.campaigns,
        Key={"pk": {"S": f"C#{code}"}, "sk": {"S": "C"}},
        UpdateExpression="REMOVE listed",
    )
    for listed in (1, 0):
        assert clicks.main(["--env", "dev", "list-campaigns"]) == 0
        assert capsys.readouterr().out == f"{listed} campaigns added to their workspaces' lists\n"
