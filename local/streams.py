"""DynamoDB streams delivered to functions, as an event source mapping does.

Records are filtered, spread over lanes by partition key (ParallelizationFactor), gathered into batches, and each batch
is retried, bisected, or cut at its first failed record, until it is done or its retries or its records' age run out;
then it goes to the failure destination. Within a lane, order holds: a batch that fails keeps those behind it waiting.
"""

from __future__ import annotations

import base64
import json
import queue
import threading
import time
import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol, TypeAlias

from local.cloud import Cloud
from local.errors import TemplateError
from local.functions import Event
from local.intrinsics import REGION
from local.patterns import Pattern, filters, passes
from local.processes import Log
from local.sources import (
    Failures,
    Invoke,
    Poller,
    Record,
    failures,
    number,
    refuse_unknown,
    reports_partial_failures,
)
from local.template import Properties

_KNOWN: Final = frozenset(
    {
        "BatchSize",
        "BisectBatchOnFunctionError",
        "DestinationConfig",
        "Enabled",
        "FilterCriteria",
        "FunctionResponseTypes",
        "MaximumBatchingWindowInSeconds",
        "MaximumRecordAgeInSeconds",
        "MaximumRetryAttempts",
        "ParallelizationFactor",
        "StartingPosition",
        "Stream",
    }
)
_POLL_SECONDS: Final = 0.1
_BACKOFF_SECONDS: Final = (
    0.1,
    0.2,
    0.4,
    0.8,
    1.6,
    3.0,
)  # Lambda backs off likewise, in its own measure
_BUFFERED: Final = 10_000  # records a lane holds before polling waits for it

Discard: TypeAlias = Callable[[Sequence[Record], str, int, Failures], None]


@dataclass(frozen=True, slots=True)
class StreamMapping:
    """The properties of a DynamoDB event. ``retries`` and ``max_age`` (seconds) are None where they are endless."""

    name: str
    stream: str
    starting_position: str
    batch_size: int
    window: float
    retries: int | None
    max_age: float | None
    bisect: bool
    partial: bool
    lanes: int
    patterns: tuple[Pattern, ...]
    destination: str | None

    @classmethod
    def of(cls, event: Event) -> StreamMapping:
        refuse_unknown(event, _KNOWN)
        properties = event.properties
        retries, age = (
            number(properties, "MaximumRetryAttempts", -1),
            number(properties, "MaximumRecordAgeInSeconds", -1),
        )
        criteria = properties.get("FilterCriteria") or {}
        assert isinstance(criteria, dict)
        return cls(
            name=event.name,
            stream=str(properties["Stream"]),
            starting_position=_starting_position(event),
            batch_size=number(properties, "BatchSize", 100),
            window=number(properties, "MaximumBatchingWindowInSeconds", 0),
            retries=None if retries < 0 else retries,
            max_age=None if age < 0 else age,
            bisect=properties.get("BisectBatchOnFunctionError") is True,
            partial=reports_partial_failures(properties),
            lanes=number(properties, "ParallelizationFactor", 1),
            patterns=tuple(filters(criteria, event.where)),
            destination=_destination(properties),
        )


def _starting_position(event: Event) -> str:
    position = str(event.properties.get("StartingPosition"))
    if position not in ("TRIM_HORIZON", "LATEST"):
        raise TemplateError(event.where, f"StartingPosition is {position}")
    return position


def _destination(properties: Properties) -> str | None:
    config = properties.get("DestinationConfig")
    failure = config.get("OnFailure") if isinstance(config, dict) else None
    return str(failure["Destination"]) if isinstance(failure, dict) else None


