"""Counts the clicks that the ledger's stream brings, and tells the event bus."""

from __future__ import annotations

from functools import cache

from waypost.aws.clients import patient_client
from waypost.clicks.lambda_events import BatchFailures, StreamEvent, failures, read_records
from waypost.config import TallySettings
from waypost.observability import Metric, count, logger
from waypost.repositories.dynamodb.clicks import DynamoClicks
from waypost.repositories.dynamodb.recipients import DynamoRecipients
from waypost.repositories.dynamodb.workspaces import DynamoWorkspaces
from waypost.tally.event_publisher import EventBus
from waypost.tally.service import Tally

log = logger("tally")


def handler(event: StreamEvent, context: object) -> BatchFailures:  # noqa: ARG001
    """DynamoDB stream, ReportBatchItemFailures: records that are to be given again.

    A record that cannot be read is reported as well; the rest of its batch is counted first, and
    in the end the stream's failure destination keeps it with its payload.
    """
    batch = read_records(event)
    for refused in batch.refused:
        count(Metric.RECORD_REFUSED)
        log.error("a stream record is no click", extra={"record": refused})
    counted = _tally().count(batch.clicks.values())
    if counted.fresh:
        count(Metric.CLICKS_COUNTED, counted.fresh)
    if counted.conflicts:
        count(Metric.COUNT_CONFLICT, counted.conflicts)
    if counted.failed:
        count(Metric.CLICKS_GIVEN_BACK, len(counted.failed))
        given_back = {"clicks": len(counted.failed), "reasons": sorted(counted.reasons)}
        log.warning("clicks are given back", extra=given_back)
    return failures(batch, counted.failed)


@cache
def _tally() -> Tally:
    settings = TallySettings.from_env()
    dynamodb = patient_client("dynamodb")
    bus = EventBus(patient_client("events"), settings.event_bus) if settings.event_bus else None
    return Tally(
        ledger=DynamoClicks(dynamodb, settings.clicks_table),
        recipients=DynamoRecipients(dynamodb, settings.campaigns_table),
        workspaces=DynamoWorkspaces(dynamodb, settings.workspaces_table),
        bus=bus,
    )
