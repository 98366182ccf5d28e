"""Counts the clicks that the ledger's stream brings, and tells the event bus."""

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
    """DynamoDB stream, ReportBatchItemFailures: records that are to be given again.

    A record that cannot be read is reported as well; the rest of its batch is counted first, and
    in the end the stream's failure destination keeps it with its payload.
    """
    batch = parse_stream_records(event)
    for refused in batch.invalid_ids:
        emit_metric(Metric.RECORD_REFUSED)
        log.error("a stream record is no click", extra={"record": refused})
    counted = _tally_service().count_clicks(batch.clicks.values())
    if counted.new_count:
        emit_metric(Metric.CLICKS_COUNTED, counted.new_count)
    if counted.conflict_count:
        emit_metric(Metric.COUNT_CONFLICT, counted.conflict_count)
    if counted.failed_ids:
        emit_metric(Metric.CLICKS_GIVEN_BACK, len(counted.failed_ids))
        given_back = {"clicks": len(counted.failed_ids), "reasons": sorted(counted.failure_reasons)}
        log.warning("clicks are given back", extra=given_back)
    return build_batch_response(batch, counted.failed_ids)


@cache
def _tally_service() -> TallyService:
    config = TallyConfig.from_env()
    return build_tally_service(
        create_repositories(config), create_click_event_bus(config.event_bus)
    )
