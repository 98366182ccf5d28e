"""Read clicks from Lambda's stream and queue batches, and build partial batch responses.

The event data classes of Powertools are not used: they would replace only the ``TypedDict``
definitions here and load 49 more modules at each cold start. Its batch processor calls a function
per record, but the tally counts a whole batch in a few transactions.
"""

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
    """The records to retry. Of a stream, Lambda retries from the first one in order."""

    batchItemFailures: list[_ItemFailure]


@dataclass(slots=True)
class ClickBatch:
    """The clicks of a batch by record id, and the ids of malformed records."""

    clicks: dict[str, Click] = field(default_factory=dict)
    invalid_ids: list[str] = field(default_factory=list)


def parse_stream_records(event: StreamEvent) -> ClickBatch:
    """Parse the new clicks of a stream's batch. Changed and expired items are skipped."""
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
    """Parse the clicks of a queue's batch."""
    batch = ClickBatch()
    for message in event["Records"]:
        try:
            batch.clicks[message["messageId"]] = deserialize_click(message["body"])
        except CorruptItem:
            batch.invalid_ids.append(message["messageId"])
    return batch


def build_batch_response(
    batch: ClickBatch, failed_click_ids: Collection[str]
) -> PartialBatchResponse:
    """Build the response that retries malformed records and the records of failed clicks."""
    record_ids = [
        *batch.invalid_ids,
        *(id_ for id_, click in batch.clicks.items() if click.id in failed_click_ids),
    ]
    return PartialBatchResponse(
        batchItemFailures=[_ItemFailure(itemIdentifier=id_) for id_ in record_ids]
    )
