"""Write the clicks of the fallback queue to the clicks table."""

from __future__ import annotations

from functools import cache

from waypost.clicks.lambda_events import (
    PartialBatchResponse,
    QueueEvent,
    build_batch_response,
    parse_queue_messages,
)
from waypost.composition import build_late_click_recorder, create_repositories
from waypost.config import DrainConfig
from waypost.observability import Metric, create_logger, emit_metric
from waypost.tally.service import LateClickRecorder

log = create_logger("drain")


def handler(event: QueueEvent, context: object) -> PartialBatchResponse:  # noqa: ARG001
    """Record a batch of SQS messages; return the messages to retry (ReportBatchItemFailures).

    Malformed messages end in the dead-letter queue.
    """
    batch = parse_queue_messages(event)
    for message_id in batch.invalid_ids:
        emit_metric(Metric.RECORD_REFUSED)
        log.error("Malformed queue message", extra={"message_id": message_id})
    failure_reasons = _late_click_recorder().record_clicks(batch.clicks.values()).failure_reasons
    if failure_reasons:
        reasons = sorted(set(failure_reasons.values()))
        extra = {"returned": len(failure_reasons), "reasons": reasons}
        log.warning("Partial batch failure", extra=extra)
    return build_batch_response(batch, failure_reasons)


@cache
def _late_click_recorder() -> LateClickRecorder:
    return build_late_click_recorder(create_repositories(DrainConfig.from_env()))
