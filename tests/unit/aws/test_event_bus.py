"""EventBus returns one error or None for each event, for every PutEvents response."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from waypost.aws.event_bus import BusEvent, EventBus

EVENTS = [BusEvent("clicked", {"n": n}) for n in range(12)]


class FakeEventsClient:
    """A client that accepts every entry, unless a response or an error is set."""

    def __init__(self, response: Mapping[str, Any] | Exception | None = None) -> None:
        self.response = response

    def put_events(self, *, Entries: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:  # noqa: N803
        if isinstance(self.response, Exception):
            raise self.response
        return self.response or {"Entries": [{"EventId": "e"} for _ in Entries]}


def put_events(count: int, response: Mapping[str, Any] | Exception | None) -> list[str | None]:
    return EventBus(FakeEventsClient(response), "bus").put_events(EVENTS[:count])


def test_event_bus_makes_no_call_without_events() -> None:
    assert put_events(0, OSError("away")) == []


def test_event_bus_returns_no_error_for_events_accepted_in_several_calls() -> None:
    assert put_events(12, None) == [None] * 12


def test_event_bus_returns_the_error_code_of_a_rejected_entry_only() -> None:
    results = {"Entries": [{"EventId": "a"}, {"ErrorCode": "ThrottlingException"}]}
    assert put_events(2, results) == [None, "ThrottlingException"]


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (OSError("away"), "OSError: away"),
        ({"FailedEntryCount": 0}, "KeyError: 'Entries'"),
        ({"Entries": [{"EventId": "a"}]}, "1 results for 2 entries"),
    ],
)
def test_event_bus_returns_a_failed_call_as_the_error_of_all_its_events(
    response: Mapping[str, Any] | Exception, error: str
) -> None:
    assert put_events(2, response) == [error] * 2
