"""The responses of the redirect handler."""

from __future__ import annotations

import json
from dataclasses import replace
from types import ModuleType
from typing import Any, ClassVar

import pytest

from tests import lambda_handlers
from tests.click_factory import CAMPAIGN, NOON
from tests.redirect_harness import FakeSecrets, RedirectHarness
from waypost.aws import clients
from waypost.errors import ConfigurationError, StoreUnavailable
from waypost.redirect.service import TokenVerifier
from waypost.tokens import ClickToken, Keyring, TokenSealer
from waypost.tokens.keyring import KeyringSource
from waypost.tokens.signer import TokenSigner


@pytest.fixture
def redirect(harness: RedirectHarness, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    for name in ("CLICKS_TABLE", "WORKSPACES_TABLE", "SHORT_LINKS_TABLE", "KEYRING_SECRET"):
        monkeypatch.setenv(name, "somewhere")
    monkeypatch.setenv("PARK_QUEUE_URL", "somewhere")
    monkeypatch.setenv("RETENTION_DAYS", "400")
    monkeypatch.delenv("ORIGIN_SECRETS", raising=False)
    monkeypatch.delenv("ORIGIN_LOCK", raising=False)
    module = lambda_handlers.load_function("redirect")
    monkeypatch.setattr(module, "_redirect_service", lambda: harness.redirect_service)
    return module


def ask(redirect: ModuleType, token: str, method: str = "GET", **headers: str) -> dict[str, Any]:
    payload, _, signature = token.partition("/")
    event = lambda_handlers.build_api_event(
        f"{method} /e/c/{{payload}}/{{signature}}", {"payload": payload, "signature": signature}
    )
    event["requestContext"]["http"] |= {"sourceIp": "203.0.113.7", "userAgent": "x"}
    event["requestContext"]["timeEpoch"] = int(NOON.timestamp() * 1000)
    event["headers"] |= {name.replace("_", "-"): value for name, value in headers.items()}
    answer: dict[str, Any] = redirect.handler(event, None)
    return answer


def metrics(capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str | None]]:
    """Return the emitted metrics with their reasons."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    return [
        (line["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Name"], line.get("reason"))
        for line in lines
    ]


def test_redirect_response_is_302_and_never_cached(
    redirect: ModuleType,
    harness: RedirectHarness,
    token: ClickToken,
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer = ask(redirect, harness.sealer.seal(token))
    assert answer["statusCode"] == 302
    assert answer["headers"] == {
        "location": token.href,
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
        "x-robots-tag": "noindex",
    }
    assert metrics(capsys) == [("ClickRedirected", None)]


def test_head_request_redirects_without_a_click(
    redirect: ModuleType,
    harness: RedirectHarness,
    token: ClickToken,
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer = ask(redirect, harness.sealer.seal(token), "HEAD")
    assert (answer["statusCode"], answer["headers"]["location"]) == (302, token.href)
    assert list(harness.clicks.scan_by_campaign(CAMPAIGN)) == []
    assert metrics(capsys) == []


def check_error_page(answer: dict[str, Any], status: int) -> None:
    assert answer["statusCode"] == status
    assert "location" not in answer["headers"]
    assert answer["headers"]["cache-control"] == "no-store"
    assert answer["headers"]["content-type"].startswith("text/html")


@pytest.mark.parametrize("damage", ["forged", "cut", "empty", "swapped", "other key"])
def test_damaged_link_returns_an_error_page_and_emits_a_metric(
    redirect: ModuleType,
    harness: RedirectHarness,
    token: ClickToken,
    capsys: pytest.CaptureFixture[str],
    damage: str,
) -> None:
    sealed = harness.sealer.seal(token)
    payload, _, signature = sealed.partition("/")
    text = {
        "forged": sealed[:-3] + "AAA",
        "cut": sealed[:-4],
        "empty": "/",
        "swapped": f"{signature}/{payload}",
        "other key": TokenSealer(Keyring((b"another key of thirty-two bytes!",))).seal(token),
    }[damage]
    check_error_page(ask(redirect, text), 404)
    assert [name for name, _ in metrics(capsys)] == ["TokenRefused", "LinkRefused"]


def test_unknown_token_version_returns_an_error_page_and_emits_a_metric(
    redirect: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    keyring = KeyringSource(FakeSecrets(), "keyring").get_keyring()
    check_error_page(
        ask(redirect, TokenSigner(keyring, "waypost.click").seal(b"\x09of later")), 404
    )
    assert metrics(capsys) == [("TokenRefused", "version"), ("LinkRefused", None)]


@pytest.mark.parametrize("changes", [{}, {"pathParameters": None}, {"pathParameters": {}}])
def test_unknown_path_returns_a_plain_page(redirect: ModuleType, changes: dict[str, Any]) -> None:
    event = lambda_handlers.build_api_event("GET /nowhere") | changes
    event["requestContext"] |= {"timeEpoch": 0}
    event["requestContext"]["http"] |= {"sourceIp": "203.0.113.7"}
    check_error_page(redirect.handler(event, None), 404)


def test_every_4xx_of_the_function_emits_link_refused(
    redirect: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    event = lambda_handlers.build_api_event("GET /.well-known/nothing-here")
    event["requestContext"] |= {"timeEpoch": 0}
    event["requestContext"]["http"] |= {"sourceIp": "203.0.113.7"}
    check_error_page(redirect.handler(event, None), 404)
    assert metrics(capsys) == [("LinkRefused", None)]


def test_locked_origin_rejects_direct_calls(
    redirect: ModuleType,
    harness: RedirectHarness,
    token: ClickToken,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("ORIGIN_SECRETS", "one,two")
    monkeypatch.setenv("ORIGIN_LOCK", "closed")
    sealed = harness.sealer.seal(token)
    check_error_page(ask(redirect, sealed), 403)
    assert ask(redirect, sealed, x_waypost_origin="two")["statusCode"] == 302
    counted = [name for name, _ in metrics(capsys)]
    assert counted == ["OriginRefused", "LinkRefused", "ClickRedirected"]


FORGED = {
    "x_amz_cf_id": "viewer-request_1==",
    "x_waypost_time": str(int(NOON.timestamp() * 1000) - 60_000),
    "cloudfront_viewer_address": "198.51.100.1:443",
    "cloudfront_viewer_country": "DE",
    "cloudfront_viewer_asn": "3320",
}


@pytest.mark.parametrize("secret", [None, "", "guessed"])
def test_open_origin_ignores_cloudfront_headers_of_direct_calls(
    redirect: ModuleType,
    harness: RedirectHarness,
    token: ClickToken,
    monkeypatch: pytest.MonkeyPatch,
    secret: str | None,
) -> None:
    monkeypatch.setenv("ORIGIN_SECRETS", "one,two")
    monkeypatch.setenv("ORIGIN_LOCK", "open")
    given = FORGED if secret is None else FORGED | {"x_waypost_origin": secret}
    assert ask(redirect, harness.sealer.seal(token), **given)["statusCode"] == 302
    (click,) = harness.clicks.scan_by_campaign(CAMPAIGN)
    assert (click.id, click.time) == ("1", NOON)
    assert (click.ip, click.country, click.asn) == ("203.0.113.0", None, None)


@pytest.mark.parametrize(
    ("secret", "requested_host"), [("guessed", "api.example"), ("one", "links.acme.com")]
)
def test_host_of_an_app_links_file_comes_from_cloudfront_only(
    redirect: ModuleType, monkeypatch: pytest.MonkeyPatch, secret: str, requested_host: str
) -> None:
    class Table:
        keys: ClassVar[list[str]] = []

        def get_item(self, **request: Any) -> dict[str, Any]:
            self.keys.append(request["Key"]["sk"]["S"])
            return {}

    monkeypatch.setenv("ORIGIN_SECRETS", "one,two")
    monkeypatch.setattr(clients, "create_redirect_client", lambda _: Table())
    event = lambda_handlers.build_api_event("GET /.well-known/assetlinks.json")
    event["headers"] |= {"host": "api.example", "x-waypost-host": "links.acme.com"}
    event["headers"]["x-waypost-origin"] = secret
    assert redirect.handler(event, None)["statusCode"] == 404
    assert Table.keys == [f"D#{requested_host}"]


@pytest.mark.parametrize("name", ["assetlinks.json", "apple-app-site-association"])
def test_corrupt_app_links_return_503_and_log_the_reason(
    redirect: ModuleType, monkeypatch: pytest.MonkeyPatch, name: str,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    class Table:
        def get_item(self, **request: Any) -> dict[str, Any]:
            return {"Item": request["Key"]}  # no other field

    monkeypatch.setattr(clients, "create_redirect_client", lambda _: Table())
    event = lambda_handlers.build_api_event(f"GET /.well-known/{name}")
    event["headers"] |= {"host": "links.acme.com"}
    answer = redirect.handler(event, None)
    check_error_page(answer, 503)
    assert answer["headers"]["retry-after"]
    assert any("links.acme.com" in str(vars(changes)) for changes in caplog.records)


def test_app_links_files_are_read_over_one_connection(
    redirect: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Table:
        made = 0

        def __init__(self, _: str) -> None:
            Table.made += 1

        def get_item(self, **_: Any) -> dict[str, Any]:
            return {}

    monkeypatch.setattr(clients, "create_redirect_client", Table)
    for _ in range(3):
        event = lambda_handlers.build_api_event("GET /.well-known/assetlinks.json")
        assert redirect.handler(event, None)["statusCode"] == 404
    assert Table.made == 1


def test_open_origin_trusts_cloudfront_headers(
    redirect: ModuleType,
    harness: RedirectHarness,
    token: ClickToken,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ORIGIN_SECRETS", "one,two")
    monkeypatch.setenv("ORIGIN_LOCK", "open")
    ask(redirect, harness.sealer.seal(token), x_waypost_origin="one", **FORGED)
    (click,) = harness.clicks.scan_by_campaign(CAMPAIGN)
    assert click.id == "viewer-request_1=="
    assert (click.ip, click.country, click.asn) == ("198.51.100.0", "DE", 3320)


def test_origin_lock_without_a_secret_is_a_configuration_error(
    redirect: ModuleType,
    harness: RedirectHarness,
    token: ClickToken,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ORIGIN_LOCK", "closed")
    with pytest.raises(ConfigurationError, match="ORIGIN_SECRETS"):
        ask(redirect, harness.sealer.seal(token))


def test_unknown_origin_lock_value_is_a_configuration_error(
    redirect: ModuleType,
    harness: RedirectHarness,
    token: ClickToken,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ORIGIN_LOCK", "ajar")
    with pytest.raises(ConfigurationError, match="ORIGIN_LOCK"):
        ask(redirect, harness.sealer.seal(token))


def test_missing_keyring_returns_503_with_retry_after(
    redirect: ModuleType,
    harness: RedirectHarness,
    token: ClickToken,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Away:
        def get_secret_value(self, *, SecretId: str) -> dict[str, object]:  # noqa: N803
            raise TimeoutError(SecretId)

    broken = replace(
        harness.redirect_service, token_verifier=TokenVerifier(KeyringSource(Away(), "keyring"))
    )
    monkeypatch.setattr(redirect, "_redirect_service", lambda: broken)
    answer = ask(redirect, harness.sealer.seal(token))
    check_error_page(answer, 503)
    assert answer["headers"]["retry-after"] == "5"


def test_each_click_outcome_emits_its_metric(
    redirect: ModuleType,
    harness: RedirectHarness,
    token: ClickToken,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(click: object) -> bool:
        raise StoreUnavailable("away")

    sealed = harness.sealer.seal(token)
    ask(redirect, sealed)
    ask(redirect, sealed)
    monkeypatch.setattr(harness.clicks, "record", fail)
    ask(redirect, sealed)
    monkeypatch.setattr(harness.fallback_queue, "send", fail)
    ask(redirect, sealed)
    assert [name for name, _ in metrics(capsys)] == [
        "ClickRedirected",
        "ClickRepeated",
        "ClickParked",
        "ClickLoggedOnly",
    ]
