"""A click is recorded, queued or logged while the recipient is redirected, and is never lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from typing import cast

import pytest
from aws_lambda_powertools.logging import Logger

from tests.click_factory import CAMPAIGN, SAFARI
from tests.fakes import InMemoryWorkspaceRepository
from tests.redirect_harness import RedirectHarness, make_request
from waypost.clicks.fallback_queue import UNRECORDED_CLICK_LOG_KEY
from waypost.clicks.request import ClickRequest, is_from_cloudfront
from waypost.clicks.settings_cache import (
    FAIL_CLOSED_SETTINGS,
    SETTINGS_RETRY_SECONDS,
    SETTINGS_TTL_SECONDS,
    SettingsCache,
)
from waypost.errors import MalformedToken, StoreError, StoreUnavailable
from waypost.ids import derive_workspace_id, extract_workspace_id
from waypost.maintenance.replay import extract_clicks
from waypost.models.click import Click
from waypost.models.workspace import WorkspaceSettings
from waypost.redirect.service import MAX_RECORD_ATTEMPTS, RECORD_BUDGET_SECONDS, ClickOutcome
from waypost.repositories.clicks import ClickRepository
from waypost.repositories.dynamodb.workspaces import DynamoWorkspaceRepository
from waypost.repositories.workspaces import WorkspaceRepository
from waypost.tokens import ClickToken, OpenToken


class FailingClickRepository:
    """A click repository that fails ``times`` times, each after ``seconds``.

    ``written``: it fails after it wrote the click.
    """

    def __init__(
        self, harness: RedirectHarness, error: Exception, times: int = 99, seconds: float = 0.0
    ) -> None:
        self.harness, self.error, self.times, self.seconds = harness, error, times, seconds
        self.calls = 0
        self.clock = 0.0
        self.written = False

    def record(self, click: Click) -> bool:
        self.calls += 1
        self.clock += self.seconds
        if self.calls > self.times:
            return self.harness.clicks.record(click)
        if self.written:
            self.harness.clicks.record(click)
        raise self.error


def use_click_repository(harness: RedirectHarness, repository: FailingClickRepository) -> None:
    harness.redirect_service = replace(
        harness.redirect_service,
        clicks=cast("ClickRepository", repository),
        monotonic=lambda: repository.clock,
    )


def follow(
    harness: RedirectHarness, token: ClickToken, click_request: ClickRequest | None = None
) -> ClickOutcome:
    result = harness.redirect_service.handle_click(
        harness.sealer.seal(token), click_request or make_request()
    )
    assert result.location == token.href
    return result.outcome


def list_recorded_clicks(harness: RedirectHarness) -> list[Click]:
    return list(harness.clicks.scan_by_campaign(CAMPAIGN))


def test_click_is_recorded_with_the_data_of_its_request(
    harness: RedirectHarness, token: ClickToken
) -> None:
    assert follow(harness, token) is ClickOutcome.RECORDED
    [click] = list_recorded_clicks(harness)
    assert (click.id, click.link, click.person, click.delivery) == (
        "request-1",
        token.link,
        "p1",
        "d1",
    )
    assert (click.agent, click.ip, click.country, click.asn) == (SAFARI, "203.0.113.0", "DE", 3320)
    assert click.expires - int(click.time.timestamp()) == 400 * 86_400


def test_repeated_request_is_recorded_once(harness: RedirectHarness, token: ClickToken) -> None:
    assert follow(harness, token) is ClickOutcome.RECORDED
    assert follow(harness, token) is ClickOutcome.DUPLICATE
    assert len(list_recorded_clicks(harness)) == 1


@pytest.mark.parametrize(
    "click_request", [make_request("HEAD"), make_request("POST"), make_request(prefetch=True)]
)
def test_head_and_prefetch_redirect_without_a_click(
    harness: RedirectHarness, token: ClickToken, click_request: ClickRequest
) -> None:
    assert follow(harness, token, click_request) is ClickOutcome.NOT_A_CLICK
    assert (list_recorded_clicks(harness), harness.fallback_queue.clicks) == ([], [])


def test_recording_is_retried_after_one_failure(
    harness: RedirectHarness, token: ClickToken
) -> None:
    use_click_repository(
        harness,
        repository := FailingClickRepository(harness, StoreUnavailable("throttled"), times=1),
    )
    assert follow(harness, token) is ClickOutcome.RECORDED
    assert repository.calls == MAX_RECORD_ATTEMPTS == 2


def test_lost_response_does_not_record_a_second_click(
    harness: RedirectHarness, token: ClickToken
) -> None:
    use_click_repository(
        harness, repository := FailingClickRepository(harness, StoreUnavailable("timeout"), times=1)
    )
    repository.written = True
    assert follow(harness, token) is ClickOutcome.DUPLICATE
    assert len(list_recorded_clicks(harness)) == 1


@pytest.mark.parametrize("error", [StoreUnavailable("away"), ZeroDivisionError("a fault of ours")])
def test_click_is_queued_if_the_clicks_table_is_unavailable(
    harness: RedirectHarness, token: ClickToken, error: Exception
) -> None:
    use_click_repository(harness, FailingClickRepository(harness, error))
    assert follow(harness, token) is ClickOutcome.QUEUED
    assert [click.id for click in harness.fallback_queue.clicks] == ["request-1"]


def test_slow_failure_is_not_retried_within_the_budget(
    harness: RedirectHarness, token: ClickToken
) -> None:
    use_click_repository(
        harness,
        repository := FailingClickRepository(
            harness, StoreUnavailable("slow"), seconds=RECORD_BUDGET_SECONDS
        ),
    )
    assert follow(harness, token) is ClickOutcome.QUEUED
    assert repository.calls == 1


def test_click_is_logged_for_a_replay_if_the_queue_fails_too(
    harness: RedirectHarness, token: ClickToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = StringIO()
    use_click_repository(harness, FailingClickRepository(harness, StoreUnavailable("away")))
    monkeypatch.setattr(harness.fallback_queue, "send", _refuse)
    harness.redirect_service = replace(
        harness.redirect_service, logger=Logger(service="lost", stream=lines)
    )
    assert follow(harness, token) is ClickOutcome.LOGGED
    [line] = lines.getvalue().splitlines()
    assert UNRECORDED_CLICK_LOG_KEY in json.loads(line)
    [stored] = extract_clicks(line)
    click = Click.from_dict(stored)
    assert (click.id, click.link, click.ip) == ("request-1", token.link, "203.0.113.0")
    assert "203.0.113.7" not in line


def _refuse(click: Click) -> None:
    raise StoreUnavailable("the queue is away too")


def test_workspace_settings_decide_which_click_data_is_stored(
    harness: RedirectHarness, token: ClickToken
) -> None:
    settings = WorkspaceSettings(ip="full", retention_days=7)
    harness.redirect_service = replace(
        harness.redirect_service,
        settings_cache=_FixedSettings(settings),  # type: ignore[arg-type]
    )
    follow(harness, token)
    [click] = list_recorded_clicks(harness)
    assert click.ip == "203.0.113.7"
    assert click.expires - int(click.time.timestamp()) == 7 * 86_400


def test_fail_closed_settings_apply_if_settings_cannot_be_read(
    harness: RedirectHarness, token: ClickToken
) -> None:
    harness.redirect_service = replace(
        harness.redirect_service,
        settings_cache=_FixedSettings(FAIL_CLOSED_SETTINGS),  # type: ignore[arg-type]
    )
    follow(harness, token)
    assert list_recorded_clicks(harness)[0].ip is None


@pytest.mark.parametrize(
    "stored",
    [
        '{"retention_days": "7"}',
        '{"retention_days": 1e9}',
        '{"retention_days": {"clicks": 7}}',
        '{"retention_days": 1000000000}',
        '{"machine_threshold": "x", "ip": "full"}',
        '{"ip": "hashed"}',
        '{"cio_id": "false"}',
        '{"url_params": ["a", "b"]}',
        "[]",
        "{",
    ],
)
@pytest.mark.parametrize("href", ["https://example.com/sale", ""])
def test_unusable_settings_do_not_fail_the_redirect(
    harness: RedirectHarness,
    token: ClickToken,
    stored: str,
    href: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An operator or a later version may have written such settings."""
    settings_cache = SettingsCache(DynamoWorkspaceRepository(_FakeTable(stored), "workspaces"))
    harness.redirect_service = replace(harness.redirect_service, settings_cache=settings_cache)
    if href:
        assert follow(harness, token) is ClickOutcome.RECORDED
    else:
        token_text = harness.open_sealer.seal(OpenToken(CAMPAIGN, "d1", "p1", token.sent))
        assert (
            harness.redirect_service.handle_open(token_text, make_request())
            is ClickOutcome.RECORDED
        )
    [click] = harness.clicks.stream
    assert click.ip is None  # the workspace may forbid to store it
    assert click.expires - int(click.time.timestamp()) == 400 * 86_400
    [log_record] = caplog.records
    assert vars(log_record)["workspace"] == extract_workspace_id(CAMPAIGN)


