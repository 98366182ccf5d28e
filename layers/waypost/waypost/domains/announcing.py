"""Who is told about a change of a tracking domain: an event for each, and a metric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from waypost.domains.model import STACK, Change, TrackingDomain
from waypost.observability import Metric, count

DETAIL_TYPE: Final = "Tracking domain changed"


class Announcer(Protocol):
    def tell(self, domain: TrackingDomain, changes: Sequence[Change]) -> None:
        """Tell subscribers. Never raises: a change has happened whether anybody hears of it."""
        ...


class Nobody:
    """Where there is no event bus."""

    def tell(self, domain: TrackingDomain, changes: Sequence[Change]) -> None:
        """Tells nobody."""


def announce(announcer: Announcer, domain: TrackingDomain, changes: Sequence[Change]) -> None:
    """Count changes by where they lead, apart those that took a working domain away, and tell."""
    for change in changes:
        count(Metric.DOMAIN_CHANGED, reason=change.after)
        if change.before in ("http", "https") and change.after in ("fallen_back", "blocked"):
            count(Metric.DOMAIN_FELL_BACK)
    if domain.workspace == STACK and domain.failures:
        count(Metric.DEFAULT_HOST_FAILED)
    if changes:
        announcer.tell(domain, changes)


def event(domain: TrackingDomain, change: Change) -> dict[str, object]:
    """The detail of an event, plain values only."""
    return {
        "workspace": domain.workspace_name,
        "host": domain.host,
        "from": change.before,
        "to": change.after,
        "reason": change.reason,
        "time": change.at.isoformat().replace("+00:00", "Z"),
    }
