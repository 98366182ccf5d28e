"""Test moto in the embedded stack: transactions, streams, and one request at a time."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from tempfile import TemporaryFile

import pytest
from mypy_boto3_dynamodb import DynamoDBClient

from local.cloud import MotoCloud


@pytest.fixture(scope="module")
def cloud(no_aws_settings: None) -> Iterator[MotoCloud]:
    with TemporaryFile() as log:
        running = MotoCloud(log)
        yield running
        running.close()


@pytest.fixture
def table(cloud, request):
    name = request.node.name
    cloud.client("dynamodb").create_table(
        TableName=name,
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    return name


@pytest.fixture
def stream(cloud, table):
    """Return a function that reads the stream's new records, with one chain of iterators."""
    client = cloud.client("dynamodbstreams")
    described = cloud.client("dynamodb").describe_table(TableName=table)["Table"]
    arn = described["LatestStreamArn"]
    shard = client.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]
    place = {
        "next": client.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
    }

    def read():
        answer = client.get_records(ShardIterator=place["next"])
        place["next"] = answer["NextShardIterator"]
        return [record["dynamodb"]["Keys"]["pk"]["S"] for record in answer["Records"]]

    return read


def put(table, pk, **more):
    return {"Put": {"TableName": table, "Item": {"pk": {"S": pk}, "sk": {"S": "x"}}, **more}}


def add(table, pk, **more):
    return {
        "Update": {
            "TableName": table,
            "Key": {"pk": {"S": pk}, "sk": {"S": "x"}},
            "UpdateExpression": "ADD n :one",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
            **more,
        }
    }


def rows(client: DynamoDBClient, table):
    found = client.scan(TableName=table, ConsistentRead=True)["Items"]
    return {item["pk"]["S"]: int(item.get("n", {"N": "0"})["N"]) for item in found}


def test_transaction_is_applied_completely(cloud, table, stream):
    client = cloud.client("dynamodb")
    client.transact_write_items(TransactItems=[put(table, "a"), add(table, "b")])
    client.transact_write_items(TransactItems=[add(table, "b")])
    assert rows(client, table) == {"a": 0, "b": 2}
    assert stream()[0] == "a"


def test_cancelled_transaction_changes_neither_tables_nor_streams(cloud, table, stream):
    client = cloud.client("dynamodb")
    client.transact_write_items(TransactItems=[put(table, "a"), add(table, "b")])
    stream()
    taken = put(table, "a", ConditionExpression="attribute_not_exists(pk)")
    delete = {"Delete": {"TableName": table, "Key": {"pk": {"S": "a"}, "sk": {"S": "x"}}}}
    for actions in ([add(table, "b"), put(table, "c"), taken], [taken, add(table, "b")]):
        with pytest.raises(client.exceptions.TransactionCanceledException):
            client.transact_write_items(TransactItems=actions)
    absent = add(table, "nobody", ConditionExpression="attribute_exists(pk)")
    with pytest.raises(client.exceptions.TransactionCanceledException):
        client.transact_write_items(TransactItems=[delete, absent])
    assert rows(client, table) == {"a": 0, "b": 1}
    assert stream() == []
    client.transact_write_items(TransactItems=[put(table, "d")])
    assert stream() == ["d"]


def test_concurrent_transactions_lose_no_update(cloud, table):
    client = cloud.client("dynamodb")

    def count(number):
        actions = [add(table, "total"), put(table, f"row-{number}")]
        if number % 3 == 0:
            actions.append(add(table, "nobody", ConditionExpression="attribute_exists(pk)"))
        try:
            client.transact_write_items(TransactItems=actions)
        except client.exceptions.TransactionCanceledException:
            return 0
        return 1

    with ThreadPoolExecutor(8) as threads:
        applied = sum(threads.map(count, range(60)))
    assert applied == 40
    assert rows(client, table)["total"] == 40
    assert len(rows(client, table)) == 41


def test_suspended_moto_responds_only_after_it_resumes(cloud, table):
    client = cloud.client("dynamodb")
    client.put_item(TableName=table, Item={"pk": {"S": "a"}, "sk": {"S": "x"}})
    with ThreadPoolExecutor(1) as thread:
        with cloud.suspend():
            waiting = thread.submit(rows, client, table)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.3)
        assert waiting.result(timeout=20) == {"a": 0}


def test_aws_profile_of_the_caller_is_ignored(cloud, monkeypatch, tmp_path):
    broken = tmp_path / "config"
    broken.write_text("[default]\nregion = nowhere-1\n[no closing bracket\n")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(broken))
    client = cloud.client("ssm")  # no other test has created this client
    assert client.meta.region_name == "us-east-1"
    assert client.describe_parameters()["Parameters"] == []