@pytest.mark.parametrize("stored", ["[]", '"truncated"', "null", "7", "{", "", '{"schemes": 7}'])
def test_corrupt_settings_item_is_replaced_by_fail_closed_settings(stored: str) -> None:
    settings_cache = SettingsCache(DynamoWorkspaceRepository(_FakeTable(stored), "workspaces"))
    assert settings_cache.get_or_default(extract_workspace_id(CAMPAIGN)) is FAIL_CLOSED_SETTINGS


class _FakeTable:
    """A table with one item that has these settings."""

    def __init__(self, settings: str) -> None:
        self._settings = settings

    def __getattr__(self, _: str) -> Callable[..., dict[str, object]]:
        return lambda **_: {"Item": {"settings": {"S": self._settings}}}


class _FixedSettings:
    def __init__(self, settings: WorkspaceSettings) -> None:
        self.settings = settings

    def get_or_default(self, workspace: str) -> WorkspaceSettings:
        assert workspace == extract_workspace_id(CAMPAIGN)
        return self.settings


@pytest.mark.parametrize(
    "href",
    [
        "javascript:alert(1)",
        "https://example.com/\r\nset-cookie: a=1",
        "//example.com/",
        "",
    ],
)
def test_signed_token_with_a_forbidden_destination_is_rejected(
    harness: RedirectHarness, token: ClickToken, href: str
) -> None:
    with pytest.raises(MalformedToken):
        follow(harness, replace(token, href=href))
    assert list_recorded_clicks(harness) == []


