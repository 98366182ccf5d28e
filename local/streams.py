"""DynamoDB streams delivered to functions, as an event source mapping does.

Records are filtered and spread over lanes by partition key (ParallelizationFactor).
"""

from __future__ import annotations

import json
import queue
import zlib
from collections.abc import Mapping
from typing import Any, Final, Protocol

from local.cloud import Cloud
from local.delivery import Delivery
from local.destinations import Destination
from local.lanes import Lane
from local.patterns import passes
from local.processes import Log
from local.sources import Invoke, Poller, Record
from local.stream_mapping import StreamMapping, record

_AT_ONCE: Final = 1_000


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
        cloud: Cloud,
        invoke: Invoke,
        destination: Destination,
        role: str,
        log: Log,
    ) -> None:
        super().__init__(mapping.name, log)
        self._mapping = mapping
        self._client: StreamsClient = cloud.client("dynamodbstreams", role)
        delivery = Delivery(mapping, invoke, destination.keep, self.stopping)
        self._lanes = [Lane(mapping, delivery, self.stopping, log) for _ in range(mapping.lanes)]
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
        found, awaited = False, self.awaited
        for i, iterator in enumerate(self._iterators):
            answer = self._client.get_records(ShardIterator=iterator, Limit=_AT_ONCE)
            for raw in answer["Records"]:
                found = True
                self._accept(record(raw, self._mapping.stream))
            self._iterators[i] = answer["NextShardIterator"]
        if awaited and not found:
            self._hurry()
        return not found and all(lane.idle for lane in self._lanes)

    def _hurry(self) -> None:
        """All that was written before somebody began to wait is in the lanes by now."""
        for lane in self._lanes:
            if not lane.idle:
                lane.hurry()

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
