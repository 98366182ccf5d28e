"""Changes of tracking domains, told on the stack's event bus.

Who is told about a change of a tracking domain: an event for each, and a metric.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from waypost.domains.model import STACK_WORKSPACE, DomainChange, TrackingDomain
from waypost.observability import Metric, create_logger, emit_metric

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient


DOMAIN_EVENT_TYPE: Final = "Tracking domain changed"


class DomainEventPublisher(Protocol):
    def publish(self, domain: TrackingDomain, changes: Sequence[DomainChange]) -> None:
        """Tell subscribers. Never raises: a change has happened whether anybody hears of it."""
        ...


class NullDomainEventPublisher:
    """Where there is no event bus."""

    def publish(self, domain: TrackingDomain, changes: Sequence[DomainChange]) -> None:
        """Tells nobody."""


def publish_domain_changes(
    event_publisher: DomainEventPublisher, domain: TrackingDomain, changes: Sequence[DomainChange]
) -> None:
    """Count changes by where they lead, apart those that took a working domain away, and tell."""
    for change in changes:
        emit_metric(Metric.DOMAIN_CHANGED, reason=change.after)
        if change.before in ("http", "https") and change.after in ("fallen_back", "blocked"):
            emit_metric(Metric.DOMAIN_FELL_BACK)
    if domain.workspace == STACK_WORKSPACE and domain.failures:
        emit_metric(Metric.DEFAULT_HOST_FAILED)
    if changes:
        event_publisher.publish(domain, changes)


def build_domain_event(domain: TrackingDomain, change: DomainChange) -> dict[str, object]:
    """The detail of an event, plain values only."""
    return {
        "workspace": domain.workspace_name,
        "host": domain.host,
        "from": change.before,
        "to": change.after,
        "reason": change.reason,
        "time": change.at.isoformat().replace("+00:00", "Z"),
    }


DOMAIN_EVENT_SOURCE: Final = "waypost"


class EventBridgeDomainEventPublisher:
    """``waypost.domains.events.Announcer``. What the bus does not take goes to the log: the
    change itself is kept in the domain's history.
    """

    def __init__(self, client: EventBridgeClient, bus_name: str) -> None:
        self._client = client
        self._bus_name = bus_name

    def publish(self, domain: TrackingDomain, changes: Sequence[DomainChange]) -> None:
        details = [build_domain_event(domain, change) for change in changes]
        try:
            answer = self._client.put_events(
                Entries=[
                    {
                        "EventBusName": self._bus_name,
                        "Source": DOMAIN_EVENT_SOURCE,
                        "DetailType": DOMAIN_EVENT_TYPE,
                        "Detail": json.dumps(detail, ensure_ascii=False),
                    }
                    for detail in details
                ]
            )
        except (BotoCoreError, ClientError, ResponseParserError) as e:
            create_logger("domains").error("domain events not told", events=details, error=str(e))
            return
        if answer.get("FailedEntryCount") != 0:
            create_logger("domains").error("domain events refused", events=details)
