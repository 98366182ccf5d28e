"""Events have the format of the reference's webhook, and the bus may reject some of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from threading import Barrier
from typing import Any

from tests.click_factory import CAMPAIGN, NOON, make_click, make_link_id
from waypost.aws.event_bus import MAX_PUT_EVENTS_ENTRIES
from waypost.bot_detection.scoring import BotSignal, BotVerdict, build_verdict
from waypost.models.click import Click
from waypost.tally.event_publisher import (
    ClickEventBus,
    build_click_event,
    derive_event_id,
)

HUMAN = build_verdict(BotSignal(0))


class Client:
    """A client of EventBridge that rejects the entries at ``refused`` positions of each call."""

    def __init__(self, *refused: int, error: Exception | None = None) -> None:
        self.calls: list[list[dict[str, Any]]] = []
        self.refused, self.error = refused, error

    def put_events(self, *, Entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:  # noqa: N803
        if self.error is not None:
            raise self.error
        self.calls.append([dict(entry) for entry in Entries])
        taken: list[dict[str, str]] = [{"EventId": "1"} for _ in Entries]
        for position in self.refused:
            taken[position] = {"ErrorCode": "ThrottlingException"}
        return {"Entries": taken, "FailedEntryCount": len(self.refused)}


def make_clicks_with_verdicts(number: int) -> list[tuple[Click, BotVerdict]]:
    return [(make_click(f"c{n}"), HUMAN) for n in range(number)]


def test_event_has_the_format_of_the_reference_webhook() -> None:
    result = build_click_event(make_click(agent="curl/8"), build_verdict(BotSignal.KNOWN_AGENT))
    assert result == {
        "event_id": derive_event_id("click-1"),
        "metric": "clicked",
        "timestamp": int(NOON.timestamp()),
        "data": {
            "customer_id": "p1",
            "identifiers": {"id": "p1"},
            "delivery_id": "d-p1",
            "recipient": None,
            "href": "https://example.com/home",
            "link_id": make_link_id("home"),
            "campaign_id": CAMPAIGN,
            "time": "2026-11-21T12:00:00.000Z",
            "verdict": {"kind": "machine", "score": 100, "reasons": ["known_agent"]},
        },
    }


def test_event_of_an_anonymous_click_has_no_person() -> None:
    data = build_click_event(make_click().anonymize("alias", 0), HUMAN)["data"]
    assert isinstance(data, dict)
    assert (data["customer_id"], data["identifiers"], data["delivery_id"], data["href"]) == (
        None,
        {},
        None,
        None,
    )


def test_event_id_of_a_click_never_changes() -> None:
    assert derive_event_id("click-1") == derive_event_id("click-1") != derive_event_id("click-2")


def test_entries_contain_bus_source_and_time() -> None:
    client = Client()
    ClickEventBus(client, "stack-clicks").publish(make_clicks_with_verdicts(1))
    [[entry]] = client.calls
    assert (entry["EventBusName"], entry["Source"], entry["DetailType"], entry["Time"]) == (
        "stack-clicks",
        "waypost",
        "clicked",
        NOON,
    )
    assert json.loads(entry["Detail"])["metric"] == "clicked"


def test_put_events_calls_have_the_maximum_number_of_entries() -> None:
    client = Client()
    result = ClickEventBus(client, "bus").publish(make_clicks_with_verdicts(25))
    assert sorted(len(call) for call in client.calls) == [
        5,
        MAX_PUT_EVENTS_ENTRIES,
        MAX_PUT_EVENTS_ENTRIES,
    ]
    assert len(result) == 25


def test_rejected_entries_are_not_returned_as_published() -> None:
    assert ClickEventBus(Client(1), "bus").publish(make_clicks_with_verdicts(3)) == {"c0", "c2"}


def test_failed_call_publishes_no_entry() -> None:
    assert (
        ClickEventBus(Client(error=OSError("away")), "bus").publish(make_clicks_with_verdicts(1))
        == set()
    )


def test_incomplete_response_publishes_no_entry() -> None:
    class Short(Client):
        def put_events(self, *, Entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:  # noqa: N803
            return {"Entries": [{"EventId": "1"}], "FailedEntryCount": 0}

    assert ClickEventBus(Short(), "bus").publish(make_clicks_with_verdicts(2)) == set()


def test_failed_call_does_not_affect_other_calls() -> None:
    client = Client()
    taking = client.put_events

    def unanswered(*, Entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:  # noqa: N803
        if derive_event_id("c10") in Entries[0]["Detail"]:
            raise OSError("away")
        return taking(Entries=Entries)

    client.put_events = unanswered  # type: ignore[method-assign]
    result = ClickEventBus(client, "bus").publish(make_clicks_with_verdicts(25))
    assert result == {f"c{n}" for n in range(25)} - {f"c{n}" for n in range(10, 20)}


def test_batch_is_published_in_concurrent_calls() -> None:
    client = Client()
    taking, together = client.put_events, Barrier(2, timeout=10)

    def met(*, Entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:  # noqa: N803
        together.wait()  # passes only if the calls run at the same time
        return taking(Entries=Entries)

    client.put_events = met  # type: ignore[method-assign]
    assert (
        len(
            ClickEventBus(client, "bus").publish(
                make_clicks_with_verdicts(2 * MAX_PUT_EVENTS_ENTRIES)
            )
        )
        == 2 * MAX_PUT_EVENTS_ENTRIES
    )
