"""Streams and queues of the embedded stack are delivered as event source mappings deliver them."""

from __future__ import annotations

import json
import time

import pytest


@pytest.fixture
def put(small):
    def write(*keys):
        for key in keys:
            small.cloud.client("dynamodb").put_item(
                TableName=small.ref("Ledger"), Item={"pk": {"S": key}}
            )

    return write


@pytest.fixture
def send(small):
    def send(*bodies):
        for body in bodies:
            small.cloud.client("sqs").send_message(QueueUrl=small.ref("Jobs"), MessageBody=body)

    return send


def row(small, key):
    found = small.cloud.client("dynamodb").get_item(
        TableName=small.ref("Ledger"), Key={"pk": {"S": key}}
    )
    return found.get("Item")


def counted(small):
    return int((row(small, "tally") or {"seen": {"N": "0"}})["seen"]["N"])


def kept(small):
    """The batches in the failure bucket, each with the keys of its records."""
    s3, bucket = small.cloud.client("s3"), small.ref("Failures")
    found = []
    for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
        body = json.loads(s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read())
        records = json.loads(body.pop("payload"))["Records"]
        found.append((body, [record["dynamodb"]["NewImage"]["pk"]["S"] for record in records]))
    return found


def test_inserted_items_are_delivered_once(small, put):
    before = counted(small)
    put(*[f"count-once-{n}" for n in range(25)])
    assert small.wait_until_counted()
    assert counted(small) == before + 25


def test_stream_filter_passes_inserts_and_drops_changes(small, put):
    before = counted(small)
    put("count-filter")
    assert small.wait_until_counted()
    client = small.cloud.client("dynamodb")
    client.update_item(
        TableName=small.ref("Ledger"),
        Key={"pk": {"S": "count-filter"}},
        UpdateExpression="SET changed = :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
    )
    client.delete_item(TableName=small.ref("Ledger"), Key={"pk": {"S": "count-filter"}})
    assert small.wait_until_counted()
    assert counted(small) == before + 1
    assert row(small, "tally")["eventName"]["S"] == "INSERT"


def test_failing_record_is_stored_alone_and_its_neighbours_are_delivered(small, put):
    before = counted(small)
    put("count-p1", "count-p2", "poison-1", "count-p3", "count-p4")
    assert small.wait_until_counted()
    assert counted(small) >= before + 4
    ((about, keys),) = kept(small)
    assert keys == ["poison-1"]
    assert about["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert about["requestContext"]["approximateInvokeCount"] == 2
    assert about["DDBStreamBatchInfo"]["batchSize"] == 1
    assert about["DDBStreamBatchInfo"]["streamArn"].endswith(
        small.cloud.client("dynamodb")
        .describe_table(TableName=small.ref("Ledger"))["Table"]["LatestStreamArn"]
        .rpartition("/")[2]
    )


def test_queued_messages_reach_the_table_and_the_tally(small, send):
    before = counted(small)
    send(*[f"count-queue-{n}" for n in range(12)])
    assert small.wait_until_counted()
    assert counted(small) == before + 12


def test_failing_message_goes_to_the_dead_letter_queue_after_its_retries(small, send):
    send("poison", "count-beside-poison")
    sqs, dead = small.cloud.client("sqs"), small.ref("Dead")
    deadline = time.monotonic() + 15
    found: list[str] = []
    while not found and time.monotonic() < deadline:
        answer = sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=0)
        found = [message["Body"] for message in answer.get("Messages", [])]
        time.sleep(0.1)
    assert found == ["poison"]
    assert row(small, "count-beside-poison")


def test_settle_route_waits_until_records_are_counted(small, put, http):
    before = counted(small)
    put("count-settle")
    assert http("POST", f"{small.url}/_local/settle").json() == {"settled": True}
    assert counted(small) == before + 1
