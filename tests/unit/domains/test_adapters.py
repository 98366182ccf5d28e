"""SES and EventBridge: requests against their service models, and what becomes of their answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from tests.unit.domains.builders import HOST, HTTPS, NOW, domain
from waypost.domains import events
from waypost.domains.events import BusAnnouncer
from waypost.domains.sender_identity import ASK_AGAIN, SesIdentities, is_verified, with_sending
from waypost.domains.state_machine import advance
from waypost.errors import StoreUnavailable

Make = Callable[[str], tuple[Any, Stubber]]


@pytest.fixture
def make() -> Make:
    def made(service: str) -> tuple[Any, Stubber]:
        client = boto3.client(  # type: ignore[call-overload]
            service,
            region_name="eu-west-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        return client, Stubber(client)

    return made


@pytest.mark.parametrize("verified", [True, False])
def test_ses_says_whether_an_identity_may_send(make: Make, verified: bool) -> None:
    client, stub = make("sesv2")
    answer = {"VerifiedForSendingStatus": verified}
    stub.add_response("get_email_identity", answer, {"EmailIdentity": "acme.com"})
    with stub:
        assert SesIdentities(client).verified("acme.com") is verified


def test_an_identity_that_ses_does_not_have_is_none(make: Make) -> None:
    client, stub = make("sesv2")
    stub.add_client_error("get_email_identity", "NotFoundException")
    with stub:
        assert SesIdentities(client).verified("acme.com") is None


def test_ses_that_cannot_be_asked_says_nothing_about_a_domain(make: Make) -> None:
    client, stub = make("sesv2")
    stub.add_client_error("get_email_identity", "TooManyRequestsException")
    with stub, pytest.raises(StoreUnavailable):
        SesIdentities(client).verified("acme.com")


@pytest.mark.parametrize(
    ("known", "verified"),
    [
        ({"mail.acme.com": True}, True),
        ({"acme.com": True}, True),
        ({"mail.acme.com": False, "acme.com": True}, False),
        ({"com": True}, False),
        ({"other.example": True}, False),
        ({}, False),
    ],
)
def test_the_nearest_identity_decides(known: dict[str, bool], verified: bool) -> None:
    class Known:
        def verified(self, domain: str) -> bool | None:
            return known.get(domain)

    assert is_verified("mail.acme.com", Known()) is verified


def test_a_verified_domain_is_asked_for_once_a_day_and_an_unverified_one_each_time() -> None:
    asked: list[str] = []

    class Counting:
        def verified(self, domain: str) -> bool | None:
            asked.append(domain)
            return True

    fresh = with_sending(domain(), Counting(), NOW)
    assert with_sending(fresh, Counting(), NOW + ASK_AGAIN / 2) == fresh
    assert asked == ["acme.com"]
    with_sending(fresh, Counting(), NOW + ASK_AGAIN)
    assert asked == ["acme.com"] * 2


def test_each_change_is_an_event_on_the_stacks_bus(make: Make) -> None:
    client, stub = make("events")
    after = advance(domain(), HTTPS, NOW)
    detail = {
        "workspace": "acme",
        "host": HOST,
        "from": "waiting",
        "to": "https",
        "reason": "dns cname, http ours, https ours",
        "time": "2026-11-21T10:00:00Z",
    }
    entry = {
        "EventBusName": "bus",
        "Source": "waypost",
        "DetailType": "Tracking domain changed",
        "Detail": json.dumps(detail),
    }
    stub.add_response("put_events", {"FailedEntryCount": 0, "Entries": []}, {"Entries": [entry]})
    with stub:
        BusAnnouncer(client, "bus").tell(after, after.history)
        stub.assert_no_pending_responses()


@pytest.mark.parametrize("fails", ["call", "entry"])
def test_a_bus_that_takes_nothing_loses_nothing_and_raises_nothing(
    make: Make, fails: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[tuple[str, dict[str, Any]]] = []

    class Log:
        def error(self, message: str, **keys: Any) -> None:
            lines.append((message, keys))

    monkeypatch.setattr(events, "logger", lambda _function: Log())
    client, stub = make("events")
    if fails == "call":
        stub.add_client_error("put_events", "ThrottlingException")
    else:
        stub.add_response("put_events", {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "x"}]})
    after = advance(domain(), HTTPS, NOW)
    with stub:
        BusAnnouncer(client, "bus").tell(after, after.history)
    ((_, keys),) = lines
    assert [(event["host"], event["to"]) for event in keys["events"]] == [(HOST, "https")]