class Delivery:
    """Brings batches to a function, whatever it takes; knows nothing of where records come from."""

    def __init__(
        self, mapping: StreamMapping, invoke: Invoke, discard: Discard, stopping: threading.Event
    ) -> None:
        self._mapping = mapping
        self._invoke = invoke
        self._discard = discard
        self._stopping = stopping

    def deliver(self, batch: Sequence[Record]) -> None:
        """Returns once every record is processed or discarded, or the stack stops."""
        waiting = [(batch, 0)]
        while waiting and not self._stopping.is_set():
            records, retries = waiting.pop()
            invocations = retries + 1
            failed = self._attempt(records)
            if not failed:
                continue
            first = self._first_failed(records, failed)
            rest = records[first:]
            if reason := self._gives_up(rest, retries, progressed=first > 0):
                self._discard(rest, reason, invocations, failed)
            elif self._mapping.bisect and first == 0 and len(rest) > 1:
                middle = len(rest) // 2
                waiting += [(rest[middle:], retries), (rest[:middle], retries)]
            else:
                # Splitting, at the middle or at the first failed record, is no retry.
                used = retries if self._mapping.bisect and first > 0 else retries + 1
                self._stopping.wait(_BACKOFF_SECONDS[min(used, len(_BACKOFF_SECONDS)) - 1])
                waiting.append((rest, used))

    def _attempt(self, records: Sequence[Record]) -> Failures:
        outcome = self._invoke({"Records": records})
        return failures(
            outcome, [sequence_number(record) for record in records], self._mapping.partial
        )

    @staticmethod
    def _first_failed(records: Sequence[Record], failed: Failures) -> int:
        """A stream is resumed at its first failed record; what comes after it is delivered again."""
        if failed.everything:
            return 0
        return min(
            i for i, record in enumerate(records) if sequence_number(record) in failed.identifiers
        )

    def _gives_up(self, records: Sequence[Record], retries: int, *, progressed: bool) -> str | None:
        mapping = self._mapping
        oldest = records[0]["dynamodb"]["ApproximateCreationDateTime"]
        if mapping.max_age is not None and time.time() - oldest > mapping.max_age:
            return "MaximumRecordAgeExceeded"
        splits = mapping.bisect and (progressed or len(records) > 1)
        if mapping.retries is not None and retries >= mapping.retries and not splits:
            return "RetryAttemptsExhausted"
        return None


