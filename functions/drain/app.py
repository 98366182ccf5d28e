"""Puts clicks that were parked into the ledger."""

from __future__ import annotations

from functools import cache

from waypost.clicks.fallback_queue import drain_clicks
from waypost.clicks.lambda_events import (
    PartialBatchResponse,
    QueueEvent,
    build_batch_response,
    parse_queue_messages,
)
from waypost.composition import create_repositories
from waypost.config import DrainConfig
from waypost.observability import Metric, create_logger, emit_metric
from waypost.repositories.clicks import ClickRepository

log = create_logger("drain")


def handler(event: QueueEvent, context: object) -> PartialBatchResponse:  # noqa: ARG001
    """SQS, ReportBatchItemFailures: messages to be given again; unreadable ones end in the queue
    of dead letters.
    """
    batch = parse_queue_messages(event)
    for refused in batch.invalid_ids:
        emit_metric(Metric.RECORD_REFUSED)
        log.error("a parked message is no click", extra={"message_id": refused})
    failed = drain_clicks(_click_repository(), batch.clicks.values())
    if failed:
        reasons = sorted(set(failed.values()))
        log.warning("clicks are given back", extra={"clicks": len(failed), "reasons": reasons})
    return build_batch_response(batch, set(failed))


@cache
def _click_repository() -> ClickRepository:
    return create_repositories(DrainConfig.from_env()).clicks
