"""Where records go that a function could not process: a bucket, which keeps them, or a queue."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.cloud import MotoCloud
from local.errors import TemplateError
from local.poller import BatchFailures, Record
from local.processes import StackLog
from local.stream_mapping import StreamMapping, get_sequence_number


class FailureDestination:
    """Where a batch goes that was given up: an S3 bucket, which keeps the records too, or a queue,
    or nowhere.
    """

    def __init__(
        self, mapping: StreamMapping, cloud: MotoCloud, function_arn: str, role: str, log: StackLog
    ) -> None:
        """``arn`` and ``role`` are the function's."""
        self._mapping = mapping
        self._cloud = cloud
        self._function_arn = function_arn
        self._role = role
        self._log = log
        self._mapping_id = str(uuid.uuid5(uuid.NAMESPACE_URL, mapping.name))
        service = mapping.destination_arn.split(":")[2] if mapping.destination_arn else None
        if service not in (None, "s3", "sqs"):
            raise TemplateError(
                mapping.name, f"failure destination {mapping.destination_arn} is not emulated"
            )
        self._service = service

    def send_batch(
        self,
        records: Sequence[Record],
        condition: str,
        invocation_count: int,
        failures: BatchFailures,
    ) -> None:
        """Never raises: Lambda, too, drops what the destination does not take, and reports it."""
        body = self._build_message(records, condition, invocation_count, failures)
        self._log.write_line(self._mapping.name, f"gave up {len(records)} records: {condition}")
        try:
            self._send_message(body, records)
        except (BotoCoreError, ClientError) as error:
            self._log.write_line(self._mapping.name, f"failure destination failed: {error}")

    def _send_message(self, body: dict[str, Any], records: Sequence[Record]) -> None:
        if self._service == "sqs":
            name = str(self._mapping.destination_arn).rpartition(":")[2]
            client = self._cloud.client("sqs", self._role)
            url = client.get_queue_url(QueueName=name)["QueueUrl"]
            client.send_message(QueueUrl=url, MessageBody=json.dumps(body))
        elif self._service == "s3":
            body["payload"] = json.dumps({"Records": records})
            bucket = str(self._mapping.destination_arn).rpartition(":")[2]
            self._cloud.client("s3", self._role).put_object(
                Bucket=bucket, Key=self._build_object_key(), Body=json.dumps(body).encode()
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
