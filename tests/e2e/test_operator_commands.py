"""Test the commands of ``tools.clicks``, and a malformed record, on the whole stack."""

from __future__ import annotations

import json

import pytest

from tools import clicks
from tools.stack import DeployedStack


@pytest.fixture
def run_clicks_tool(stack, monkeypatch):
    """Return a function that runs a command of ``tools.clicks`` on the stack."""
    names = {"CLICKS_TABLE": "ClicksTable", "CAMPAIGNS_TABLE": "CampaignsTable"}
    names |= {"WORKSPACES_TABLE": "WorkspacesTable", "EVENT_BUS": "EventBus"}
    for variable, logical_id in names.items():
        monkeypatch.setenv(variable, stack.ref(logical_id))
    monkeypatch.setattr(DeployedStack, "client", lambda _, service: stack.cloud.client(service))
    monkeypatch.setattr(
        DeployedStack, "get_resource_id", lambda _, logical_id: stack.ref(logical_id)
    )
    return lambda *arguments: clicks.main(["--env", "dev", *arguments])


def read_failed_batches(stack):
    """Read the objects of the failure bucket."""
    s3, bucket = stack.cloud.client("s3"), stack.ref("StreamFailures")
    return [
        s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read().decode()
        for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", [])
    ]


def test_malformed_stream_record_is_stored_with_its_payload_and_blocks_no_other(stack, sender):
    ((link, *_),) = sender.send("ada")
    malformed = {"pk": {"S": "no click"}, "sk": {"S": sender.campaign}}
    stack.cloud.client("dynamodb").put_item(TableName=stack.ref("ClicksTable"), Item=malformed)
    sender.click(link)
    assert sender.load_report()["clicks"]["total"] == 1
    [batch] = [text for text in read_failed_batches(stack) if sender.campaign in text]
    assert "no click" in json.dumps(json.loads(batch))


def test_person_who_opted_out_is_redirected_and_counted_anonymously(sender, run_clicks_tool):
    (ada, ben) = sender.send("ada-who-left", "ben-who-stayed")
    assert run_clicks_tool("opt-out", "e2e", "ada-who-left") == 0
    assert sender.click(ada[0]).status == 302
    assert sender.click(ben[0]).status == 302
    report = sender.load_report()
    assert (report["clicks"]["total"], report["clicks"]["unique"], report["clicked"]) == (2, 2, 2)
    link = report["links"][0]["link"]
    people = sender.call_api("GET", f"links/{link}/people").json()["people"]
    assert "ada-who-left" not in json.dumps(people)
    assert "ben-who-stayed" in json.dumps(people)
    assert run_clicks_tool("recount", "e2e", sender.campaign) == 0


def test_erased_person_is_in_no_table_and_totals_stay(stack, sender, run_clicks_tool):
    (ada,) = sender.send("ada-to-be-erased")
    for link in ada:
        sender.click(link)
    before = sender.load_report()
    assert run_clicks_tool("erase", "e2e", "ada-to-be-erased") == 0
    assert sender.click(ada[0]).status == 302
    after = sender.load_report()
    assert after["clicks"]["total"] == before["clicks"]["total"] + 1
    assert after["clicks"]["unique"] == before["clicks"]["unique"] == 1
    tables = [stack.ref(name) for name in ("ClicksTable", "CampaignsTable")]
    items = [stack.cloud.client("dynamodb").scan(TableName=table)["Items"] for table in tables]
    assert "ada-to-be-erased" not in str(items)
    assert run_clicks_tool("recount", "e2e", sender.campaign) == 0


def test_click_that_was_only_logged_is_replayed_once(sender, run_clicks_tool, tmp_path):
    ((link, *_),) = sender.send("ada")
    sender.click(link)
    sender.load_report()
    [click] = sender.call_api("GET", "people/ada/activity").json()["clicks"][:1]
    assert click["campaign"] == sender.campaign
    file = tmp_path / "redirect.log"
    logged_click = {
        "id": "a-click-that-was-only-logged",
        "time": click["time"],
        "link": click["link"],
        "position": 1,
        "delivery": click["delivery"],
        "person": "ada",
        "href": click["href"],
        "agent": "",
        "sent": 0,
        "expires": 4_000_000_000,
    }
    file.write_text(json.dumps({"level": "ERROR", "unrecorded_click": logged_click}))
    for _ in range(2):
        assert run_clicks_tool("replay", str(file)) == 0
    assert sender.load_report()["clicks"]["total"] == 2
