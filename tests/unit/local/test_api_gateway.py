"""Routes, events (payload format 2.0) and responses are those of API Gateway."""

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


def build_request(method="GET", path="/", query="", headers=(), body=b""):
    return HttpRequest(method, path, query, list(headers), body, "192.0.2.7", 1_795_303_472_123)


@pytest.mark.parametrize(
    ("method", "path", "function", "parameters"),
    [
        ("GET", "/e/c/a/b", "Redirect", {"payload": "a", "signature": "b"}),
        ("GET", "/e/c/a/c d", "Redirect", {"payload": "a", "signature": "c d"}),
        ("HEAD", "/e/c/a/b", "Any", {"payload": "a", "signature": "b"}),
        ("GET", "/e/c/a/b/c", "Greedy", {"rest": "c/a/b/c"}),
        ("GET", "/v1/reports/latest", "Latest", {}),
        ("GET", "/v1/reports/older", "Report", {"name": "older"}),
        ("POST", "/v1/reports/older", "Default", {}),
        ("GET", "/", "Default", {}),
    ],
)
def test_the_most_specific_route_wins(method, path, function, parameters):
    match = match_route(ROUTES, method, path)
    assert match is not None
    assert (match[0].function_id, match[1]) == (function, parameters)


@pytest.mark.parametrize(
    ("path", "decoded"),
    [
        ("/e/c/a%2Fb/c%20d", "/e/c/a/b/c d"),
        ("/v1/people/a%3Fb", "/v1/people/a"),
        ("/v1/people/a%23b", "/v1/people/a#b"),
        ("/v1/people/100%25/x", "/v1/people/100%/x"),
        ("/v1/people/%252e%252e", "/v1/people/%2e%2e"),
    ],
)
def test_path_is_decoded_and_cut_before_routes_match_it(path, decoded):
    assert build_request(path=path).decoded_path == decoded


def test_without_a_default_route_other_requests_match_none():
    assert match_route([CLICK, REPORT], "GET", "/elsewhere") is None
    assert match_route([CLICK], "HEAD", "/e/c/a/b") is None


def test_an_event_has_the_shape_of_payload_format_2():
    event = build_http_event(
        CLICK,
        {"payload": "a/b", "signature": "c"},
        build_request(
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
    context = event.pop("requestContext")
    assert event == {
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


def test_an_event_of_a_signed_route_has_the_callers_identity():
    context = build_http_event(REPORT, {}, build_request())["requestContext"]
    assert context["authorizer"]["iam"]["accountId"] == "123456789012"


@pytest.mark.parametrize("content_type", ["application/json", "text/plain; charset=utf-8"])
def test_a_text_body_is_not_encoded(content_type):
    event = build_http_event(
        REPORT,
        {},
        build_request("POST", headers=[("content-type", content_type)], body="ü".encode()),
    )
    assert (event["body"], event["isBase64Encoded"]) == ("ü", False)


@pytest.mark.parametrize(
    "content_type", ["application/octet-stream", "application/x-www-form-urlencoded"]
)
def test_a_binary_body_is_encoded_as_base64(content_type):
    event = build_http_event(
        REPORT,
        {},
        build_request("POST", headers=[("content-type", content_type)], body=b"\xff\x00"),
    )
    assert event["isBase64Encoded"] is True
    assert base64.b64decode(event["body"]) == b"\xff\x00"


def test_a_functions_response_becomes_an_http_response():
    response = parse_response(
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
    assert response.status == 302
    assert response.body == b"\xff"
    assert ("location", "https://example.com/a%2Fb") in response.headers
    assert ("x-count", "3") in response.headers
    assert [value for name, value in response.headers if name == "set-cookie"] == ["a=1", "b=2"]


def test_a_function_response_without_a_status_is_a_json_body():
    response = parse_response(b'{"a": 1}')
    assert (response.status, response.body) == (200, b'{"a": 1}')
    assert response.headers == (("content-type", "application/json"),)


@pytest.mark.parametrize(
    "response",
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
def test_an_invalid_function_response_is_refused(response):
    with pytest.raises(InvalidFunctionResponse):
        parse_response(json.dumps(response).encode())
