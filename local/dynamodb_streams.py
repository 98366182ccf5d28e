"""DynamoDB streams: polling, and failure destinations for discarded batches.

Records are filtered, then distributed over batchers by partition key (ParallelizationFactor).
"""

from __future__ import annotations

import json
import queue
import time
import uuid
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from local.cloud import MotoCloud
from local.errors import TemplateError
from local.poller import BatchFailures, Invoke, Poller, Record
from local.processes import StackLog
from local.stream_batches import BatchDelivery, StreamBatcher
from local.stream_mapping import (
    StreamMapping,
    build_stream_record,
    get_sequence_number,
    matches_any,
)

_RECORDS_LIMIT: Final = 1_000


class FailureDestination:
    """Destination of discarded batches: a bucket, or none."""

    def __init__(
        self, mapping: StreamMapping, cloud: MotoCloud, function_arn: str, role: str, log: StackLog
    ) -> None:
        self._mapping = mapping
        self._cloud = cloud
        self._function_arn = function_arn
        self._role = role
        self._log = log
        self._mapping_id = str(uuid.uuid5(uuid.NAMESPACE_URL, mapping.name))
        arn = mapping.destination_arn
        if arn is not None and not arn.startswith("arn:aws:s3:"):
            raise TemplateError(mapping.name, f"failure destination {arn} is not emulated")
        self._bucket = arn.rpartition(":")[2] if arn else None

    def send_batch(
        self,
        records: Sequence[Record],
        condition: str,
        invocation_count: int,
        failures: BatchFailures,
    ) -> None:
        """Send a discarded batch. A failure is only logged: Lambda discards the batch, too."""
        body = self._build_message(records, condition, invocation_count, failures)
        self._log.write_line(
            self._mapping.name, f"batch discarded: {condition} ({len(records)} records)"
        )
        try:
            self._write_object(body, records)
        except (BotoCoreError, ClientError) as error:
            self._log.write_line(self._mapping.name, f"failure destination: not written ({error})")

    def _write_object(self, body: dict[str, Any], records: Sequence[Record]) -> None:
        if self._bucket is None:
            return
        body["payload"] = json.dumps({"Records": records})
        self._cloud.client("s3", self._role).put_object(
            Bucket=self._bucket, Key=self._build_object_key(), Body=json.dumps(body).encode()
        )

    def _build_object_key(self) -> str:
        now = datetime.now(UTC)
        return (
            f"aws/lambda/{self._mapping_id}/shard/{now:%Y/%m/%d/%Y-%m-%dT%H.%M.%S}-{uuid.uuid4()}"
        )

    def _build_message(
        self,
        records: Sequence[Record],
        condition: str,
        invocation_count: int,
        failures: BatchFailures,
    ) -> dict[str, Any]:
        arrivals = [
            _format_rfc3339(record["dynamodb"]["ApproximateCreationDateTime"]) for record in records
        ]
        response = {"statusCode": 200, "executedVersion": "$LATEST"}
        return {
            "requestContext": {
                "requestId": str(uuid.uuid4()),
                "functionArn": self._function_arn,
                "condition": condition,
                "approximateInvokeCount": invocation_count,
            },
            "responseContext": response
            | ({"functionError": failures.error} if failures.error else {}),
            "version": "1.0",
            "timestamp": _format_rfc3339(time.time()),
            "DDBStreamBatchInfo": {
                "shardId": "shard",
                "startSequenceNumber": get_sequence_number(records[0]),
                "endSequenceNumber": get_sequence_number(records[-1]),
                "approximateArrivalOfFirstRecord": arrivals[0],
                "approximateArrivalOfLastRecord": arrivals[-1],
                "batchSize": len(records),
                "streamArn": self._mapping.stream_arn,
            },
        }


def _format_rfc3339(seconds: float) -> str:
    return (
        datetime.fromtimestamp(seconds, UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )


class StreamsClient(Protocol):
    """The methods in use of boto3's client for DynamoDB streams."""

    def describe_stream(self, *, StreamArn: str) -> Mapping[str, Any]: ...  # noqa: N803
    def get_shard_iterator(
        self,
        *,
        StreamArn: str,  # noqa: N803
        ShardId: str,  # noqa: N803
        ShardIteratorType: str,  # noqa: N803
    ) -> Mapping[str, Any]: ...
    def get_records(self, *, ShardIterator: str, Limit: int) -> Mapping[str, Any]: ...  # noqa: N803


class StreamPoller(Poller):
    """A poller that passes a stream's records to its batchers."""

    def __init__(
        self,
        mapping: StreamMapping,
        cloud: MotoCloud,
        invoke: Invoke,
        destination: FailureDestination,
        role: str,
        log: StackLog,
    ) -> None:
        super().__init__(mapping.name, log)
        self._mapping = mapping
        self._client: StreamsClient = cloud.client("dynamodbstreams", role)
        delivery = BatchDelivery(mapping, invoke, destination.send_batch, self.stop_event)
        self._batchers = [
            StreamBatcher(mapping, delivery, self.stop_event, log)
            for _ in range(mapping.parallelization_factor)
        ]
        # Before the first write, so that LATEST misses no record.
        stream = self._client.describe_stream(StreamArn=mapping.stream_arn)["StreamDescription"]
        self._partition_key = next(
            key["AttributeName"] for key in stream["KeySchema"] if key["KeyType"] == "HASH"
        )
        self._iterators = [
            self._client.get_shard_iterator(
                StreamArn=mapping.stream_arn,
                ShardId=shard["ShardId"],
                ShardIteratorType=mapping.starting_position,
            )["ShardIterator"]
            for shard in stream["Shards"]
        ]

    def start(self) -> None:
        for batcher in self._batchers:
            batcher.start()
        super().start()

    def join(self) -> None:
        super().join()
        for batcher in self._batchers:
            batcher.join()

    def poll(self) -> bool:
        has_records, has_waiters = False, self.has_waiters
        for i, iterator in enumerate(self._iterators):
            response = self._client.get_records(ShardIterator=iterator, Limit=_RECORDS_LIMIT)
            for raw in response["Records"]:
                has_records = True
                self._enqueue(build_stream_record(raw, self._mapping.stream_arn))
            self._iterators[i] = response["NextShardIterator"]
        if has_waiters and not has_records:  # everything they wait for is in the batchers
            for batcher in self._batchers:
                if not batcher.is_idle:
                    batcher.flush()
        return not has_records and all(batcher.is_idle for batcher in self._batchers)

    def _enqueue(self, record: Record) -> None:
        if not matches_any(self._mapping.patterns, record):
            return
        key = json.dumps(record["dynamodb"]["Keys"][self._partition_key], sort_keys=True)
        batcher = self._batchers[zlib.crc32(key.encode()) % len(self._batchers)]
        while not self.stop_event.is_set():
            try:
                batcher.records.put(record, timeout=0.2)
            except queue.Full:
                continue
            return