class Lane(threading.Thread):
    """Records of some partition keys, gathered into batches and delivered in order."""

    def __init__(
        self, name: str, mapping: StreamMapping, delivery: Delivery, stopping: threading.Event
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._mapping = mapping
        self._delivery = delivery
        self._stopping = stopping
        self.records: queue.Queue[Record] = queue.Queue(_BUFFERED)

    def run(self) -> None:
        while not self._stopping.is_set():
            batch = list(self._batch())
            if batch:
                self._delivery.deliver(batch)
                for _ in batch:
                    self.records.task_done()

    @property
    def idle(self) -> bool:
        return self.records.unfinished_tasks == 0

    def _batch(self) -> Iterator[Record]:
        """Up to a batch of records: those that come within the window of the first one."""
        try:
            yield self.records.get(timeout=0.2)
        except queue.Empty:
            return
        closes = time.monotonic() + self._mapping.window
        for _ in range(self._mapping.batch_size - 1):
            try:
                yield self.records.get(timeout=max(0.0, closes - time.monotonic()))
            except queue.Empty:
                return


class StreamPoller(Poller):
    """Reads a stream from its starting position on and hands its records to the lanes."""

    def __init__(
        self, mapping: StreamMapping, cloud: Cloud, invoke: Invoke, arn: str, log: Log
    ) -> None:
        """``arn`` is the function's."""
        super().__init__(mapping.name, _POLL_SECONDS, log)
        self._mapping = mapping
        self._client: StreamsClient = cloud.client("dynamodbstreams")
        destination = Destination(mapping, cloud, arn, log)
        delivery = Delivery(mapping, invoke, destination.keep, self.stopping)
        self._lanes = [
            Lane(f"{mapping.name}[{i}]", mapping, delivery, self.stopping)
            for i in range(mapping.lanes)
        ]
        # Found before anything can be written, so that LATEST misses nothing.
        stream = self._client.describe_stream(StreamArn=mapping.stream)["StreamDescription"]
        self._hash_key = next(
            key["AttributeName"] for key in stream["KeySchema"] if key["KeyType"] == "HASH"
        )
        self._iterators = [
            self._client.get_shard_iterator(
                StreamArn=mapping.stream,
                ShardId=shard["ShardId"],
                ShardIteratorType=mapping.starting_position,
            )["ShardIterator"]
            for shard in stream["Shards"]
        ]

    def start(self) -> None:
        for lane in self._lanes:
            lane.start()
        super().start()

    def join(self) -> None:
        super().join()
        for lane in self._lanes:
            lane.join()

    def poll(self) -> bool:
        found = False
        for i, iterator in enumerate(self._iterators):
            answer = self._client.get_records(ShardIterator=iterator, Limit=1_000)
            for raw in answer["Records"]:
                found = True
                self._accept(record(raw, self._mapping.stream))
            self._iterators[i] = answer["NextShardIterator"]
        return not found and all(lane.idle for lane in self._lanes)

    def _accept(self, item: Record) -> None:
        if not passes(self._mapping.patterns, item):
            return
        key = json.dumps(item["dynamodb"]["Keys"][self._hash_key], sort_keys=True)
        lane = self._lanes[zlib.crc32(key.encode()) % len(self._lanes)]
        while not self.stopping.is_set():
            try:
                lane.records.put(item, timeout=0.2)
            except queue.Full:
                continue
            return


class Destination:
    """Where a batch goes that was given up: an S3 bucket, which keeps the records too, or a queue, or nowhere."""

    def __init__(self, mapping: StreamMapping, cloud: Cloud, arn: str, log: Log) -> None:
        self._mapping = mapping
        self._cloud = cloud
        self._arn = arn
        self._log = log
        self._mapping_id = str(uuid.uuid5(uuid.NAMESPACE_URL, mapping.name))
        service = mapping.destination.split(":")[2] if mapping.destination else None
        if service not in (None, "s3", "sqs"):
            raise TemplateError(
                mapping.name, f"failure destination {mapping.destination} is not emulated"
            )
        self._service = service

    def keep(
        self, records: Sequence[Record], condition: str, invocations: int, failed: Failures
    ) -> None:
        body = self._record(records, condition, invocations, failed)
        self._log.line(self._mapping.name, f"gave up {len(records)} records: {condition}")
        if self._service == "sqs":
            name = str(self._mapping.destination).rpartition(":")[2]
            client = self._cloud.client("sqs")
            url = client.get_queue_url(QueueName=name)["QueueUrl"]
            client.send_message(QueueUrl=url, MessageBody=json.dumps(body))
        elif self._service == "s3":
            body["payload"] = json.dumps({"Records": records})
            bucket = str(self._mapping.destination).rpartition(":")[2]
            self._cloud.client("s3").put_object(
                Bucket=bucket, Key=self._key(), Body=json.dumps(body).encode()
            )

    def _key(self) -> str:
        now = datetime.now(UTC)
        return (
            f"aws/lambda/{self._mapping_id}/shard/{now:%Y/%m/%d/%Y-%m-%dT%H.%M.%S}-{uuid.uuid4()}"
        )

    def _record(
        self, records: Sequence[Record], condition: str, invocations: int, failed: Failures
    ) -> dict[str, Any]:
        arrivals = [
            _rfc3339(record["dynamodb"]["ApproximateCreationDateTime"]) for record in records
        ]
        response = {"statusCode": 200, "executedVersion": "$LATEST"}
        return {
            "requestContext": {
                "requestId": str(uuid.uuid4()),
                "functionArn": self._arn,
                "condition": condition,
                "approximateInvokeCount": invocations,
            },
            "responseContext": response | ({"functionError": failed.error} if failed.error else {}),
            "version": "1.0",
            "timestamp": _rfc3339(time.time()),
            "DDBStreamBatchInfo": {
                "shardId": "shard",
                "startSequenceNumber": sequence_number(records[0]),
                "endSequenceNumber": sequence_number(records[-1]),
                "approximateArrivalOfFirstRecord": arrivals[0],
                "approximateArrivalOfLastRecord": arrivals[-1],
                "batchSize": len(records),
                "streamArn": self._mapping.stream,
            },
        }


def record(raw: Mapping[str, Any], stream: str) -> Record:
    """A record of GetRecords as Lambda hands it to a function."""
    created = raw["dynamodb"]["ApproximateCreationDateTime"]
    change = raw["dynamodb"] | {"ApproximateCreationDateTime": created.timestamp()}
    return {
        **_jsonable({**raw, "dynamodb": change}),
        "awsRegion": REGION,
        "eventSource": "aws:dynamodb",
        "eventSourceARN": stream,
    }


def sequence_number(record: Record) -> str:
    return str(record["dynamodb"]["SequenceNumber"])


def _jsonable(value: Any) -> Any:
    """Binary values are base64 in JSON, as in the service's own."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {key: _jsonable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_jsonable(item) for item in value]
    return value


def _rfc3339(seconds: float) -> str:
    return (
        datetime.fromtimestamp(seconds, UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )


class StreamsClient(Protocol):
    """What is used of boto3's client for DynamoDB streams."""

    def describe_stream(self, *, StreamArn: str) -> Mapping[str, Any]: ...  # noqa: N803
    def get_shard_iterator(
        self,
        *,
        StreamArn: str,
        ShardId: str,
        ShardIteratorType: str,  # noqa: N803
    ) -> Mapping[str, Any]: ...
    def get_records(self, *, ShardIterator: str, Limit: int) -> Mapping[str, Any]: ...  # noqa: N803
