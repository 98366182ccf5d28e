"""Metrics and events of a tracking domain's changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from waypost.aws.event_bus import BusEvent, EventBus
from waypost.models.tracking_domain import STACK_WORKSPACE, DomainChange, TrackingDomain
from waypost.observability import Metric, create_logger, emit_metric

DOMAIN_EVENT_TYPE: Final = "Tracking domain changed"


class DomainEventPublisher:
    """Publishes a domain's changes as metrics, and as events if the stack has an event bus."""

    def __init__(self, event_bus: EventBus | None = None) -> None:
        self._event_bus = event_bus

    def publish(self, domain: TrackingDomain, changes: Sequence[DomainChange]) -> None:
        """Count changes by the new stage or use, and publish an event for each.

        Never raises: the domain's history has the change even if no subscriber gets the event.
        Events that the bus did not accept go to the log.
        """
        for change in changes:
            emit_metric(Metric.DOMAIN_CHANGED, reason=change.after)
            if change.before in ("http", "https") and change.after in ("fallen_back", "blocked"):
                emit_metric(Metric.DOMAIN_FELL_BACK)
        if domain.workspace == STACK_WORKSPACE and domain.failures:
            emit_metric(Metric.DEFAULT_HOST_FAILED)
        if changes and self._event_bus is not None:
            _put_events(self._event_bus, [build_domain_event(domain, each) for each in changes])


def _put_events(event_bus: EventBus, details: Sequence[dict[str, object]]) -> None:
    errors = event_bus.put_events([BusEvent(DOMAIN_EVENT_TYPE, detail) for detail in details])
    failed = {i: error for i, error in enumerate(errors) if error is not None}
    if failed:
        create_logger("domains").error(
            "Domain events not published",
            events=[details[i] for i in failed],
            error="; ".join(sorted(set(failed.values()))),
        )


def build_domain_event(domain: TrackingDomain, change: DomainChange) -> dict[str, object]:
    """Build the event's detail, which has plain values only."""
    return {
        "workspace": domain.workspace_name,
        "host": domain.host,
        "from": change.before,
        "to": change.after,
        "reason": change.reason,
        "time": change.at.isoformat().replace("+00:00", "Z"),
    }
