"""Test that a subscriber of the event bus receives each click once."""

from __future__ import annotations

import json

import pytest

from tests.e2e.sender import URLS, Sender


@pytest.fixture
def read_events(stack):
    """Return a function that reads the events in a subscriber's queue."""
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


def test_event_of_a_click_has_the_fields_of_the_customer_io_webhook(stack, http, read_events):
    sender = Sender(stack, http, "announced")
    ((link, *_),) = sender.send("ada")
    for _ in range(2):
        sender.click(link, x_amz_cf_id="the-same-request")
    sender.load_report()
    [clicked] = [
        event for event in read_events() if event["data"]["delivery_id"] == "announced-ada"
    ]
    assert (clicked["metric"], clicked["data"]["customer_id"], clicked["data"]["href"]) == (
        "clicked",
        "ada",
        URLS[0],
    )
    assert clicked["data"]["verdict"]["kind"] in {"human", "machine"}
