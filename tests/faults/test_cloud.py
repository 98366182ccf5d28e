"""What is broken are the calls of the function under test, and no others."""

import pytest
from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError

from tests.faults.cloud import REGION, clouds


def test_calls_to_a_stack_on_this_machine_are_left_alone():
    elsewhere = Session().client(
        "sqs",
        region_name=REGION,
        endpoint_url="http://127.0.0.1:1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )
    with clouds() as cloud, pytest.raises(EndpointConnectionError):
        elsewhere.list_queues()
    assert not cloud.calls
