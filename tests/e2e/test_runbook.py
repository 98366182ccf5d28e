"""What docs/runbook.md tells an operator to do, done to a stack that has the trouble.

Entries that are played here or in a file beside say so in the runbook; a test at the end holds the
two together.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from local.stack import TEMPLATE, EmbeddedStack
from tests.e2e.conftest import Http, HttpAnswer, write_template_without_ledger
from tests.e2e.runbook_operator import (
    Operator,
    count_clicks,
    entry,
    list_tested_entries,
    wait_until,
)
from tests.e2e.test_click_tracking import URLS, Sender
from waypost.clicks.fallback_queue import serialize_click
from waypost.ids import derive_campaign_id
from waypost.models.click import Click

RUNBOOK = (TEMPLATE.parent / "docs/runbook.md").read_text("utf-8")


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    """A stack whose redirect looks for a ledger that is not there; everybody else finds it."""
    with EmbeddedStack(
        write_template_without_ledger(tmp_path_factory.mktemp("troubled"))
    ) as running:
        yield running


@pytest.fixture
def desk(troubled: EmbeddedStack) -> Operator:
    return Operator(troubled)


@pytest.fixture
def sender(troubled: EmbeddedStack, http: Http, request: pytest.FixtureRequest) -> Sender:
    return Sender(troubled, http, request.node.name.replace("_", "-")[:60])


@entry("Clicks parked")
def test_queued_clicks_are_drained_automatically(desk: Operator, sender: Sender) -> None:
    ((link, *_),) = sender.send("ada")
    assert sender.click(link).headers["location"] == URLS[0]
    assert wait_until(lambda: count_clicks(sender) == 1)
    assert wait_until(lambda: desk.count_messages("ParkQueue") == 0)
    assert '"ClickParked":1' in desk.stack.log_text()


@entry("Clicks logged only")
def test_logged_clicks_are_replayed_from_the_log_once(
    desk: Operator, sender: Sender, tmp_path: Path
) -> None:
    ((link, *_),) = sender.send("ada")
    assert sender.click(link).status == 302  # the keys are read, and the processes warm
    with desk.stack.cloud.suspend():
        assert sender.click(link).headers["location"] == URLS[0]
    lost = [line for line in desk.stack.log_text().splitlines() if "unrecorded_click" in line]
    assert len(lost) == 1
    file = tmp_path / "unrecorded.log"
    file.write_text("\n".join(line.partition(" | ")[2] for line in lost))
    # moto wakes up and does what it was asked meanwhile, so the click may be there after all
    assert desk.run_tool("clicks", "replay", str(file)).startswith("1 clicks found")
    assert wait_until(lambda: count_clicks(sender) == 2)
    assert desk.run_tool("clicks", "replay", str(file)).startswith(
        "1 clicks found, 0 newly recorded, 0 newly counted"
    )
    assert count_clicks(sender) == 2


@entry("Dead letters")
def test_dead_letters_are_counted_after_they_move_back_to_the_queue(
    desk: Operator, sender: Sender
) -> None:
    ((link, *_),) = sender.send("ada")
    sender.click(link)
    assert wait_until(lambda: count_clicks(sender) == 1)
    recorded = Click.from_item(desk.list_clicks(sender.campaign)[0])
    letter = serialize_click(replace(recorded, id="a-click-that-was-given-up"))
    sqs = desk.client("sqs")
    dead, park = desk.stack.ref("ParkDeadLetters"), desk.stack.ref("ParkQueue")
    sqs.send_message(QueueUrl=dead, MessageBody=letter)
    for message in sqs.receive_message(QueueUrl=dead)["Messages"]:  # as a move task does
        sqs.send_message(QueueUrl=park, MessageBody=message["Body"])
        sqs.delete_message(QueueUrl=dead, ReceiptHandle=message["ReceiptHandle"])
    assert wait_until(lambda: count_clicks(sender) == 2)
    assert (desk.count_messages("ParkQueue"), desk.count_messages("ParkDeadLetters")) == (0, 0)


@entry("Tally errors", "Records refused")
def test_failed_stream_records_are_replayed_and_the_recount_agrees(
    desk: Operator, sender: Sender, tmp_path: Path
) -> None:
    ((link, *_),) = sender.send("ada")
    sender.click(link)
    assert wait_until(lambda: count_clicks(sender) == 1)
    _lose_the_counters(desk, sender.campaign)
    assert "1 expected" in desk.run_tool("clicks", "recount", "e2e", sender.campaign)

    record = {"eventName": "INSERT", "dynamodb": {"NewImage": desk.list_clicks(sender.campaign)[0]}}
    s3, bucket = desk.client("s3"), desk.stack.ref("StreamFailures")
    s3.put_object(Bucket=bucket, Key="a", Body=json.dumps({"payload": {"Records": [record]}}))
    file = tmp_path / "failed"
    file.write_bytes(s3.get_object(Bucket=bucket, Key="a")["Body"].read())

    assert desk.run_tool("clicks", "replay", str(file)).startswith(
        "1 clicks found, 0 newly recorded, 1 newly counted"
    )
    assert "every counter is correct" in desk.run_tool("clicks", "recount", "e2e", sender.campaign)


@entry("Origin refused")
def test_outdated_origin_secret_is_refused_until_the_lock_opens(
    no_aws_settings: None, http: Http
) -> None:
    def click(**parameters: str) -> HttpAnswer:
        with EmbeddedStack(parameters=parameters) as stack:
            sender = Sender(stack, http, "renewed")
            ((link, *_),) = sender.send("ada")
            host = {"host": "trackingapi.execute-api.us-east-1.amazonaws.com"}
            answer: HttpAnswer = sender.click(link, x_waypost_origin="an old secret", **host)
            return answer

    assert click(OriginLock="closed").status == 403
    assert click(OriginLock="open").status == 302


def test_every_runbook_entry_names_its_test_file_or_a_reason() -> None:
    entries = re.split(r"^## ", RUNBOOK, flags=re.MULTILINE)[1:]
    told: set[tuple[str, str]] = set()
    for text in entries:
        name = text.partition("\n")[0]
        files = re.findall(r"^\*Played in `([^`]+)`\.\*$", text, flags=re.MULTILINE)
        told |= {(name, file) for file in files}
        reasons = re.findall(r"^\*Not played: \S.*\*$", text, flags=re.MULTILINE)
        assert len(files) + len(reasons) == 1, name
    assert told == set(list_tested_entries())


def _lose_the_counters(desk: Operator, campaign: str) -> None:
    """As if the tally had given the click up: neither counters nor the recipient's row."""
    dynamodb, table = desk.client("dynamodb"), desk.stack.ref("CampaignsTable")
    code = derive_campaign_id("e2e", campaign)
    for item in dynamodb.scan(TableName=table)["Items"]:
        partition, sort = item["pk"]["S"], item["sk"]["S"]
        counter = partition.startswith(f"C#{code}") and re.match("N#(?!sent)", sort)
        if counter or partition.startswith(f"R#{code}"):
            dynamodb.delete_item(TableName=table, Key={"pk": item["pk"], "sk": item["sk"]})
