"""Opens are recorded like clicks, and the response is a GIF on any error."""

from __future__ import annotations

import struct
from base64 import b64decode
from collections.abc import Callable
from types import ModuleType
from typing import Any
from urllib.parse import quote

import pytest

from tests import lambda_handlers
from tests.click_factory import NOON
from tests.redirect_harness import CAMPAIGN, RedirectHarness, make_request
from waypost.errors import BadSignature, StoreUnavailable
from waypost.ids import derive_open_id
from waypost.models.click import Click
from waypost.redirect.service import PIXEL_GIF, ClickOutcome, pixel_response
from waypost.tokens import ClickToken, OpenToken

TOKEN = OpenToken(CAMPAIGN, "d1", "p1", int(NOON.timestamp()) - 3600)


def test_open_is_recorded_as_a_click_with_the_id_of_opens(harness: RedirectHarness) -> None:
    assert (
        harness.redirect_service.handle_open(harness.open_sealer.seal(TOKEN), make_request())
        is ClickOutcome.RECORDED
    )
    [recorded] = harness.clicks.stream
    assert (recorded.metric, recorded.link, recorded.href) == (
        "opened",
        derive_open_id(CAMPAIGN),
        "",
    )
    assert (recorded.person, recorded.delivery, recorded.sent) == ("p1", "d1", TOKEN.sent)
    assert recorded.ip == "203.0.113.0"


def test_repeated_pixel_request_is_one_open(harness: RedirectHarness) -> None:
    sealed = harness.open_sealer.seal(TOKEN)
    recorded = [harness.redirect_service.handle_open(sealed, make_request()) for _ in range(2)]
    assert recorded == [ClickOutcome.RECORDED, ClickOutcome.DUPLICATE]


def test_head_or_prefetch_of_a_pixel_is_not_an_open(harness: RedirectHarness) -> None:
    sealed = harness.open_sealer.seal(TOKEN)
    for unseen in (make_request("HEAD"), make_request(prefetch=True)):
        assert harness.redirect_service.handle_open(sealed, unseen) is ClickOutcome.NOT_A_CLICK
    assert harness.clicks.stream == []


def test_click_token_is_rejected_as_an_open_token(
    harness: RedirectHarness, token: ClickToken
) -> None:
    with pytest.raises(BadSignature):
        harness.redirect_service.handle_open(harness.sealer.seal(token), make_request())
    with pytest.raises(BadSignature):
        harness.redirect_service.handle_click(harness.open_sealer.seal(TOKEN), make_request())


def test_open_is_queued_if_it_cannot_be_recorded(
    harness: RedirectHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Click) -> bool:
        raise StoreUnavailable("away")

    monkeypatch.setattr(harness.clicks, "record", fail)
    assert (
        harness.redirect_service.handle_open(harness.open_sealer.seal(TOKEN), make_request())
        is ClickOutcome.QUEUED
    )
    assert [click.metric for click in harness.fallback_queue.clicks] == ["opened"]


def test_pixel_is_a_transparent_gif_of_43_bytes() -> None:
    assert len(PIXEL_GIF) == 43
    assert PIXEL_GIF[:6] == b"GIF89a"
    assert struct.unpack("<HH", PIXEL_GIF[6:10]) == (1, 1)
    at = 13 + 3 * 2  # after the header and two colours
    assert PIXEL_GIF[at : at + 3] == b"!\xf9\x04"
    assert PIXEL_GIF[at + 3] & 1, "a colour is transparent"
    transparent = PIXEL_GIF[at + 6]
    assert PIXEL_GIF[at + 8 : at + 9] == b","
    assert (PIXEL_GIF[at + 18], PIXEL_GIF[at + 19]) == (2, 2), (
        "codes of three bits at first, in two bytes"
    )
    codes = int.from_bytes(PIXEL_GIF[at + 20 : at + 22], "little")
    assert [codes & 7, codes >> 3 & 7, codes >> 6 & 7] == [
        4,
        transparent,
        5,
    ]  # clear code, pixel, end code
    assert PIXEL_GIF[-2:] == b"\0;"
    assert b64decode(pixel_response()["body"]) == PIXEL_GIF


def test_pixel_response_is_never_cached() -> None:
    assert "no-store" in pixel_response()["headers"]["cache-control"]


