"""What is broken are the calls of the function under test, and no others; what is not, is answered
as moto would.
"""

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
    elsewhere = Session().client(
        "sqs",
        region_name=REGION,
        endpoint_url="http://127.0.0.1:1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )
    with create_fake_cloud() as cloud, pytest.raises(EndpointConnectionError):
        elsewhere.list_queues()
    assert not cloud.calls


ITEM: dict[str, Any] = {
    "name": {"S": "w#ü"},
    "marks": {"B": b"\x00\xff"},
    "figures": {"M": {"n": {"N": "1"}, "all": {"L": [{"BOOL": True}, {"B": b"\xfe"}]}}},
}
PLACE = {"pk": {"S": "c"}, "sk": {"S": "s"}}
KEY = {"TableName": "campaigns", "Key": PLACE}
ADD = {
    **KEY,
    "UpdateExpression": "ADD sent :one",
    "ConditionExpression": "attribute_not_exists(gone)",
    "ExpressionAttributeValues": {":one": {"N": "1"}},
}
NEVER = {**ADD, "ConditionExpression": "attribute_exists(gone)"}
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("put_item", {"TableName": "campaigns", "Item": PLACE | ITEM}),
    ("update_item", ADD | {"ReturnValues": "ALL_NEW"}),
    ("update_item", NEVER | {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}),
    ("transact_write_items", {"TransactItems": [{"Update": ADD}]}),
    ("transact_write_items", {"TransactItems": [{"Update": NEVER}]}),
    ("get_item", KEY | {"ProjectionExpression": "sent"}),
    ("batch_get_item", {"RequestItems": {"campaigns": {"Keys": [PLACE]}}}),
    (
        "query",
        {
            "TableName": "campaigns",
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": "c"}},
        },
    ),
    ("scan", {"TableName": "campaigns", "Limit": 1}),
    ("delete_item", KEY | {"ReturnValues": "ALL_OLD"}),
    ("get_item", {"TableName": "nowhere", "Key": PLACE}),
]


def answers(cloud):
    """What a function gets for some calls, one after the other."""
    with cloud.reset():
        for name, asked in CALLS:
            try:
                answer = getattr(get_client("dynamodb"), name)(**asked)
            except ClientError as refused:
                answer = refused.response
            metadata = answer.pop("ResponseMetadata")
            yield name, metadata["HTTPStatusCode"], answer


def test_tables_answer_as_they_do_through_motos_own_dispatch(monkeypatch):
    written = BaseJSONSerializer._serialize_type_structure
    with create_fake_cloud() as cloud:
        short = list(answers(cloud))
        monkeypatch.setattr(fake_cloud, "respond_with_moto", in_process_moto._call_other_service)
        monkeypatch.setattr(BaseJSONSerializer, "_serialize_type_structure", written)
        assert short == list(answers(cloud))
    assert [status for _, status, _ in short].count(200) == len(CALLS) - 3
