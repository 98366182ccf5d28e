"""Each fault of each call of the redirect has the result that docs/faults.md promises.

The handler, client, connections and timeouts are those of Lambda; only the services are fake.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from types import ModuleType
from typing import Any

import pytest
from aws_lambda_powertools.logging import Logger

from tests import lambda_handlers
from tests.click_factory import CAMPAIGN, NOON
from tests.faults.call_faults import ALWAYS, CALL_FAULTS, FAULTS_AFTER_SUCCESS
from tests.faults.faulty_aws import KEYRING_SECRET, FaultyAws, run_faulty_aws
from tests.faults.promises import find_missing_promises
from waypost.aws import MinimalClient, clients
from waypost.clicks.fallback_queue import UNRECORDED_CLICK_LOG_KEY
from waypost.domains import probe_token
from waypost.domains.app_links import ANDROID_APP_LINKS_PATH, APPLE_APP_LINKS_PATH
from waypost.ids import derive_link_id, extract_workspace_id
from waypost.maintenance.replay import extract_clicks
from waypost.models import tracking_domain
from waypost.models.click import Click
from waypost.models.short_link import LongDestination
from waypost.models.tracking_domain import AndroidApp, AppLinks, create_domain
from waypost.redirect.service import PIXEL_GIF
from waypost.tokens import ClickToken, OpenToken, TokenSealer
from waypost.tokens.keyring import KeySchedule

HREF = "https://example.com/sale"
SEALER = TokenSealer(KeySchedule.parse(KEYRING_SECRET).build_keyring(0))
TOKEN = ClickToken(derive_link_id(CAMPAIGN, HREF), "d1", "p1", 1, int(NOON.timestamp()) - 60, HREF)

STORED = LongDestination(extract_workspace_id(CAMPAIGN), HREF)
LONG = replace(TOKEN, href="", stored_digest=STORED.digest)
PIXEL = OpenToken(CAMPAIGN, "d1", "p1", TOKEN.sent)
HOST = "links.acme.com"
DOMAIN = replace(
    create_domain(extract_workspace_id(CAMPAIGN), "acme", HOST, "acme.com", "f00d", NOON),
    app_links=AppLinks(
        ios=("ABCDE12345.com.acme.app",),
        android=(AndroidApp("com.acme.app", (":".join(["AB"] * 32),)),),
    ),
)


@pytest.fixture
def services() -> Iterator[FaultyAws]:
    with run_faulty_aws() as running:
        yield running


@pytest.fixture
def redirect(services: FaultyAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    environment = {
        "AWS_ENDPOINT_URL": services.url,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "CLICKS_TABLE": "clicks",
        "WORKSPACES_TABLE": "workspaces",
        "SHORT_LINKS_TABLE": "short-links",
        "KEYRING_SECRET": "keyring",
        "PARK_QUEUE_URL": f"{services.url}/queue",
        "RETENTION_DAYS": "400",
        "ORIGIN_SECRETS": "",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    # A busy machine must not exceed the limit.
    monkeypatch.setattr("waypost.redirect.service.RECORD_BUDGET_SECONDS", 60)
    created_clients: list[MinimalClient] = []

    def create_client(service: str, *, timeout: float, attempts: int) -> MinimalClient:
        created_clients.append(MinimalClient(service, timeout=0.25, attempts=attempts))
        return created_clients[-1]

    monkeypatch.setattr(clients, "MinimalClient", create_client)
    yield lambda_handlers.load_function("redirect")
    for client in created_clients:
        client.close()


def follow_link(
    redirect: ModuleType, id_: str = "request-1", path: str | None = None
) -> dict[str, Any]:
    """Follow the link, or the short link with the code ``path``."""
    if path is not None:
        return invoke_redirect(
            redirect, lambda_handlers.build_api_event("GET /s/{code+}", {"code": path}), id_
        )
    return follow(redirect, SEALER.seal(TOKEN), id_)


def follow(
    redirect: ModuleType, token: str, id_: str = "request-1", kind: str = "c"
) -> dict[str, Any]:
    payload, _, signature = token.partition("/")
    parameters = {"payload": payload, "signature": signature}
    event = lambda_handlers.build_api_event(f"GET /e/{kind}/{{payload}}/{{signature}}", parameters)
    return invoke_redirect(redirect, event, id_)


def request_pixel(redirect: ModuleType) -> dict[str, Any]:
    """Request the pixel from a function that has just started."""
    redirect._keyring_source.cache_clear()
    redirect._redirect_service.cache_clear()
    return follow(redirect, SEALER.open_sealer.seal(PIXEL), kind="o")


def request_file(redirect: ModuleType, path: str) -> dict[str, Any]:
    """Request a well-known path of the tracking domain."""
    event = lambda_handlers.build_api_event(f"GET {path}")
    event["headers"]["host"] = HOST
    return invoke_redirect(redirect, event, "request-1")


def invoke_redirect(redirect: ModuleType, event: dict[str, Any], id_: str) -> dict[str, Any]:
    event["requestContext"] |= {"timeEpoch": int(NOON.timestamp() * 1000), "requestId": id_}
    event["requestContext"]["http"] |= {"sourceIp": "203.0.113.7", "userAgent": "x"}
    answer: dict[str, Any] = redirect.handler(event, None)
    return answer


def is_redirect(answer: dict[str, Any]) -> bool:
    return (answer["statusCode"], answer["headers"].get("location")) == (302, HREF)


def is_retry_later(answer: dict[str, Any]) -> bool:
    headers = answer["headers"]
    return answer["statusCode"] == 503 and "location" not in headers and "retry-after" in headers


def test_every_call_has_its_promise(services: FaultyAws, redirect: ModuleType) -> None:
    follow_link(redirect, path="2" * 19)
    services.planned_faults["PutItem"] = ("denied", ALWAYS)
    follow_link(redirect)
    assert find_missing_promises("redirect", services.calls) == set()


@pytest.mark.parametrize("fault", CALL_FAULTS)
def test_missing_keyring_returns_503_until_it_can_be_read(
    services: FaultyAws, redirect: ModuleType, fault: str
) -> None:
    services.planned_faults["GetSecretValue"] = (fault, ALWAYS)
    assert is_retry_later(follow_link(redirect))
    assert services.calls["PutItem"] == 0
    services.planned_faults.clear()
    assert is_redirect(follow_link(redirect))
    assert len(services.clicks) == 1


@pytest.mark.parametrize("fault", CALL_FAULTS)
def test_cached_keyring_is_used_if_the_secret_cannot_be_read(
    services: FaultyAws, redirect: ModuleType, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    assert is_redirect(follow_link(redirect))
    monkeypatch.setattr("waypost.tokens.keyring.KEYRING_TTL_SECONDS", 0)
    services.planned_faults["GetSecretValue"] = (fault, ALWAYS)
    assert is_redirect(follow_link(redirect, "request-2"))
    assert len(services.clicks) == 2


@pytest.mark.parametrize("fault", CALL_FAULTS)
def test_redirect_without_settings_stores_no_address(
    services: FaultyAws, redirect: ModuleType, fault: str
) -> None:
    services.planned_faults["GetItem"] = (fault, ALWAYS)
    assert is_redirect(follow_link(redirect))
    [click] = [*services.clicks.values(), *services.queue_messages]
    assert "203.0.113" not in json.dumps(click)


@pytest.mark.parametrize("fault", CALL_FAULTS)
def test_click_is_recorded_once_after_one_failure(
    services: FaultyAws, redirect: ModuleType, fault: str
) -> None:
    services.planned_faults["PutItem"] = (fault, 1)
    assert is_redirect(follow_link(redirect))
    assert len(services.clicks) == 1
    assert services.queue_messages == []


@pytest.mark.parametrize("fault", CALL_FAULTS)
def test_click_is_queued_with_the_same_id_if_recording_fails(
    services: FaultyAws, redirect: ModuleType, fault: str
) -> None:
    services.planned_faults["PutItem"] = (fault, ALWAYS)
    assert is_redirect(follow_link(redirect))
    assert len(services.clicks) == (fault in FAULTS_AFTER_SUCCESS)
    assert [Click.from_dict(click).id for click in services.queue_messages] == ["request-1"]


@pytest.mark.parametrize("fault", CALL_FAULTS)
def test_click_is_logged_and_replayed_if_table_and_queue_fail(
    services: FaultyAws, redirect: ModuleType, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    printed = StringIO()
    monkeypatch.setattr(redirect, "log", Logger(service=f"lost-{fault}", stream=printed))
    services.planned_faults = {"PutItem": ("failed", ALWAYS), "SendMessage": (fault, ALWAYS)}
    assert is_redirect(follow_link(redirect))
    lines = [line for line in printed.getvalue().splitlines() if UNRECORDED_CLICK_LOG_KEY in line]
    assert [Click.from_dict(one).id for line in lines for one in extract_clicks(line)] == [
        "request-1"
    ]


@pytest.mark.parametrize("fault", CALL_FAULTS)
def test_unreadable_short_link_returns_503(
    services: FaultyAws, redirect: ModuleType, fault: str
) -> None:
    services.planned_faults["GetItem"] = (fault, ALWAYS)
    assert is_retry_later(follow_link(redirect, path="2" * 19))


@pytest.mark.parametrize("fault", CALL_FAULTS)
def test_redirect_with_a_cached_keyring_survives_the_failure_of_all_services(
    services: FaultyAws, redirect: ModuleType, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    assert is_redirect(follow_link(redirect))
    monkeypatch.setattr("waypost.tokens.keyring.KEYRING_TTL_SECONDS", 0)
    monkeypatch.setattr("waypost.clicks.settings_cache.SETTINGS_TTL_SECONDS", 0)
    for operation in ("GetSecretValue", "GetItem", "PutItem", "SendMessage"):
        services.planned_faults[operation] = (fault, ALWAYS)
    for attempt in range(3):
        assert is_redirect(follow_link(redirect, f"request-{attempt + 2}"))


@pytest.mark.parametrize("fault", CALL_FAULTS)
def test_unreadable_long_destination_returns_503(
    services: FaultyAws, redirect: ModuleType, fault: str
) -> None:
    services.items = [STORED.to_item()]
    services.planned_faults["GetItem"] = (fault, ALWAYS)
    assert is_retry_later(follow(redirect, SEALER.seal(LONG)))
    assert (services.clicks, services.queue_messages) == ({}, [])
    services.planned_faults.clear()
    assert is_redirect(follow(redirect, SEALER.seal(LONG)))
    services.planned_faults["GetItem"] = (fault, ALWAYS)  # it is cached
    assert is_redirect(follow(redirect, SEALER.seal(LONG), "request-2"))
    assert len(services.clicks) == 2


@pytest.mark.parametrize("fault", CALL_FAULTS)
def test_pixel_is_returned_on_any_fault_and_its_open_is_stored_once(
    services: FaultyAws, redirect: ModuleType, fault: str
) -> None:
    for failing_calls, expected_ids in (
        (["GetSecretValue"], set()),
        (["GetItem"], {"request-1"}),
        (["PutItem"], {"request-1"}),
        (["PutItem", "SendMessage"], {"request-1"} if fault in FAULTS_AFTER_SUCCESS else set()),
    ):
        services.clicks.clear()
        services.queue_messages.clear()
        services.planned_faults = dict.fromkeys(failing_calls, (fault, ALWAYS))
        answer = request_pixel(redirect)
        assert (answer["statusCode"], answer["headers"]["content-type"]) == (200, "image/gif")
        assert b64decode(answer["body"]) == PIXEL_GIF
        recorded_ids = {Click.from_item(item).id for item in services.clicks.values()}
        queued_ids = {Click.from_dict(click).id for click in services.queue_messages}
        assert recorded_ids | queued_ids == expected_ids


@pytest.mark.parametrize("fault", CALL_FAULTS)
@pytest.mark.parametrize("path", [APPLE_APP_LINKS_PATH, ANDROID_APP_LINKS_PATH])
def test_app_links_file_is_correct_or_503(
    services: FaultyAws, redirect: ModuleType, path: str, fault: str
) -> None:
    services.items = [tracking_domain.claim_to_item(DOMAIN), tracking_domain.domain_to_item(DOMAIN)]
    for times in (1, ALWAYS):
        services.planned_faults["GetItem"] = (fault, times)
        assert is_retry_later(request_file(redirect, path))
    services.planned_faults.clear()
    answer = request_file(redirect, path)
    assert (answer["statusCode"], "com.acme.app" in answer["body"]) == (200, True)


@pytest.mark.parametrize("fault", CALL_FAULTS)
def test_probe_is_answered_under_a_key_or_503(
    services: FaultyAws, redirect: ModuleType, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    nonce = probe_token.create_nonce()
    services.planned_faults["GetSecretValue"] = (fault, ALWAYS)
    assert is_retry_later(request_file(redirect, probe_token.PROBE_PATH + nonce))
    services.planned_faults.clear()
    assert request_file(redirect, probe_token.PROBE_PATH + nonce)["statusCode"] == 200
    monkeypatch.setattr("waypost.tokens.keyring.KEYRING_TTL_SECONDS", 0)
    services.planned_faults["GetSecretValue"] = (fault, ALWAYS)
    answer = request_file(redirect, probe_token.PROBE_PATH + nonce)
    assert probe_token.is_probe_answer(
        KeySchedule.parse(KEYRING_SECRET).build_keyring(0), nonce, answer["body"].encode()
    )
