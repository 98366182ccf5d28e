"""Batches of a table's stream or of a queue, as Lambda hands them over, and what to answer."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypedDict

from waypost.clicks.fallback_queue import unparked
from waypost.errors import MalformedItem
from waypost.models.attributes import Attribute
from waypost.models.click import Click


class _Change(TypedDict, total=False):
    SequenceNumber: str
    NewImage: Mapping[str, Attribute]


class _StreamRecord(TypedDict):
    eventName: str
    dynamodb: _Change


class StreamEvent(TypedDict):
    """Lambda's event of a DynamoDB stream."""

    Records: Sequence[_StreamRecord]


class _Message(TypedDict):
    messageId: str
    body: str


class QueueEvent(TypedDict):
    """Lambda's event of an SQS queue."""

    Records: Sequence[_Message]


class _Failure(TypedDict):
    itemIdentifier: str


class BatchFailures(TypedDict):
    """Which records are to be given again. Of a stream Lambda goes by the first one in order."""

    batchItemFailures: list[_Failure]


@dataclass(slots=True)
class Batch:
    """The clicks of a batch by the number or id of their record, and the records that are none."""

    clicks: dict[str, Click] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)


def read_records(event: StreamEvent) -> Batch:
    """The new clicks of a stream's batch. Changes and expiries are passed over."""
    batch = Batch()
    for record in event["Records"]:
        if record.get("eventName") != "INSERT":
            continue
        change = record["dynamodb"]
        number = change["SequenceNumber"]
        try:
            batch.clicks[number] = Click.from_item(change.get("NewImage", {}))
        except MalformedItem:
            batch.refused.append(number)
    return batch


def read_messages(event: QueueEvent) -> Batch:
    """The parked clicks of a queue's batch."""
    batch = Batch()
    for message in event["Records"]:
        try:
            batch.clicks[message["messageId"]] = unparked(message["body"])
        except MalformedItem:
            batch.refused.append(message["messageId"])
    return batch


def failures(batch: Batch, failed: Collection[str]) -> BatchFailures:
    """What to answer: records that cannot be read, and those of clicks with these ids."""
    again = [*batch.refused, *(n for n, click in batch.clicks.items() if click.id in failed)]
    return BatchFailures(batchItemFailures=[_Failure(itemIdentifier=name) for name in again])
