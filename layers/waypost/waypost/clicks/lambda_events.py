"""Batches of a table's stream or of a queue, as Lambda hands them over, and what to answer."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypedDict

from waypost.clicks.fallback_queue import deserialize_click
from waypost.errors import CorruptItem
from waypost.models.attributes import Attribute
from waypost.models.click import Click


class _StreamImage(TypedDict, total=False):
    SequenceNumber: str
    NewImage: Mapping[str, Attribute]


class _StreamRecord(TypedDict):
    eventName: str
    dynamodb: _StreamImage


class StreamEvent(TypedDict):
    """Lambda's event of a DynamoDB stream."""

    Records: Sequence[_StreamRecord]


class _QueueMessage(TypedDict):
    messageId: str
    body: str


class QueueEvent(TypedDict):
    """Lambda's event of an SQS queue."""

    Records: Sequence[_QueueMessage]


class _ItemFailure(TypedDict):
    itemIdentifier: str


class PartialBatchResponse(TypedDict):
    """Which records are to be given again. Of a stream Lambda goes by the first one in order."""

    batchItemFailures: list[_ItemFailure]


@dataclass(slots=True)
class ClickBatch:
    """The clicks of a batch by the number or id of their record, and the records that are none."""

    clicks: dict[str, Click] = field(default_factory=dict)
    invalid_ids: list[str] = field(default_factory=list)


def parse_stream_records(event: StreamEvent) -> ClickBatch:
    """The new clicks of a stream's batch. Changes and expiries are passed over."""
    batch = ClickBatch()
    for record in event["Records"]:
        if record.get("eventName") != "INSERT":
            continue
        change = record["dynamodb"]
        number = change["SequenceNumber"]
        try:
            batch.clicks[number] = Click.from_item(change.get("NewImage", {}))
        except CorruptItem:
            batch.invalid_ids.append(number)
    return batch


def parse_queue_messages(event: QueueEvent) -> ClickBatch:
    """The parked clicks of a queue's batch."""
    batch = ClickBatch()
    for message in event["Records"]:
        try:
            batch.clicks[message["messageId"]] = deserialize_click(message["body"])
        except CorruptItem:
            batch.invalid_ids.append(message["messageId"])
    return batch


def build_batch_response(batch: ClickBatch, failed_ids: Collection[str]) -> PartialBatchResponse:
    """What to answer: records that cannot be read, and those of clicks with these ids."""
    again = [
        *batch.invalid_ids,
        *(n for n, click in batch.clicks.items() if click.id in failed_ids),
    ]
    return PartialBatchResponse(
        batchItemFailures=[_ItemFailure(itemIdentifier=name) for name in again]
    )
