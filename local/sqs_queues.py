"""SQS queues delivered to functions, as an event source mapping does.

What a function processed is deleted; what it failed comes back after the queue's visibility
timeout, until the queue's own redrive policy moves it to its dead letters.

What connects an SQS queue with a function, and messages as Lambda hands them over.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from local.account import REGION
from local.cloud import MotoCloud
from local.filter_patterns import FilterPattern, matches_any, parse_filter_criteria
from local.functions import Trigger
from local.poller import (
    POLL_SECONDS,
    BatchFailures,
    Invoke,
    Poller,
    Record,
    get_number,
    has_partial_responses,
    parse_failures,
    reject_unknown_properties,
)
from local.processes import StackLog
from local.template import as_mapping

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef


_SQS_PROPERTIES: Final = frozenset(
    {
        "BatchSize",
        "Enabled",
        "FilterCriteria",
        "FunctionResponseTypes",
        "MaximumBatchingWindowInSeconds",
        "Queue",
        "ScalingConfig",
    }
)


@dataclass(frozen=True, slots=True)
class QueueMapping:
    """The properties of an SQS event; ``window`` in seconds."""

    name: str
    queue_arn: str
    batch_size: int
    batching_seconds: float
    partial_responses: bool
    patterns: tuple[FilterPattern, ...]

    @classmethod
    def from_trigger(cls, trigger: Trigger) -> Self:
        reject_unknown_properties(trigger, _SQS_PROPERTIES)
        properties = trigger.properties
        criteria = as_mapping(properties.get("FilterCriteria"), trigger.where)
        return cls(
            name=trigger.name,
            queue_arn=str(properties["Queue"]),
            batch_size=get_number(properties, "BatchSize", 10),
            batching_seconds=get_number(properties, "MaximumBatchingWindowInSeconds", 0),
            partial_responses=has_partial_responses(properties),
            patterns=parse_filter_criteria(criteria, trigger.where),
        )


def build_sqs_record(message: MessageTypeDef, queue_arn: str) -> Record:
    """A message of ReceiveMessage as Lambda hands it to a function."""
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


def to_filter_input(record: Record) -> Mapping[str, Any]:
    """The record as filter patterns see it: a JSON body is an object there."""
    try:
        body = json.loads(record["body"])
    except ValueError:
        return record
    return {**record, "body": body if isinstance(body, dict) else record["body"]}


_RECEIVE_LIMIT: Final = 10  # SQS's limit


class QueuePoller(Poller):
    """Receives, invokes, deletes: one batch at a time."""

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
        wanted: list[Record] = []
        unwanted: list[Record] = []
        for message in messages:
            item = build_sqs_record(message, self._mapping.queue_arn)
            (
                wanted if matches_any(self._mapping.patterns, to_filter_input(item)) else unwanted
            ).append(item)
        self._delete(unwanted)
        if wanted:
            self._delete(self._process(wanted))
        return False

    def _receive(self) -> list[MessageTypeDef]:
        """A batch of messages: those that come within the window of the first one."""
        messages: list[MessageTypeDef] = []
        closes = time.monotonic() + self._mapping.batching_seconds
        while len(messages) < self._mapping.batch_size:
            received = self._client.receive_message(
                QueueUrl=self._queue_url,
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
                MaxNumberOfMessages=min(_RECEIVE_LIMIT, self._mapping.batch_size - len(messages)),
                WaitTimeSeconds=0,  # moto would answer nobody else while it waits
            ).get("Messages", [])
            messages += received
            if not messages or time.monotonic() >= closes:
                break
            if not received and self.stop_event.wait(POLL_SECONDS):
                break
        return messages

    def _process(self, records: Sequence[Record]) -> list[Record]:
        identifiers = [str(record["messageId"]) for record in records]
        failed: BatchFailures = parse_failures(
            self._invoke({"Records": records}), identifiers, self._mapping.partial_responses
        )
        if failed.is_whole_batch:
            return []
        return [record for record in records if record["messageId"] not in failed.record_ids]

    def _delete(self, records: Sequence[Record]) -> None:
        for each in records:
            self._client.delete_message(
                QueueUrl=self._queue_url, ReceiptHandle=each["receiptHandle"]
            )
