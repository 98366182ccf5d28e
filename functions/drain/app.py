"""Puts clicks that were parked into the ledger."""

from __future__ import annotations

from functools import cache

from waypost.aws.clients import patient_client
from waypost.clicks.fallback_queue import drain
from waypost.clicks.lambda_events import BatchFailures, QueueEvent, failures, read_messages
from waypost.config import DrainSettings
from waypost.observability import Metric, count, logger
from waypost.repositories.dynamodb.clicks import DynamoClicks

log = logger("drain")


def handler(event: QueueEvent, context: object) -> BatchFailures:  # noqa: ARG001
    """SQS, ReportBatchItemFailures: messages to be given again; unreadable ones end in the queue
    of dead letters.
    """
    batch = read_messages(event)
    for refused in batch.refused:
        count(Metric.RECORD_REFUSED)
        log.error("a parked message is no click", extra={"message_id": refused})
    failed = drain(_ledger(), batch.clicks.values())
    if failed:
        reasons = sorted(set(failed.values()))
        log.warning("clicks are given back", extra={"clicks": len(failed), "reasons": reasons})
    return failures(batch, set(failed))


@cache
def _ledger() -> DynamoClicks:
    return DynamoClicks(patient_client("dynamodb"), DrainSettings.from_env().clicks_table)
