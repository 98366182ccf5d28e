"""Each call of the redirect to each service, gone wrong in each way: what is promised for the pair.

docs/faults.md lists the promises. Everything is as in Lambda but the services: handler, signing
client, connections, timeouts.
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

from tests import handlers
from tests.clicks import CAMPAIGN, NOON
from tests.faults.broken_aws import SECRET, BrokenAws, broken_aws
from tests.faults.promises import unpromised
from tests.faults.ways import DONE, EVER, WAYS
from waypost.aws import LeanClient, clients
from waypost.clicks.fallback_queue import LOG_KEY
from waypost.domains import item_mapping, probe_token
from waypost.domains.app_links import ANDROID_PATH, APPLE_PATH, AndroidApp, AppLinks
from waypost.domains.model import new_domain
from waypost.ids import link_code, workspace_of
from waypost.maintenance.replay import stored_clicks
from waypost.models.click import Click
from waypost.models.short_link import StoredDestination
from waypost.redirect import service as following
from waypost.redirect.responses import GIF
from waypost.tokens import ClickToken, OpenToken, Sealer
from waypost.tokens.keyring import KeyList

HREF = "https://example.com/sale"
SEALER = Sealer(KeyList.parse(SECRET).at(0))
TOKEN = ClickToken(link_code(CAMPAIGN, HREF), "d1", "p1", 1, int(NOON.timestamp()) - 60, HREF)

STORED = StoredDestination(workspace_of(CAMPAIGN), HREF)
LONG = replace(TOKEN, href="", stored=STORED.digest)
PIXEL = OpenToken(CAMPAIGN, "d1", "p1", TOKEN.sent)
HOST = "links.acme.com"
DOMAIN = replace(
    new_domain(workspace_of(CAMPAIGN), "acme", HOST, "acme.com", "f00d", NOON),
    app_links=AppLinks(
        ios=("ABCDE12345.com.acme.app",),
        android=(AndroidApp("com.acme.app", (":".join(["AB"] * 32),)),),
    ),
)


@pytest.fixture
def services() -> Iterator[BrokenAws]:
    with broken_aws() as running:
        yield running


@pytest.fixture
def redirect(services: BrokenAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
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
    # Time is not the point: a machine that is busy with other tests answers late, too.
    monkeypatch.setattr(following, "BUDGET_SECONDS", 60)
    made: list[LeanClient] = []

    def remembered(service: str, *, timeout: float, attempts: int) -> LeanClient:
        made.append(LeanClient(service, timeout=0.25, attempts=attempts))
        return made[-1]

    monkeypatch.setattr(clients, "LeanClient", remembered)
    yield handlers.load("redirect")
    for client in made:
        client.close()


def ask(redirect: ModuleType, id_: str = "request-1", path: str | None = None) -> dict[str, Any]:
    """Follow the link, or the short link with a code."""
    if path is not None:
        return send(redirect, handlers.request("GET /s/{code+}", {"code": path}), id_)
    return follow(redirect, SEALER.seal(TOKEN), id_)


def follow(
    redirect: ModuleType, token: str, id_: str = "request-1", kind: str = "c"
) -> dict[str, Any]:
    payload, _, signature = token.partition("/")
    given = {"payload": payload, "signature": signature}
    event = handlers.request(f"GET /e/{kind}/{{payload}}/{{signature}}", given)
    return send(redirect, event, id_)


def see_pixel(redirect: ModuleType) -> dict[str, Any]:
    """The pixel as a function gives it that has just started."""
    redirect._keys.cache_clear()
    redirect._redirecting.cache_clear()
    return follow(redirect, SEALER.opens.seal(PIXEL), kind="o")


def ask_file(redirect: ModuleType, path: str) -> dict[str, Any]:
    """What stands at a well-known path of the tracking domain."""
    event = handlers.request(f"GET {path}")
    event["headers"]["host"] = HOST
    return send(redirect, event, "request-1")


def send(redirect: ModuleType, event: dict[str, Any], id_: str) -> dict[str, Any]:
    event["requestContext"] |= {"timeEpoch": int(NOON.timestamp() * 1000), "requestId": id_}
    event["requestContext"]["http"] |= {"sourceIp": "203.0.113.7", "userAgent": "x"}
    answer: dict[str, Any] = redirect.handler(event, None)
    return answer


def arrived(answer: dict[str, Any]) -> bool:
    return (answer["statusCode"], answer["headers"].get("location")) == (302, HREF)


def asked_to_come_again(answer: dict[str, Any]) -> bool:
    headers = answer["headers"]
    return answer["statusCode"] == 503 and "location" not in headers and "retry-after" in headers


def test_every_call_has_its_promise(services: BrokenAws, redirect: ModuleType) -> None:
    ask(redirect, path="2" * 19)
    services.broken["PutItem"] = ("denied", EVER)
    ask(redirect)
    assert unpromised("redirect", services.calls) == set()


@pytest.mark.parametrize("way", WAYS)
def test_without_any_key_the_page_asks_to_come_again_and_then_the_link_works(
    services: BrokenAws, redirect: ModuleType, way: str
) -> None:
    services.broken["GetSecretValue"] = (way, EVER)
    assert asked_to_come_again(ask(redirect))
    assert services.calls["PutItem"] == 0
    services.broken.clear()
    assert arrived(ask(redirect))
    assert len(services.clicks) == 1


@pytest.mark.parametrize("way", WAYS)
def test_a_key_that_was_read_once_outlives_its_store(
    services: BrokenAws, redirect: ModuleType, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    assert arrived(ask(redirect))
    monkeypatch.setattr("waypost.tokens.keyring.FRESH_SECONDS", 0)
    services.broken["GetSecretValue"] = (way, EVER)
    assert arrived(ask(redirect, "request-2"))
    assert len(services.clicks) == 2


@pytest.mark.parametrize("way", WAYS)
def test_without_settings_the_recipient_arrives_and_no_address_is_kept(
    services: BrokenAws, redirect: ModuleType, way: str
) -> None:
    services.broken["GetItem"] = (way, EVER)
    assert arrived(ask(redirect))
    [kept] = [*services.clicks.values(), *services.parked]
    assert "203.0.113" not in json.dumps(kept)


@pytest.mark.parametrize("way", WAYS)
def test_a_ledger_that_fails_once_has_the_click_once(
    services: BrokenAws, redirect: ModuleType, way: str
) -> None:
    services.broken["PutItem"] = (way, 1)
    assert arrived(ask(redirect))
    assert len(services.clicks) == 1
    assert services.parked == []


@pytest.mark.parametrize("way", WAYS)
def test_a_ledger_that_fails_has_the_click_parked_under_the_same_id(
    services: BrokenAws, redirect: ModuleType, way: str
) -> None:
    services.broken["PutItem"] = (way, EVER)
    assert arrived(ask(redirect))
    assert len(services.clicks) == (way in DONE)
    assert [Click.from_stored(click).id for click in services.parked] == ["request-1"]


@pytest.mark.parametrize("way", WAYS)
def test_a_click_that_nobody_takes_is_one_line_that_replays(
    services: BrokenAws, redirect: ModuleType, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    printed = StringIO()
    monkeypatch.setattr(redirect, "log", Logger(service=f"lost-{way}", stream=printed))
    services.broken = {"PutItem": ("failed", EVER), "SendMessage": (way, EVER)}
    assert arrived(ask(redirect))
    lines = [line for line in printed.getvalue().splitlines() if LOG_KEY in line]
    assert [Click.from_stored(one).id for line in lines for one in stored_clicks(line)] == [
        "request-1"
    ]


@pytest.mark.parametrize("way", WAYS)
def test_a_short_link_that_cannot_be_read_asks_to_come_again(
    services: BrokenAws, redirect: ModuleType, way: str
) -> None:
    services.broken["GetItem"] = (way, EVER)
    assert asked_to_come_again(ask(redirect, path="2" * 19))


@pytest.mark.parametrize("way", WAYS)
def test_with_everything_down_at_once_a_function_that_knows_its_keys_redirects(
    services: BrokenAws, redirect: ModuleType, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    assert arrived(ask(redirect))
    monkeypatch.setattr("waypost.tokens.keyring.FRESH_SECONDS", 0)
    monkeypatch.setattr("waypost.clicks.settings_cache.FRESH_SECONDS", 0)
    for operation in ("GetSecretValue", "GetItem", "PutItem", "SendMessage"):
        services.broken[operation] = (way, EVER)
    for attempt in range(3):
        assert arrived(ask(redirect, f"request-{attempt + 2}"))


@pytest.mark.parametrize("way", WAYS)
def test_a_long_destination_that_cannot_be_read_asks_to_come_again(
    services: BrokenAws, redirect: ModuleType, way: str
) -> None:
    services.items = [STORED.to_item()]
    services.broken["GetItem"] = (way, EVER)
    assert asked_to_come_again(follow(redirect, SEALER.seal(LONG)))
    assert (services.clicks, services.parked) == ({}, [])
    services.broken.clear()
    assert arrived(follow(redirect, SEALER.seal(LONG)))
    services.broken["GetItem"] = (way, EVER)  # what was read once is known
    assert arrived(follow(redirect, SEALER.seal(LONG), "request-2"))
    assert len(services.clicks) == 2


@pytest.mark.parametrize("way", WAYS)
def test_a_pixel_is_the_image_whatever_breaks_and_its_open_is_kept_once(
    services: BrokenAws, redirect: ModuleType, way: str
) -> None:
    for broken, kept in (
        (["GetSecretValue"], set()),
        (["GetItem"], {"request-1"}),
        (["PutItem"], {"request-1"}),
        (["PutItem", "SendMessage"], {"request-1"} if way in DONE else set()),
    ):
        services.clicks.clear()
        services.parked.clear()
        services.broken = dict.fromkeys(broken, (way, EVER))
        answer = see_pixel(redirect)
        assert (answer["statusCode"], answer["headers"]["content-type"]) == (200, "image/gif")
        assert b64decode(answer["body"]) == GIF
        found = [Click.from_item(one).id for one in services.clicks.values()]
        assert {*found, *(Click.from_stored(one).id for one in services.parked)} == kept


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("path", [APPLE_PATH, ANDROID_PATH])
def test_a_file_for_apps_is_the_domains_own_or_asks_to_come_again(
    services: BrokenAws, redirect: ModuleType, path: str, way: str
) -> None:
    services.items = [item_mapping.to_claim(DOMAIN), item_mapping.to_item(DOMAIN)]
    for times in (1, EVER):
        services.broken["GetItem"] = (way, times)
        assert asked_to_come_again(ask_file(redirect, path))
    services.broken.clear()
    answer = ask_file(redirect, path)
    assert (answer["statusCode"], "com.acme.app" in answer["body"]) == (200, True)


@pytest.mark.parametrize("way", WAYS)
def test_a_probe_is_answered_under_a_key_or_asked_to_come_again(
    services: BrokenAws, redirect: ModuleType, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    nonce = probe_token.new_nonce()
    services.broken["GetSecretValue"] = (way, EVER)
    assert asked_to_come_again(ask_file(redirect, probe_token.PATH + nonce))
    services.broken.clear()
    assert ask_file(redirect, probe_token.PATH + nonce)["statusCode"] == 200
    monkeypatch.setattr("waypost.tokens.keyring.FRESH_SECONDS", 0)
    services.broken["GetSecretValue"] = (way, EVER)
    answer = ask_file(redirect, probe_token.PATH + nonce)
    assert probe_token.is_answer(KeyList.parse(SECRET).at(0), nonce, answer["body"].encode())
