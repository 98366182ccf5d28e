"""Play the entries of docs/runbook.md about clicks on a stack that has the problem.

The runbook names the test file of each entry; the last test compares the two.
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
    list_tested_entries,
    runbook_entry,
    wait_until,
)
from tests.e2e.sender import URLS, Sender, create_sender
from waypost.clicks.fallback_queue import serialize_click
from waypost.ids import derive_campaign_id
from waypost.models.click import Click

RUNBOOK = (TEMPLATE.parent / "docs/runbook.md").read_text("utf-8")


@pytest.fixture(scope="module")
def stack_without_ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    """Run a stack whose redirect function has the name of a missing clicks table."""
    with EmbeddedStack(
        write_template_without_ledger(tmp_path_factory.mktemp("no-ledger"))
    ) as running:
        yield running


@pytest.fixture
def operator(stack_without_ledger: EmbeddedStack) -> Operator:
    return Operator(stack_without_ledger)


@pytest.fixture
def sender(
    stack_without_ledger: EmbeddedStack, http: Http, request: pytest.FixtureRequest
) -> Sender:
    return create_sender(stack_without_ledger, http, request)


@runbook_entry("Clicks parked")
def test_queued_clicks_are_drained_automatically(operator: Operator, sender: Sender) -> None:
    ((link, *_),) = sender.send("ada")
    assert sender.click(link).headers["location"] == URLS[0]
    assert wait_until(lambda: sender.count_clicks() == 1)
    assert wait_until(lambda: operator.count_messages("ParkQueue") == 0)
    assert '"ClickParked":1' in operator.stack.log_text()


@runbook_entry("Clicks logged only")
def test_logged_clicks_are_replayed_from_the_log_once(
    operator: Operator, sender: Sender, tmp_path: Path
) -> None:
    ((link, *_),) = sender.send("ada")
    assert sender.click(link).status == 302  # starts the process, which reads the keys
    with operator.stack.cloud.suspend():
        assert sender.click(link).headers["location"] == URLS[0]
    lines = [line for line in operator.stack.log_text().splitlines() if "unrecorded_click" in line]
    assert len(lines) == 1
    file = tmp_path / "unrecorded.log"
    file.write_text("\n".join(line.partition(" | ")[2] for line in lines))
    # moto executes the suspended calls when it resumes, so the click may be stored already.
    assert operator.run_tool("clicks", "replay", str(file)).startswith("1 clicks found")
    assert wait_until(lambda: sender.count_clicks() == 2)
    assert operator.run_tool("clicks", "replay", str(file)).startswith(
        "1 clicks found, 0 newly recorded, 0 newly counted"
    )
    assert sender.count_clicks() == 2


@runbook_entry("Dead letters")
def test_dead_letters_are_counted_after_they_move_back_to_the_queue(
    operator: Operator, sender: Sender
) -> None:
    ((link, *_),) = sender.send("ada")
    sender.click(link)
    assert wait_until(lambda: sender.count_clicks() == 1)
    recorded = Click.from_item(operator.list_clicks(sender.campaign)[0])
    dead_letter = serialize_click(replace(recorded, id="a-click-in-the-dead-letters"))
    sqs = operator.client("sqs")
    dead_letters, queue = operator.stack.ref("ParkDeadLetters"), operator.stack.ref("ParkQueue")
    sqs.send_message(QueueUrl=dead_letters, MessageBody=dead_letter)
    for message in sqs.receive_message(QueueUrl=dead_letters)[
        "Messages"
    ]:  # as a message move task does
        sqs.send_message(QueueUrl=queue, MessageBody=message["Body"])
        sqs.delete_message(QueueUrl=dead_letters, ReceiptHandle=message["ReceiptHandle"])
    assert wait_until(lambda: sender.count_clicks() == 2)
    assert (operator.count_messages("ParkQueue"), operator.count_messages("ParkDeadLetters")) == (
        0,
        0,
    )


@runbook_entry("Tally errors", "Records refused")
def test_failed_stream_records_are_replayed_and_the_recount_agrees(
    operator: Operator, sender: Sender, tmp_path: Path
) -> None:
    ((link, *_),) = sender.send("ada")
    sender.click(link)
    assert wait_until(lambda: sender.count_clicks() == 1)
    _delete_counters(operator, sender.campaign)
    assert "1 expected" in operator.run_tool("clicks", "recount", "e2e", sender.campaign)

    record = {
        "eventName": "INSERT",
        "dynamodb": {"NewImage": operator.list_clicks(sender.campaign)[0]},
    }
    s3, bucket = operator.client("s3"), operator.stack.ref("StreamFailures")
    s3.put_object(Bucket=bucket, Key="a", Body=json.dumps({"payload": {"Records": [record]}}))
    file = tmp_path / "failed"
    file.write_bytes(s3.get_object(Bucket=bucket, Key="a")["Body"].read())

    assert operator.run_tool("clicks", "replay", str(file)).startswith(
        "1 clicks found, 0 newly recorded, 1 newly counted"
    )
    assert "every counter is correct" in operator.run_tool(
        "clicks", "recount", "e2e", sender.campaign
    )


@runbook_entry("Records refused")
def test_queued_message_that_is_no_click_is_counted_and_stays_in_the_queue(
    operator: Operator,
) -> None:
    before = operator.count_metric('"RecordRefused":1')
    sqs, queue = operator.client("sqs"), operator.stack.ref("ParkQueue")
    sqs.send_message(QueueUrl=queue, MessageBody="of another program")
    assert wait_until(lambda: operator.count_metric('"RecordRefused":1') > before)
    assert "Malformed queue message" in operator.stack.log_text()
    assert operator.count_messages("ParkQueue") == 1
    sqs.purge_queue(QueueUrl=queue)


@runbook_entry("Origin refused")
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
    documented: set[tuple[str, str]] = set()
    for text in entries:
        name = text.partition("\n")[0]
        files = re.findall(r"^\*Played in `([^`]+)`\.\*$", text, flags=re.MULTILINE)
        documented |= {(name, file) for file in files}
        reasons = re.findall(r"^\*Not played: \S.*\*$", text, flags=re.MULTILINE)
        assert len(files) + len(reasons) == 1, name
    assert documented == set(list_tested_entries())


def _delete_counters(operator: Operator, campaign: str) -> None:
    """Delete the counters and the recipient's row, as if the tally had failed for good."""
    dynamodb, table = operator.client("dynamodb"), operator.stack.ref("CampaignsTable")
    code = derive_campaign_id("e2e", campaign)
    for item in dynamodb.scan(TableName=table)["Items"]:
        partition, sort = item["pk"]["S"], item["sk"]["S"]
        counter = partition.startswith(f"C#{code}") and re.match("N#(?!sent)", sort)
        if counter or partition.startswith(f"R#{code}"):
            dynamodb.delete_item(TableName=table, Key={"pk": item["pk"], "sk": item["sk"]})
