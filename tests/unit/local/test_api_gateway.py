"""Requests become payload format 2.0, and answers become responses, as API Gateway makes them."""

from __future__ import annotations

import base64
import json

import pytest

from local.api_gateway import (
    HttpRequest,
    InvalidFunctionResponse,
    Route,
    build_http_event,
    match_route,
    parse_response,
)

CLICK = Route("GET /e/c/{payload}/{signature}", "tracking", "Redirect", requires_iam=False)
GREEDY = Route("GET /e/{rest+}", "tracking", "Greedy", requires_iam=False)
ANY = Route("ANY /e/c/{payload}/{signature}", "tracking", "Any", requires_iam=False)
REPORT = Route("GET /v1/reports/latest", "management", "Latest", requires_iam=True)
REPORTS = Route("GET /v1/reports/{name}", "management", "Report", requires_iam=True)
DEFAULT = Route("$default", "tracking", "Default", requires_iam=False)
ROUTES = sorted([DEFAULT, GREEDY, ANY, REPORTS, REPORT, CLICK], key=lambda r: r.precedence)[::-1]


def request(method="GET", path="/", query="", headers=(), body=b""):
    return HttpRequest(method, path, query, list(headers), body, "192.0.2.7", 1_795_303_472_123)


@pytest.mark.parametrize(
    ("method", "path", "function", "parameters"),
    [
        ("GET", "/e/c/a/b", "Redirect", {"payload": "a", "signature": "b"}),
        ("GET", "/e/c/a%2Fb/c%20d", "Redirect", {"payload": "a/b", "signature": "c d"}),
        ("HEAD", "/e/c/a/b", "Any", {"payload": "a", "signature": "b"}),
        ("GET", "/e/c/a/b/c", "Greedy", {"rest": "c/a/b/c"}),
        ("GET", "/v1/reports/latest", "Latest", {}),
        ("GET", "/v1/reports/older", "Report", {"name": "older"}),
        ("POST", "/v1/reports/older", "Default", {}),
        ("GET", "/", "Default", {}),
    ],
)
def test_the_most_specific_route_wins(method, path, function, parameters):
    found = match_route(ROUTES, method, path)
    assert found is not None
    assert (found[0].function_id, found[1]) == (function, parameters)


def test_without_a_default_route_nothing_is_found():
    assert match_route([CLICK, REPORT], "GET", "/elsewhere") is None
    assert match_route([CLICK], "HEAD", "/e/c/a/b") is None


def test_an_event_has_the_shape_of_payload_format_2():
    made = build_http_event(
        CLICK,
        {"payload": "a/b", "signature": "c"},
        request(
            path="/e/c/a%2Fb/c",
            query="x=1&x=2&y=%20z&empty=",
            headers=[
                ("user-agent", "browser"),
                ("accept", "text/html"),
                ("accept", "*/*"),
                ("cookie", "a=1; b=2"),
            ],
        ),
    )
    context = made.pop("requestContext")
    assert made == {
        "version": "2.0",
        "routeKey": CLICK.key,
        "rawPath": "/e/c/a/b/c",
        "rawQueryString": "x=1&x=2&y=%20z&empty=",
        "cookies": ["a=1", "b=2"],
        "headers": {"user-agent": "browser", "accept": "text/html,*/*"},
        "queryStringParameters": {"x": "1,2", "y": " z", "empty": ""},
        "pathParameters": {"payload": "a/b", "signature": "c"},
        "isBase64Encoded": False,
    }
    assert context["http"] == {
        "method": "GET",
        "path": "/e/c/a/b/c",
        "protocol": "HTTP/1.1",
        "sourceIp": "192.0.2.7",
        "userAgent": "browser",
    }
    assert context["time"] == "21/Nov/2026:23:24:32 +0000"
    assert context["timeEpoch"] == 1_795_303_472_123
    assert (context["stage"], context["routeKey"]) == ("$default", CLICK.key)
    assert "authorizer" not in context


def test_callers_of_signed_routes_are_named():
    context = build_http_event(REPORT, {}, request())["requestContext"]
    assert context["authorizer"]["iam"]["accountId"] == "123456789012"


@pytest.mark.parametrize("kind", ["application/json", "text/plain; charset=utf-8"])
def test_text_bodies_travel_as_they_are(kind):
    made = build_http_event(
        REPORT, {}, request("POST", headers=[("content-type", kind)], body="ü".encode())
    )
    assert (made["body"], made["isBase64Encoded"]) == ("ü", False)


@pytest.mark.parametrize("kind", ["application/octet-stream", "application/x-www-form-urlencoded"])
def test_other_bodies_travel_as_base64(kind):
    made = build_http_event(
        REPORT, {}, request("POST", headers=[("content-type", kind)], body=b"\xff\x00")
    )
    assert made["isBase64Encoded"] is True
    assert base64.b64decode(made["body"]) == b"\xff\x00"


def test_an_answer_becomes_a_response():
    found = parse_response(
        json.dumps(
            {
                "statusCode": 302,
                "headers": {"Location": "https://example.com/a%2Fb", "X-Count": 3},
                "cookies": ["a=1", "b=2"],
                "body": base64.b64encode(b"\xff").decode(),
                "isBase64Encoded": True,
            }
        ).encode()
    )
    assert found.status == 302
    assert found.body == b"\xff"
    assert ("location", "https://example.com/a%2Fb") in found.headers
    assert ("x-count", "3") in found.headers
    assert [value for name, value in found.headers if name == "set-cookie"] == ["a=1", "b=2"]


def test_an_answer_without_a_status_is_a_json_body():
    found = parse_response(b'{"a": 1}')
    assert (found.status, found.body) == (200, b'{"a": 1}')
    assert found.headers == (("content-type", "application/json"),)


@pytest.mark.parametrize(
    "answer",
    [
        {"statusCode": "soon"},
        {"statusCode": 999},
        {"statusCode": 200, "body": {"a": 1}},
        {"statusCode": 200, "body": "%%%", "isBase64Encoded": True},
        {"statusCode": 302, "headers": {"location": "https://a\r\nset-cookie: b"}},
        {"statusCode": 200, "headers": {"x": ["a", "b"]}},
        {"statusCode": 200, "cookies": ["a=1\r\nlocation: b"]},
    ],
)
def test_an_answer_that_cannot_be_passed_on_is_refused(answer):
    with pytest.raises(InvalidFunctionResponse):
        parse_response(json.dumps(answer).encode())
