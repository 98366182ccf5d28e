"""Count the clicks of the clicks table's stream, and publish them on the event bus."""

from __future__ import annotations

from functools import cache

from waypost.clicks.lambda_events import (
    PartialBatchResponse,
    StreamEvent,
    build_batch_response,
    parse_stream_records,
)
from waypost.composition import (
    build_tally_service,
    create_click_event_bus,
    create_repositories,
)
from waypost.config import TallyConfig
from waypost.observability import Metric, create_logger, emit_metric
from waypost.tally.service import TallyService

log = create_logger("tally")


def handler(event: StreamEvent, context: object) -> PartialBatchResponse:  # noqa: ARG001
    """Count a batch of a DynamoDB stream; return the records to retry (ReportBatchItemFailures).

    A malformed record is reported as failed, after the rest of its batch is result. When its
    retries are exhausted, Lambda sends it to the stream's failure destination.
    """
    batch = parse_stream_records(event)
    for record_id in batch.invalid_ids:
        emit_metric(Metric.RECORD_REFUSED)
        log.error("Malformed stream record", extra={"record": record_id})
    result = _tally_service().count_clicks(batch.clicks.values())
    if result.new_count:
        emit_metric(Metric.CLICKS_COUNTED, result.new_count)
    if result.conflict_count:
        emit_metric(Metric.COUNT_CONFLICT, result.conflict_count)
    if result.failed_ids:
        emit_metric(Metric.CLICKS_GIVEN_BACK, len(result.failed_ids))
        extra = {"returned": len(result.failed_ids), "reasons": sorted(result.failure_reasons)}
        log.warning("Partial batch failure", extra=extra)
    return build_batch_response(batch, result.failed_ids)


@cache
def _tally_service() -> TallyService:
    config = TallyConfig.from_env()
    return build_tally_service(
        create_repositories(config), create_click_event_bus(config.event_bus)
    )
