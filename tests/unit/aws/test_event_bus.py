"""EventBus: one error for each event, whatever PutEvents answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from waypost.aws.event_bus import BusEvent, EventBus

EVENTS = [BusEvent("clicked", {"n": n}) for n in range(12)]


class FakeEventsClient:
    """Accepts every entry, unless a response is given."""

    def __init__(self, response: Mapping[str, Any] | Exception | None = None) -> None:
        self.response = response

    def put_events(self, *, Entries: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:  # noqa: N803
        if isinstance(self.response, Exception):
            raise self.response
        return self.response or {"Entries": [{"EventId": "e"} for _ in Entries]}


def put_events(count: int, response: Mapping[str, Any] | Exception | None) -> list[str | None]:
    return EventBus(FakeEventsClient(response), "bus").put_events(EVENTS[:count])


def test_no_event_makes_no_call() -> None:
    assert put_events(0, OSError("away")) == []


def test_every_accepted_event_has_no_error_beyond_one_call() -> None:
    assert put_events(12, None) == [None] * 12


def test_a_rejected_entry_has_its_error_code_and_the_others_none() -> None:
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
def test_a_failed_call_is_the_error_of_all_its_events(
    response: Mapping[str, Any] | Exception, error: str
) -> None:
    assert put_events(2, response) == [error] * 2
