"""What the event bus is told of a counted click, in the shape of the reference's webhook.

    source       waypost
    detail-type  clicked, or opened (then without href and link_id)
    detail       {event_id, metric, timestamp, data: {customer_id, identifiers, delivery_id,
                  recipient, href, link_id, campaign_id, verdict: {kind, score, reasons}}}

``event_id`` follows from the click's id: the same click never has two. ``recipient``, an address
in the reference's events, is always null here: the stack is not told addresses. A click without
identity has null for person and delivery as well.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from typing import Any, Final, Protocol

from waypost.bot_detection.scoring import Verdict
from waypost.errors import StoreUnavailable
from waypost.model.times import rfc3339
from waypost.models.click import Click

SOURCE: Final = "waypost"
ENTRIES: Final = 10
"""What one PutEvents takes."""
AT_ONCE: Final = 8
"""Calls under way: one after the other, the 50 of a full batch would take longer than counting it.
boto3 keeps ten connections.
"""


class EventsClient(Protocol):
    """The one call of EventBridge that is needed, from several threads; boto3's client has it."""

    def put_events(self, *, Entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]: ...  # noqa: N803


class EventBus:
    """Tells a bus."""

    def __init__(self, client: EventsClient, bus: str) -> None:
        self._client = client
        self._bus = bus

    def tell(self, clicks: Sequence[tuple[Click, Verdict]]) -> set[str]:
        """Tell of clicks, in several calls at once; the ids of those that the bus took."""
        calls = [clicks[start : start + ENTRIES] for start in range(0, len(clicks), ENTRIES)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return set().union(*pool.map(self._told, calls))

    def _told(self, clicks: Sequence[tuple[Click, Verdict]]) -> set[str]:
        try:
            return self._tell(clicks)
        except StoreUnavailable:
            return set()

    def _tell(self, clicks: Sequence[tuple[Click, Verdict]]) -> set[str]:
        entries = [
            {
                "EventBusName": self._bus,
                "Source": SOURCE,
                "DetailType": click.metric,
                "Time": click.time,
                "Detail": json.dumps(event(click, verdict), ensure_ascii=False),
            }
            for click, verdict in clicks
        ]
        try:
            answers = self._client.put_events(Entries=entries)["Entries"]
            pairs = list(zip(clicks, answers, strict=True))
        except Exception as e:
            raise StoreUnavailable("the event bus did not answer") from e
        return {click.id for (click, _), answer in pairs if "ErrorCode" not in answer}


def event(click: Click, verdict: Verdict) -> dict[str, object]:
    """The event of a click."""
    anonymous = click.alias is not None
    return {
        "event_id": event_id(click.id),
        "metric": click.metric,
        "timestamp": int(click.time.timestamp()),
        "data": {
            "customer_id": click.person,
            "identifiers": {"id": click.person} if click.person else {},
            "delivery_id": None if anonymous else click.delivery,
            "recipient": None,
            "href": click.href or None,
            "link_id": None if click.metric == "opened" else click.link,
            "campaign_id": click.campaign,
            "time": rfc3339(click.time),
            "verdict": {
                "kind": verdict.kind,
                "score": verdict.score,
                "reasons": list(verdict.reasons),
            },
        },
    }


def event_id(click_id: str) -> str:
    """One for each click, however often it is told."""
    return blake2b(click_id.encode(), digest_size=16, person=b"waypost.event").hexdigest()
