"""Test that the embedded stack delivers streams and queues as event source mappings do."""

from __future__ import annotations

import json
import time

import pytest


@pytest.fixture
def put(small_stack):
    def write(*keys):
        for key in keys:
            small_stack.cloud.client("dynamodb").put_item(
                TableName=small_stack.ref("Ledger"), Item={"pk": {"S": key}}
            )

    return write


@pytest.fixture
def send(small_stack):
    def send(*bodies):
        for body in bodies:
            small_stack.cloud.client("sqs").send_message(
                QueueUrl=small_stack.ref("Jobs"), MessageBody=body
            )

    return send


def read_item(small_stack, key):
    found = small_stack.cloud.client("dynamodb").get_item(
        TableName=small_stack.ref("Ledger"), Key={"pk": {"S": key}}
    )
    return found.get("Item")


def count_records(small_stack):
    return int((read_item(small_stack, "tally") or {"seen": {"N": "0"}})["seen"]["N"])


def read_failed_batches(small_stack):
    """Read the batches in the failure bucket, each with the keys of its records."""
    s3, bucket = small_stack.cloud.client("s3"), small_stack.ref("Failures")
    found = []
    for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
        body = json.loads(s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read())
        records = json.loads(body.pop("payload"))["Records"]
        found.append((body, [record["dynamodb"]["NewImage"]["pk"]["S"] for record in records]))
    return found


def test_inserted_items_are_delivered_once(small_stack, put):
    before = count_records(small_stack)
    put(*[f"count-once-{n}" for n in range(25)])
    assert small_stack.wait_until_counted()
    assert count_records(small_stack) == before + 25


def test_stream_filter_passes_inserts_and_drops_changes(small_stack, put):
    before = count_records(small_stack)
    put("count-filter")
    assert small_stack.wait_until_counted()
    client = small_stack.cloud.client("dynamodb")
    client.update_item(
        TableName=small_stack.ref("Ledger"),
        Key={"pk": {"S": "count-filter"}},
        UpdateExpression="SET changed = :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
    )
    client.delete_item(TableName=small_stack.ref("Ledger"), Key={"pk": {"S": "count-filter"}})
    assert small_stack.wait_until_counted()
    assert count_records(small_stack) == before + 1
    assert read_item(small_stack, "tally")["eventName"]["S"] == "INSERT"


def test_failing_record_is_stored_alone_and_its_neighbours_are_delivered(small_stack, put):
    before = count_records(small_stack)
    put("count-p1", "count-p2", "poison-1", "count-p3", "count-p4")
    assert small_stack.wait_until_counted()
    assert count_records(small_stack) >= before + 4
    ((about, keys),) = read_failed_batches(small_stack)
    assert keys == ["poison-1"]
    assert about["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert about["requestContext"]["approximateInvokeCount"] == 2
    assert about["DDBStreamBatchInfo"]["batchSize"] == 1
    assert about["DDBStreamBatchInfo"]["streamArn"].endswith(
        small_stack.cloud.client("dynamodb")
        .describe_table(TableName=small_stack.ref("Ledger"))["Table"]["LatestStreamArn"]
        .rpartition("/")[2]
    )


def test_queued_messages_reach_the_table_and_the_tally(small_stack, send):
    before = count_records(small_stack)
    send(*[f"count-queue-{n}" for n in range(12)])
    assert small_stack.wait_until_counted()
    assert count_records(small_stack) == before + 12


def test_failing_message_goes_to_the_dead_letter_queue_after_its_retries(small_stack, send):
    send("poison", "count-beside-poison")
    sqs, dead = small_stack.cloud.client("sqs"), small_stack.ref("Dead")
    deadline = time.monotonic() + 15
    found: list[str] = []
    while not found and time.monotonic() < deadline:
        answer = sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=0)
        found = [message["Body"] for message in answer.get("Messages", [])]
        time.sleep(0.1)
    assert found == ["poison"]
    assert read_item(small_stack, "count-beside-poison")


def test_settle_route_waits_until_records_are_counted(small_stack, put, http):
    before = count_records(small_stack)
    put("count-settle")
    assert http("POST", f"{small_stack.url}/_local/settle").json() == {"settled": True}
    assert count_records(small_stack) == before + 1
