"""What an operator meets, on the whole stack: broken records, people who leave, doubts."""

from __future__ import annotations

import json

import pytest

from tools import clicks
from tools.stack import DeployedStack


@pytest.fixture
def operate(stack, monkeypatch):
    """Runs a command of tools.clicks on the stack."""
    names = {"CLICKS_TABLE": "ClicksTable", "CAMPAIGNS_TABLE": "CampaignsTable"}
    names |= {"WORKSPACES_TABLE": "WorkspacesTable", "EVENT_BUS": "EventBus"}
    for variable, logical_id in names.items():
        monkeypatch.setenv(variable, stack.ref(logical_id))
    monkeypatch.setattr(DeployedStack, "client", lambda _, service: stack.cloud.client(service))
    monkeypatch.setattr(DeployedStack, "resource", lambda _, logical_id: stack.ref(logical_id))
    return lambda *arguments: clicks.main(["--env", "dev", *arguments])


def kept_failures(stack):
    """What lies in the failure bucket, as text."""
    s3, bucket = stack.cloud.client("s3"), stack.ref("StreamFailures")
    return [
        s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read().decode()
        for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", [])
    ]


def test_malformed_stream_record_is_stored_with_its_payload_and_blocks_no_other(stack, sender):
    ((link, *_),) = sender.send("ada")
    broken = {"pk": {"S": "no click"}, "sk": {"S": sender.campaign}}
    stack.cloud.client("dynamodb").put_item(TableName=stack.ref("ClicksTable"), Item=broken)
    sender.click(link)
    assert sender.load_report()["clicks"]["total"] == 1
    [kept] = [text for text in kept_failures(stack) if sender.campaign in text]
    assert "no click" in json.dumps(json.loads(kept))


def test_person_who_opted_out_is_redirected_and_counted_anonymously(sender, operate):
    (ada, ben) = sender.send("ada-who-left", "ben-who-stayed")
    assert operate("opt-out", "e2e", "ada-who-left") == 0
    assert sender.click(ada[0]).status == 302
    assert sender.click(ben[0]).status == 302
    report = sender.load_report()
    assert (report["clicks"]["total"], report["clicks"]["unique"], report["clicked"]) == (2, 2, 2)
    link = report["links"][0]["link"]
    people = sender.call_api("GET", f"links/{link}/people").json()["people"]
    assert "ada-who-left" not in json.dumps(people)
    assert "ben-who-stayed" in json.dumps(people)
    assert operate("recount", "e2e", sender.campaign) == 0


def test_erased_person_is_in_no_table_and_totals_stay(stack, sender, operate):
    (ada,) = sender.send("ada-to-be-erased")
    for link in ada:
        sender.click(link)
    before = sender.load_report()
    assert operate("erase", "e2e", "ada-to-be-erased") == 0
    assert sender.click(ada[0]).status == 302
    after = sender.load_report()
    assert after["clicks"]["total"] == before["clicks"]["total"] + 1
    assert after["clicks"]["unique"] == before["clicks"]["unique"] == 1
    tables = [stack.ref(name) for name in ("ClicksTable", "CampaignsTable")]
    items = [stack.cloud.client("dynamodb").scan(TableName=table)["Items"] for table in tables]
    assert "ada-to-be-erased" not in str(items)
    assert operate("recount", "e2e", sender.campaign) == 0


def test_click_that_was_only_logged_is_replayed_once(sender, operate, tmp_path):
    ((link, *_),) = sender.send("ada")
    sender.click(link)
    sender.load_report()
    [click] = sender.call_api("GET", "people/ada/activity").json()["clicks"][:1]
    assert click["campaign"] == sender.campaign
    file = tmp_path / "redirect.log"
    lost = {
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
    file.write_text(json.dumps({"level": "ERROR", "unrecorded_click": lost}))
    for _ in range(2):
        assert operate("replay", str(file)) == 0
    assert sender.load_report()["clicks"]["total"] == 2
