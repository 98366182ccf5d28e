"""Subscribe to a stack's event bus for a short time, through a queue of the test's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from tools.stack import DeployedStack, EmbeddedStackClient

_TARGET: Final = "queue"


class SubscriptionRefused(Exception):
    """EventBridge did not accept the queue as a rule's target."""


@dataclass(frozen=True, slots=True)
class EventSubscription:
    """A queue that receives the stack's events of one delivery."""

    sqs: Any
    queue_url: str

    def receive(self) -> list[dict[str, Any]]:
        """Return the details of up to ten received events, without waiting."""
        answer = self.sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10)
        return [json.loads(message["Body"])["detail"] for message in answer.get("Messages", [])]


@contextmanager
def subscribe_to_clicks(
    stack: DeployedStack | EmbeddedStackClient, name: str, delivery: str
) -> Iterator[EventSubscription]:
    """Create a rule and a queue named ``name`` for a delivery's clicks; remove both at the end.

    EventBridge may need a minute until a new rule receives events.

    :raises SubscriptionRefused: when the rule does not accept the queue.
    """
    sqs, events, bus = (
        stack.client("sqs"),
        stack.client("events"),
        stack.get_resource_id("EventBus"),
    )
    pattern = {"source": ["waypost"], "detail-type": ["clicked"]} | {
        "detail": {"data": {"delivery_id": [delivery]}}
    }
    with ExitStack() as cleanup:
        queue = sqs.create_queue(QueueName=name)["QueueUrl"]
        cleanup.callback(sqs.delete_queue, QueueUrl=queue)
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        rule = events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps(pattern))
        cleanup.callback(events.delete_rule, Name=name, EventBusName=bus)
        policy = _build_queue_policy(arn, rule["RuleArn"])
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(policy)})
        target = {"Id": _TARGET, "Arn": arn}
        answer = events.put_targets(Rule=name, EventBusName=bus, Targets=[target])
        if answer["FailedEntryCount"]:
            raise SubscriptionRefused(f"rule {name}: {answer['FailedEntries'][0]['ErrorMessage']}")
        cleanup.callback(events.remove_targets, Rule=name, EventBusName=bus, Ids=[_TARGET])
        yield EventSubscription(sqs, queue)


def _build_queue_policy(queue_arn: str, rule_arn: str) -> dict[str, object]:
    """Build the policy that lets one rule send to the queue."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": rule_arn}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}
