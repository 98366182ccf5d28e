"""SES and EventBridge: requests that match their service models, and the handling of responses."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from tests.unit.domains.builders import HOST, HTTPS, NOW, make_domain
from waypost.aws.event_bus import EventBus
from waypost.domains import events
from waypost.domains.events import DomainEventPublisher
from waypost.domains.sender_identity import (
    VERIFICATION_MAX_AGE,
    SenderIdentities,
    is_sender_verified,
    refresh_verification,
)
from waypost.domains.state_machine import apply_check_result
from waypost.errors import StoreUnavailable

CreateClient = Callable[[str], tuple[Any, Stubber]]


@pytest.fixture
def create_client() -> CreateClient:
    def create(service: str) -> tuple[Any, Stubber]:
        client = boto3.client(  # type: ignore[call-overload]
            service,
            region_name="eu-west-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        return client, Stubber(client)

    return create


@pytest.mark.parametrize("verified", [True, False])
def test_ses_identity_has_its_verification_status(
    create_client: CreateClient, verified: bool
) -> None:
    client, stub = create_client("sesv2")
    response = {"VerifiedForSendingStatus": verified}
    stub.add_response("get_email_identity", response, {"EmailIdentity": "acme.com"})
    with stub:
        assert SenderIdentities(client).get_verification("acme.com") is verified


def test_identity_unknown_to_ses_has_no_verification(create_client: CreateClient) -> None:
    client, stub = create_client("sesv2")
    stub.add_client_error("get_email_identity", "NotFoundException")
    with stub:
        assert SenderIdentities(client).get_verification("acme.com") is None


def test_ses_throttling_raises_instead_of_reporting_an_unverified_domain(
    create_client: CreateClient,
) -> None:
    client, stub = create_client("sesv2")
    stub.add_client_error("get_email_identity", "TooManyRequestsException")
    with stub, pytest.raises(StoreUnavailable):
        SenderIdentities(client).get_verification("acme.com")


@pytest.mark.parametrize(
    ("identities", "verified"),
    [
        ({"mail.acme.com": True}, True),
        ({"acme.com": True}, True),
        ({"mail.acme.com": False, "acme.com": True}, False),
        ({"com": True}, False),
        ({"other.example": True}, False),
        ({}, False),
    ],
)
def test_nearest_ses_identity_decides_whether_a_sender_is_verified(
    identities: dict[str, bool], verified: bool
) -> None:
    class FakeIdentities(SenderIdentities):
        def __init__(self) -> None:
            pass

        def get_verification(self, domain: str) -> bool | None:
            return identities.get(domain)

    assert is_sender_verified("mail.acme.com", FakeIdentities()) is verified


def test_verification_is_refreshed_once_a_day_for_a_verified_domain_else_every_time() -> None:
    requested_domains: list[str] = []

    class RecordingIdentities(SenderIdentities):
        def __init__(self) -> None:
            pass

        def get_verification(self, domain: str) -> bool | None:
            requested_domains.append(domain)
            return True

    fresh = refresh_verification(make_domain(), RecordingIdentities(), NOW)
    assert (
        refresh_verification(fresh, RecordingIdentities(), NOW + VERIFICATION_MAX_AGE / 2) == fresh
    )
    assert requested_domains == ["acme.com"]
    refresh_verification(fresh, RecordingIdentities(), NOW + VERIFICATION_MAX_AGE)
    assert requested_domains == ["acme.com"] * 2


def test_domain_change_is_published_on_the_event_bus(create_client: CreateClient) -> None:
    client, stub = create_client("events")
    after = apply_check_result(make_domain(), HTTPS, NOW)
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
    stub.add_response(
        "put_events", {"FailedEntryCount": 0, "Entries": [{"EventId": "e"}]}, {"Entries": [entry]}
    )
    with stub:
        DomainEventPublisher(EventBus(client, "bus")).publish(after, after.history)
        stub.assert_no_pending_responses()


@pytest.mark.parametrize("failure", ["call", "entry"])
def test_unpublished_domain_events_are_logged_and_raise_nothing(
    create_client: CreateClient, failure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[tuple[str, dict[str, Any]]] = []

    class FakeLogger:
        def error(self, message: str, **keys: Any) -> None:
            logged.append((message, keys))

    monkeypatch.setattr(events, "create_logger", lambda _function: FakeLogger())
    client, stub = create_client("events")
    if failure == "call":
        stub.add_client_error("put_events", "ThrottlingException")
    else:
        stub.add_response("put_events", {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "x"}]})
    after = apply_check_result(make_domain(), HTTPS, NOW)
    with stub:
        DomainEventPublisher(EventBus(client, "bus")).publish(after, after.history)
    ((_, keys),) = logged
    assert [(event["host"], event["to"]) for event in keys["events"]] == [(HOST, "https")]
