"""What connects an SQS queue with a function, and messages as Lambda hands them over."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from local.account import REGION
from local.functions import Event
from local.patterns import Pattern, filters
from local.sources import Record, number, refuse_unknown, reports_partial_failures
from local.template import mapping

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef

_KNOWN: Final = frozenset(
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
    queue: str
    batch_size: int
    window: float
    partial: bool
    patterns: tuple[Pattern, ...]

    @classmethod
    def of(cls, event: Event) -> Self:
        refuse_unknown(event, _KNOWN)
        properties = event.properties
        criteria = mapping(properties.get("FilterCriteria"), event.where)
        return cls(
            name=event.name,
            queue=str(properties["Queue"]),
            batch_size=number(properties, "BatchSize", 10),
            window=number(properties, "MaximumBatchingWindowInSeconds", 0),
            partial=reports_partial_failures(properties),
            patterns=filters(criteria, event.where),
        )


def record(message: MessageTypeDef, queue: str) -> Record:
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
        "eventSourceARN": queue,
        "awsRegion": REGION,
    }


def filtered(item: Record) -> Mapping[str, Any]:
    """The record as filter patterns see it: a JSON body is an object there."""
    try:
        body = json.loads(item["body"])
    except ValueError:
        return item
    return {**item, "body": body if isinstance(body, dict) else item["body"]}
