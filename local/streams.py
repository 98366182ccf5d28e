"""DynamoDB streams delivered to functions, as an event source mapping does.

Records are filtered and spread over lanes by partition key (ParallelizationFactor).
"""

from __future__ import annotations

import json
import queue
import zlib
from collections.abc import Mapping
from typing import Any, Final, Protocol

from local.cloud import MotoCloud
from local.dynamodb_streams import FailureDestination
from local.filter_patterns import matches_any
from local.lanes import StreamBatcher
from local.poller import Invoke, Poller, Record
from local.processes import StackLog
from local.stream_batches import BatchDelivery
from local.stream_mapping import StreamMapping, build_stream_record

_RECORDS_LIMIT: Final = 1_000


class StreamsClient(Protocol):
    """What is used of boto3's client for DynamoDB streams."""

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
    """Reads a stream from its starting position on and hands its records to the lanes."""

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
        # Found before anything can be written, so that LATEST misses nothing.
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
        for lane in self._batchers:
            lane.start()
        super().start()

    def join(self) -> None:
        super().join()
        for lane in self._batchers:
            lane.join()

    def poll(self) -> bool:
        found, awaited = False, self.has_waiters
        for i, iterator in enumerate(self._iterators):
            answer = self._client.get_records(ShardIterator=iterator, Limit=_RECORDS_LIMIT)
            for raw in answer["Records"]:
                found = True
                self._enqueue(build_stream_record(raw, self._mapping.stream_arn))
            self._iterators[i] = answer["NextShardIterator"]
        if awaited and not found:
            self._flush_batchers()
        return not found and all(lane.is_idle for lane in self._batchers)

    def _flush_batchers(self) -> None:
        """All that was written before somebody began to wait is in the lanes by now."""
        for lane in self._batchers:
            if not lane.is_idle:
                lane.flush()

    def _enqueue(self, record: Record) -> None:
        if not matches_any(self._mapping.patterns, record):
            return
        key = json.dumps(record["dynamodb"]["Keys"][self._partition_key], sort_keys=True)
        lane = self._batchers[zlib.crc32(key.encode()) % len(self._batchers)]
        while not self.stop_event.is_set():
            try:
                lane.records.put(record, timeout=0.2)
            except queue.Full:
                continue
            return
