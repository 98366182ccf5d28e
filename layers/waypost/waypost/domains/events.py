"""Changes of tracking domains, told on the stack's event bus.

Who is told about a change of a tracking domain: an event for each, and a metric.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from waypost.domains.model import STACK, Change, TrackingDomain
from waypost.observability import Metric, count, logger

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient


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


SOURCE: Final = "waypost"


class BusAnnouncer:
    """``waypost.domains.events.Announcer``. What the bus does not take goes to the log: the
    change itself is kept in the domain's history.
    """

    def __init__(self, client: EventBridgeClient, bus: str) -> None:
        self._client = client
        self._bus = bus

    def tell(self, domain: TrackingDomain, changes: Sequence[Change]) -> None:
        details = [event(domain, change) for change in changes]
        try:
            answer = self._client.put_events(
                Entries=[
                    {
                        "EventBusName": self._bus,
                        "Source": SOURCE,
                        "DetailType": DETAIL_TYPE,
                        "Detail": json.dumps(detail, ensure_ascii=False),
                    }
                    for detail in details
                ]
            )
        except (BotoCoreError, ClientError, ResponseParserError) as e:
            logger("domains").error("domain events not told", events=details, error=str(e))
            return
        if answer.get("FailedEntryCount") != 0:
            logger("domains").error("domain events refused", events=details)