@pytest.fixture
def redirect(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    for name in ("CLICKS", "WORKSPACES", "SHORT_LINKS"):
        monkeypatch.setenv(f"{name}_TABLE", name.lower())
    for name in ("KEYRING_SECRET", "PARK_QUEUE_URL"):
        monkeypatch.setenv(name, "somewhere")
    monkeypatch.setenv("RETENTION_DAYS", "400")
    monkeypatch.delenv("ORIGIN_SECRETS", raising=False)
    monkeypatch.delenv("ORIGIN_LOCK", raising=False)
    return lambda_handlers.load_function("redirect")


def build_event(path: str, **parameters: str) -> dict[str, Any]:
    event = lambda_handlers.build_api_event(f"GET {path}", parameters)
    event["requestContext"]["http"] |= {"sourceIp": "203.0.113.7", "userAgent": "x"}
    event["requestContext"]["timeEpoch"] = int(NOON.timestamp() * 1000)
    return event


def monkeypatched(redirect: ModuleType, name: str, value: object) -> None:
    setattr(redirect, name, lambda: value)  # each test loads its own module


def ask(
    redirect: ModuleType, harness: RedirectHarness, path: str, **parameters: str
) -> dict[str, Any]:
    monkeypatched(redirect, "_redirect_service", harness.redirect_service)
    answer: dict[str, Any] = redirect.handler(build_event(path, **parameters), None)
    return answer


def request_pixel(redirect: ModuleType, harness: RedirectHarness, sealed: str) -> dict[str, Any]:
    payload, _, signature = sealed.partition("/")
    return ask(
        redirect, harness, "/e/o/{payload}/{signature}", payload=payload, signature=signature
    )


def test_pixel_request_returns_the_gif_and_records_an_open(
    redirect: ModuleType, harness: RedirectHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    assert request_pixel(redirect, harness, harness.open_sealer.seal(TOKEN)) == pixel_response()
    assert len(harness.clicks.stream) == 1
    assert "OpenRecorded" in capsys.readouterr().out


@pytest.mark.parametrize(
    "encode",
    [
        lambda path: path + "/",
        lambda path: path + "%3D",
        lambda path: path.replace("/", "%2F"),
        lambda path: "/" + quote(path[1:], safe=""),
        lambda path: "/" + quote(quote(path[1:], safe=""), safe=""),
        lambda path: path[:20] + "%0D%0A" + path[20:],
    ],
)
def test_percent_encoded_pixel_path_returns_the_gif_and_records_an_open(
    redirect: ModuleType, harness: RedirectHarness, encode: Callable[[str], str]
) -> None:
    """Such a path matches no route, so the event has no path parameters."""
    request_event = build_event("/anything")
    request_event["rawPath"] = encode("/e/o/" + harness.open_sealer.seal(TOKEN))
    monkeypatched(redirect, "_redirect_service", harness.redirect_service)
    assert redirect.handler(request_event, None) == pixel_response()
    assert len(harness.clicks.stream) == 1


def test_forged_pixel_returns_the_gif_without_an_open(
    redirect: ModuleType, harness: RedirectHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    assert request_pixel(redirect, harness, "AAAA/BBBB") == pixel_response()
    assert harness.clicks.stream == []
    assert "TokenRefused" in capsys.readouterr().out


def test_gif_is_returned_on_any_error(
    redirect: ModuleType, harness: RedirectHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    request_event = build_event("/e/o/{payload}/{signature}", payload="a", signature="b")
    for name in ("_redirect_service", "_config"):
        setattr(redirect, name, broken)
        assert redirect.handler(request_event, None) == pixel_response()
    assert capsys.readouterr().out.count('"OpenLost":1') == 2


def test_direct_pixel_request_returns_the_gif_without_an_open(
    redirect: ModuleType, harness: RedirectHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORIGIN_SECRETS", "secret")
    monkeypatch.setenv("ORIGIN_LOCK", "closed")
    redirect._config.cache_clear()
    assert request_pixel(redirect, harness, harness.open_sealer.seal(TOKEN)) == pixel_response()
    assert harness.clicks.stream == []


def test_short_link_errors_are_404_410_and_503(
    redirect: ModuleType,
    harness: RedirectHarness,
    token: ClickToken,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from waypost.models.short_link import ShortLink, generate_code

    live = ShortLink(generate_code(), harness.sealer.seal(token), None)
    over = ShortLink(generate_code(), harness.sealer.seal(token), int(harness.now))
    harness.short_links.add([live, over])
    answer = ask(redirect, harness, "/s/{code+}", code=live.code)
    assert (answer["statusCode"], answer["headers"]["location"]) == (302, token.href)
    assert "no-store" in answer["headers"]["cache-control"]
    assert ask(redirect, harness, "/s/{code+}", code=over.code)["statusCode"] == 410
    assert ask(redirect, harness, "/s/{code+}", code=generate_code())["statusCode"] == 404

    def fail(_: str) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(harness.short_links, "get", fail)
    answer = ask(redirect, harness, "/s/{code+}", code=generate_code())
    assert answer["statusCode"] == 503
    assert answer["headers"]["retry-after"].isdigit()
    assert "location" not in answer["headers"]
    assert "no-store" in answer["headers"]["cache-control"]
