from __future__ import annotations

from typing import Any

import pytest

from tests.redirect_harness import make_request
from waypost.clicks.request import (
    MAX_CLOCK_SKEW_MILLISECONDS,
    MAX_VIEWER_TIME_AGE_MILLISECONDS,
    PREFETCH_HEADERS,
    RedirectEvent,
    build_click,
    parse_click_request,
    truncate_address,
)
from waypost.models.workspace import WorkspaceSettings
from waypost.tokens import ClickToken

RECEIVED = 1_795_262_400_000


def make_event(method: str = "GET", **headers: str) -> RedirectEvent:
    return {
        "headers": {name.replace("_", "-"): value for name, value in headers.items()},
        "requestContext": {
            "http": {"method": method, "sourceIp": "198.51.100.7"},
            "requestId": "gateway-request",
            "timeEpoch": RECEIVED,
        },
    }


OF_CLOUDFRONT = {
    "user_agent": "Agent/1",
    "x_amz_cf_id": "viewer-request_1==",
    "x_waypost_time": str(RECEIVED - 700),
    "cloudfront_viewer_address": "203.0.113.7:52000",
    "cloudfront_viewer_country": "DE",
    "cloudfront_viewer_asn": "3320",
}


def test_cloudfront_headers_take_precedence_over_api_gateway() -> None:
    request = parse_click_request(make_event(**OF_CLOUDFRONT), from_cloudfront=True)
    assert (request.id, request.time) == ("viewer-request_1==", RECEIVED - 700)
    assert (request.address, request.country, request.asn) == ("203.0.113.7", "DE", 3320)
    assert request.agent == "Agent/1"


def test_cloudfront_headers_of_a_direct_call_are_ignored() -> None:
    request = parse_click_request(make_event(**OF_CLOUDFRONT), from_cloudfront=False)
    assert (request.id, request.time) == ("gateway-request", RECEIVED)
    assert (request.address, request.country, request.asn) == ("198.51.100.7", None, None)
    assert request.agent == "Agent/1"


@pytest.mark.parametrize("through_front", [True, False])
def test_api_gateway_values_are_used_without_cloudfront(through_front: bool) -> None:
    request = parse_click_request(make_event(), from_cloudfront=through_front)
    assert (request.id, request.time) == ("gateway-request", RECEIVED)
    assert (request.address, request.country, request.asn) == ("198.51.100.7", None, None)
    assert request.agent == ""


def test_request_repeated_at_the_origin_is_the_same_click() -> None:
    headers = {"x_amz_cf_id": "viewer-request-1", "x_waypost_time": str(RECEIVED)}
    first, again = make_event(**headers), make_event(**headers)
    again["requestContext"]["requestId"] = "gateway-again"
    again["requestContext"]["timeEpoch"] = RECEIVED + 30_000
    one, two = (parse_click_request(each, from_cloudfront=True) for each in (first, again))
    assert (one.id, one.time) == (two.id, two.time)


@pytest.mark.parametrize(
    "viewer_time",
    [
        RECEIVED + MAX_CLOCK_SKEW_MILLISECONDS + 1,
        RECEIVED - MAX_VIEWER_TIME_AGE_MILLISECONDS - 1,
        0,
        "nonsense",
        "-5",
        "9" * 40,
        "٣",
        "",
    ],
)
def test_implausible_viewer_time_is_ignored(viewer_time: object) -> None:
    assert (
        parse_click_request(make_event(x_waypost_time=str(viewer_time)), from_cloudfront=True).time
        == RECEIVED
    )


@pytest.mark.parametrize("made_up", ["", "short", "a b c d e f g", "x" * 200, "key#injection-1"])
def test_malformed_request_id_is_ignored(made_up: str) -> None:
    request = parse_click_request(make_event(x_amz_cf_id=made_up), from_cloudfront=True)
    assert request.id == "gateway-request"


@pytest.mark.parametrize("header", PREFETCH_HEADERS)
@pytest.mark.parametrize("value", ["prefetch", "Prefetch", "prefetch;prerender", "preview"])
def test_prefetch_is_not_a_click(header: str, value: str) -> None:
    event = make_event(**{header.replace("-", "_"): value})
    assert not parse_click_request(event, from_cloudfront=False).is_click


@pytest.mark.parametrize("method", ["HEAD", "POST", "OPTIONS", "get"])
def test_only_get_requests_are_clicks(method: str) -> None:
    assert not parse_click_request(make_event(method), from_cloudfront=False).is_click
    assert parse_click_request(make_event(), from_cloudfront=False).is_click


def test_other_purpose_header_is_not_a_prefetch() -> None:
    event = make_event(sec_purpose="", purpose="navigate")
    assert parse_click_request(event, from_cloudfront=False).is_click


@pytest.mark.parametrize(
    ("address", "stored"),
    [
        ("203.0.113.77", "203.0.113.0"),
        ("2001:db8:1234:5678:9abc::1", "2001:db8:1234::"),
        ("::ffff:203.0.113.77", "203.0.113.0"),
        ("not an address", None),
        ("", None),
        (None, None),
    ],
)
def test_address_is_truncated_to_its_network(address: str | None, stored: str | None) -> None:
    assert truncate_address(address, "truncated") == stored


def test_ip_policy_decides_how_much_of_an_address_is_stored() -> None:
    assert truncate_address("203.0.113.77", "full") == "203.0.113.77"
    assert truncate_address("203.0.113.77", "none") is None


@pytest.mark.parametrize(
    ("header", "address"),
    [
        ("203.0.113.7:443", "203.0.113.7"),
        ("2001:db8::1:443", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
    ],
)
def test_port_follows_the_last_colon_of_the_viewer_address(header: str, address: str) -> None:
    event = make_event(cloudfront_viewer_address=header)
    assert parse_click_request(event, from_cloudfront=True).address == address


def test_click_never_contains_the_complete_address() -> None:
    click: Any = build_click(
        ClickToken("a" * 26, "d", "p", 1, 0, "https://e.com/"),  # type: ignore[arg-type]
        "https://e.com/",
        make_request(),
        WorkspaceSettings(),
        400,
    )
    assert "203.0.113.7" not in str(click.to_dict()).replace("203.0.113.0", "")
