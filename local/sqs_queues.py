"""Event source mapping of an SQS queue: its properties, its records, and their delivery.

Processed messages are deleted. Failed ones return after the queue's visibility timeout, until the
queue's redrive policy moves them to its dead-letter queue.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from local.account import REGION
from local.cloud import MotoCloud
from local.functions import Trigger
from local.poller import (
    POLL_SECONDS,
    Invoke,
    Poller,
    Record,
    get_number,
    has_partial_responses,
    parse_failures,
)
from local.processes import StackLog

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef

_SQS_PROPERTIES: Final = frozenset(
    {
        "BatchSize",
        "FunctionResponseTypes",
        "MaximumBatchingWindowInSeconds",
        "Queue",
        "ScalingConfig",  # has no effect here: one batch at a time
    }
)
_RECEIVE_LIMIT: Final = 10  # messages; SQS's limit


@dataclass(frozen=True, slots=True)
class QueueMapping:
    """Properties of an SQS event."""

    name: str
    queue_arn: str
    batch_size: int
    batching_seconds: float
    partial_responses: bool

    @classmethod
    def from_trigger(cls, trigger: Trigger) -> Self:
        """Read the properties of a trigger. Raises TemplateError for unsupported ones."""
        trigger.reject_unknown_properties(_SQS_PROPERTIES)
        properties = trigger.properties
        return cls(
            name=trigger.name,
            queue_arn=str(properties["Queue"]),
            batch_size=get_number(properties, "BatchSize", 10),
            batching_seconds=get_number(properties, "MaximumBatchingWindowInSeconds", 0),
            partial_responses=has_partial_responses(properties),
        )


def build_sqs_record(message: MessageTypeDef, queue_arn: str) -> Record:
    """Build the record that Lambda passes to a function from one of ReceiveMessage."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": dict(message.get("Attributes", {})),
        "messageAttributes": {
            name: {
                "stringValue": value.get("StringValue"),
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": value["DataType"],
            }
            for name, value in message.get("MessageAttributes", {}).items()
        },
        "md5OfBody": message.get("MD5OfBody", ""),
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": REGION,
    }


class QueuePoller(Poller):
    """A poller that delivers one batch of messages at a time."""

    def __init__(
        self, mapping: QueueMapping, cloud: MotoCloud, invoke: Invoke, role: str, log: StackLog
    ) -> None:
        super().__init__(mapping.name, log)
        self._mapping = mapping
        self._invoke = invoke
        self._client = cloud.client("sqs", role)
        name = mapping.queue_arn.rpartition(":")[2]
        self._queue_url = cloud.client("sqs").get_queue_url(QueueName=name)["QueueUrl"]
        self._client.get_queue_attributes(
            QueueUrl=self._queue_url, AttributeNames=["VisibilityTimeout"]
        )

    def poll(self) -> bool:
        messages = self._receive()
        if not messages:
            return True
        self._process([build_sqs_record(each, self._mapping.queue_arn) for each in messages])
        return False

    def _receive(self) -> list[MessageTypeDef]:
        """Receive a batch: the messages that arrive within the window after the first one."""
        messages: list[MessageTypeDef] = []
        deadline = time.monotonic() + self._mapping.batching_seconds
        while len(messages) < self._mapping.batch_size:
            received = self._client.receive_message(
                QueueUrl=self._queue_url,
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
                MaxNumberOfMessages=min(_RECEIVE_LIMIT, self._mapping.batch_size - len(messages)),
                WaitTimeSeconds=0,  # moto answers no other request while it waits
            ).get("Messages", [])
            messages += received
            if not messages or time.monotonic() >= deadline:
                break
            if not received and self.stop_event.wait(POLL_SECONDS):
                break
        return messages

    def _process(self, records: Sequence[Record]) -> None:
        """Invoke the function, and delete the messages that it processed."""
        ids = [str(record["messageId"]) for record in records]
        failures = parse_failures(
            self._invoke({"Records": records}), ids, self._mapping.partial_responses
        )
        for record in records:
            if not failures.is_whole_batch and record["messageId"] not in failures.record_ids:
                self._client.delete_message(
                    QueueUrl=self._queue_url, ReceiptHandle=record["receiptHandle"]
                )
