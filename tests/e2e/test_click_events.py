"""Whoever subscribes to the bus hears of every click, once."""

from __future__ import annotations

import json

import pytest

from tests.e2e.sender import URLS, Sender


@pytest.fixture
def heard(stack):
    """Reads what the bus brought to a subscriber's queue."""
    sqs, events = stack.cloud.client("sqs"), stack.cloud.client("events")
    queue = sqs.create_queue(QueueName="subscriber")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    bus = stack.ref("EventBus")
    pattern = json.dumps({"source": ["waypost"], "detail-type": ["clicked"]})
    events.put_rule(Name="clicks", EventBusName=bus, EventPattern=pattern)
    target = {"Id": "queue", "Arn": arn["Attributes"]["QueueArn"]}
    events.put_targets(Rule="clicks", EventBusName=bus, Targets=[target])

    def read():
        answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        return [json.loads(message["Body"])["detail"] for message in answer.get("Messages", [])]

    yield read
    events.remove_targets(Rule="clicks", EventBusName=bus, Ids=["queue"])
    sqs.delete_queue(QueueUrl=queue)


def test_event_of_a_click_has_the_fields_of_the_customer_io_webhook(stack, http, heard):
    sender = Sender(stack, http, "announced")
    ((link, *_),) = sender.send("ada")
    for _ in range(2):
        sender.click(link, x_amz_cf_id="the-same-request")
    sender.load_report()
    [told] = [event for event in heard() if event["data"]["delivery_id"] == "announced-ada"]
    assert (told["metric"], told["data"]["customer_id"], told["data"]["href"]) == (
        "clicked",
        "ada",
        URLS[0],
    )
    assert told["data"]["verdict"]["kind"] in {"human", "machine"}
