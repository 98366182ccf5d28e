"""The stack's EventBridge bus: PutEvents for any number of events, and an error for each one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

EVENT_SOURCE: Final = "waypost"
MAX_PUT_EVENTS_ENTRIES: Final = 10
"""PutEvents accepts at most 10 entries in one call."""
MAX_CONCURRENT_PUT_EVENTS: Final = 8
"""One after the other, the 50 calls of a full batch would take longer than counting the batch.
boto3 keeps ten connections.
"""


class PutEventsClient(Protocol):
    """The one operation of boto3's EventBridge client that the bus needs; it is thread-safe."""

    def put_events(self, *, Entries: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]: ...  # noqa: N803


@dataclass(frozen=True, slots=True)
class BusEvent:
    """An event with its JSON detail. Without a time, EventBridge sets the time of the call."""

    detail_type: str
    detail: Mapping[str, object]
    time: datetime | None = None


class EventBus:
    """One event bus. The caller decides if it retries, logs or drops the events that failed."""

    def __init__(self, client: PutEventsClient, name: str) -> None:
        self._client = client
        self._name = name

    def put_events(self, events: Sequence[BusEvent]) -> list[str | None]:
        """Send events; return one error for each event, None if the bus accepted it.

        Never raises. If a call fails, all of its entries (at most 10) have the call's error.
        """
        calls = [
            events[start : start + MAX_PUT_EVENTS_ENTRIES]
            for start in range(0, len(events), MAX_PUT_EVENTS_ENTRIES)
        ]
        with ThreadPoolExecutor(MAX_CONCURRENT_PUT_EVENTS) as pool:
            return [error for errors in pool.map(self._put_entries, calls) for error in errors]

    def _put_entries(self, events: Sequence[BusEvent]) -> list[str | None]:
        try:
            response = self._client.put_events(Entries=[self._build_entry(e) for e in events])
            results = [result.get("ErrorCode") for result in response["Entries"]]
        except Exception as e:
            return [f"{type(e).__name__}: {e}"] * len(events)
        if len(results) != len(events):
            return [f"{len(results)} results for {len(events)} entries"] * len(events)
        return results

    def _build_entry(self, event: BusEvent) -> dict[str, object]:
        entry: dict[str, object] = {
            "EventBusName": self._name,
            "Source": EVENT_SOURCE,
            "DetailType": event.detail_type,
            "Detail": json.dumps(event.detail, ensure_ascii=False),
        }
        return entry if event.time is None else entry | {"Time": event.time}
