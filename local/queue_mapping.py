"""What connects an SQS queue with a function, and messages as Lambda hands them over."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from local.account import REGION
from local.filter_patterns import FilterPattern, parse_filter_criteria
from local.functions import Trigger
from local.poller import Record, get_number, has_partial_responses, reject_unknown_properties
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