@pytest.mark.parametrize(
    ("href", "location"),
    [
        ("https://example.com/a%2Fb?q=x+y%20z#part", "https://example.com/a%2Fb?q=x+y%20z#part"),
        ("https://example.com/ü?ß#é", "https://example.com/%C3%BC?%C3%9F#%C3%A9"),
        ("mailto:a@example.com?subject=x", "mailto:a@example.com?subject=x"),
        ("myapp://open/1", "myapp://open/1"),
    ],
)
def test_location_is_the_destination_in_header_characters(
    harness: RedirectHarness, token: ClickToken, href: str, location: str
) -> None:
    sealed = harness.sealer.seal(replace(token, href=href))
    assert harness.redirect_service.handle_click(sealed, make_request()).location == location


@pytest.mark.parametrize(
    ("given", "secrets", "through"),
    [
        ("", (), False),
        ("anything", (), False),
        ("", ("",), False),
        ("a", ("a", "b"), True),
        ("b", ("a", "b"), True),
        ("", ("a",), False),
        ("A", ("a",), False),
        ("é", ("a",), False),
    ],
)
def test_request_with_an_origin_secret_is_from_cloudfront(
    given: str, secrets: tuple[str, ...], through: bool
) -> None:
    assert is_from_cloudfront({"x-waypost-origin": given}, secrets) is through


def test_request_without_the_header_is_not_from_cloudfront() -> None:
    assert not is_from_cloudfront({}, ("a",))


def test_settings_are_cached_and_served_stale() -> None:
    class Store:
        def __init__(self) -> None:
            self.reads, self.down = 0, False

        def get_settings(self, workspace: str) -> WorkspaceSettings:
            self.reads += 1
            if self.down:
                raise StoreError("down")
            return WorkspaceSettings(ip="full")

    now = [0.0]
    store = Store()
    settings_cache = SettingsCache(cast("WorkspaceRepository", store), monotonic=lambda: now[0])
    workspace = extract_workspace_id(CAMPAIGN)
    store.down = True
    assert settings_cache.get_or_default(workspace) is FAIL_CLOSED_SETTINGS
    assert settings_cache.get_or_default(workspace) is FAIL_CLOSED_SETTINGS
    assert store.reads == 1  # an unavailable store is not read at every click
    store.down, now[0] = False, SETTINGS_RETRY_SECONDS + 1.0
    assert (
        settings_cache.get_or_default(workspace).ip
        == settings_cache.get_or_default(workspace).ip
        == "full"
    )
    assert store.reads == 2
    store.down, now[0] = True, now[0] + SETTINGS_TTL_SECONDS + 1
    assert settings_cache.get_or_default(workspace).ip == "full"
    assert store.reads == 3


def test_settings_cache_is_bounded() -> None:
    settings_cache = SettingsCache(InMemoryWorkspaceRepository())
    for number in range(2_500):
        settings_cache.get_or_default(derive_workspace_id(str(number)))
    assert len(settings_cache._cache) <= 1_000
