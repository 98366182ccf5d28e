"""Where records go that a function could not process: a bucket, which keeps them, or a queue."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.cloud import Cloud
from local.errors import TemplateError
from local.processes import Log
from local.sources import Failures, Record
from local.stream_mapping import StreamMapping, sequence_number


class Destination:
    """Where a batch goes that was given up: an S3 bucket, which keeps the records too, or a queue,
    or nowhere.
    """

    def __init__(self, mapping: StreamMapping, cloud: Cloud, arn: str, role: str, log: Log) -> None:
        """``arn`` and ``role`` are the function's."""
        self._mapping = mapping
        self._cloud = cloud
        self._arn = arn
        self._role = role
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
        """Never raises: Lambda, too, drops what the destination does not take, and reports it."""
        body = self._record(records, condition, invocations, failed)
        self._log.line(self._mapping.name, f"gave up {len(records)} records: {condition}")
        try:
            self._send(body, records)
        except (BotoCoreError, ClientError) as error:
            self._log.line(self._mapping.name, f"failure destination failed: {error}")

    def _send(self, body: dict[str, Any], records: Sequence[Record]) -> None:
        if self._service == "sqs":
            name = str(self._mapping.destination).rpartition(":")[2]
            client = self._cloud.client("sqs", self._role)
            url = client.get_queue_url(QueueName=name)["QueueUrl"]
            client.send_message(QueueUrl=url, MessageBody=json.dumps(body))
        elif self._service == "s3":
            body["payload"] = json.dumps({"Records": records})
            bucket = str(self._mapping.destination).rpartition(":")[2]
            self._cloud.client("s3", self._role).put_object(
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


def _rfc3339(seconds: float) -> str:
    return (
        datetime.fromtimestamp(seconds, UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )
