"""Test that the fake account intercepts only calls to AWS, and responds to them as moto does."""

from typing import Any

import pytest
from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError
from moto.core.serialize import BaseJSONSerializer

from tests import in_process_moto
from tests.faults import fake_cloud
from tests.faults.fake_cloud import REGION, create_fake_cloud, get_client


def test_calls_to_a_local_stack_are_not_intercepted():
    local_client = Session().client(
        "sqs",
        region_name=REGION,
        endpoint_url="http://127.0.0.1:1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )
    with create_fake_cloud() as cloud, pytest.raises(EndpointConnectionError):
        local_client.list_queues()
    assert not cloud.calls


ITEM_ATTRIBUTES: dict[str, Any] = {
    "name": {"S": "w#ü"},
    "marks": {"B": b"\x00\xff"},
    "figures": {"M": {"n": {"N": "1"}, "all": {"L": [{"BOOL": True}, {"B": b"\xfe"}]}}},
}
ITEM_KEY = {"pk": {"S": "c"}, "sk": {"S": "s"}}
GET_PARAMETERS = {"TableName": "campaigns", "Key": ITEM_KEY}
UPDATE_PARAMETERS = {
    **GET_PARAMETERS,
    "UpdateExpression": "ADD sent :one",
    "ConditionExpression": "attribute_not_exists(gone)",
    "ExpressionAttributeValues": {":one": {"N": "1"}},
}
IMPOSSIBLE = {**UPDATE_PARAMETERS, "ConditionExpression": "attribute_exists(gone)"}
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("put_item", {"TableName": "campaigns", "Item": ITEM_KEY | ITEM_ATTRIBUTES}),
    ("update_item", UPDATE_PARAMETERS | {"ReturnValues": "ALL_NEW"}),
    ("update_item", IMPOSSIBLE | {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}),
    ("transact_write_items", {"TransactItems": [{"Update": UPDATE_PARAMETERS}]}),
    ("transact_write_items", {"TransactItems": [{"Update": IMPOSSIBLE}]}),
    ("get_item", GET_PARAMETERS | {"ProjectionExpression": "sent"}),
    ("batch_get_item", {"RequestItems": {"campaigns": {"Keys": [ITEM_KEY]}}}),
    (
        "query",
        {
            "TableName": "campaigns",
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": "c"}},
        },
    ),
    ("scan", {"TableName": "campaigns", "Limit": 1}),
    ("delete_item", GET_PARAMETERS | {"ReturnValues": "ALL_OLD"}),
    ("get_item", {"TableName": "nowhere", "Key": ITEM_KEY}),
]


def call_tables(cloud):
    """Yield the name, status and response of each call."""
    with cloud.reset():
        for name, parameters in CALLS:
            try:
                answer = getattr(get_client("dynamodb"), name)(**parameters)
            except ClientError as error:
                answer = error.response
            metadata = answer.pop("ResponseMetadata")
            yield name, metadata["HTTPStatusCode"], answer


def test_tables_answer_as_they_do_through_motos_own_dispatch(monkeypatch):
    serialize = BaseJSONSerializer._serialize_type_structure
    with create_fake_cloud() as cloud:
        responses = list(call_tables(cloud))
        monkeypatch.setattr(fake_cloud, "respond_with_moto", in_process_moto._call_other_service)
        monkeypatch.setattr(BaseJSONSerializer, "_serialize_type_structure", serialize)
        assert responses == list(call_tables(cloud))
    assert [status for _, status, _ in responses].count(200) == len(CALLS) - 3
