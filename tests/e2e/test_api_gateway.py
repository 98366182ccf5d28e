"""Test the events that the embedded stack builds, as API Gateway and CloudFront do."""

from __future__ import annotations

import base64
import json
import socket

import pytest

from local.stack import EmbeddedStack


def load_event(answer):
    assert answer.status == 200, answer
    return answer.json()["event"]


def test_path_and_its_parameters_arrive_decoded(small_stack, http):
    event = load_event(http("GET", f"{small_stack.url}/e/a%20c/sig?x=1&x=2&u=http%3A%2F%2Fe"))
    assert event["rawPath"] == "/e/a c/sig"
    assert event["rawQueryString"] == "x=1&x=2&u=http%3A%2F%2Fe"
    assert event["pathParameters"] == {"payload": "a c", "signature": "sig"}
    assert event["queryStringParameters"] == {"x": "1,2", "u": "http://e"}


def test_encoded_slash_separates_segments(small_stack, http):
    event = load_event(http("GET", f"{small_stack.url}/e/a%2Fb/sig"))
    assert event["rawPath"] == "/e/a/b/sig"
    assert "pathParameters" not in event


def test_tracking_request_has_the_headers_of_cloudfront(small_stack, http):
    event = load_event(
        http("GET", f"{small_stack.url}/e/a/b", {"host": "links.acme.test", "cookie": "a=1"})
    )
    headers = event["headers"]
    assert headers["x-waypost-host"] == "links.acme.test"
    assert headers["x-waypost-time"].isdigit()
    assert headers["cloudfront-viewer-address"].startswith("127.0.0.1:")
    assert headers["x-waypost-origin"] == origin_secret(small_stack)
    assert "cookies" not in event
    assert event["requestContext"]["http"]["sourceIp"] != "127.0.0.1"


def test_repeated_origin_attempt_has_the_same_headers(small_stack, http):
    attempts = [
        load_event(http("GET", f"{small_stack.url}/e/a/b", {"x-amz-cf-id": "the same"}))["headers"]
        for _ in range(2)
    ]
    assert attempts[0]["x-waypost-time"] == attempts[1]["x-waypost-time"]
    assert attempts[0]["x-amz-cf-id"] == attempts[1]["x-amz-cf-id"] == "the same"


def test_api_hostname_bypasses_cloudfront(small_stack, http):
    host = "publicapi.execute-api.us-east-1.amazonaws.com"
    headers = load_event(http("GET", f"{small_stack.url}/e/a/b", {"host": host}))["headers"]
    assert "x-waypost-origin" not in headers
    assert "x-waypost-time" not in headers


def test_management_request_bypasses_cloudfront(small_stack, http):
    event = load_event(
        http("POST", f"{small_stack.url}/v1/things", {"cookie": "a=1; b=2"}, {"a": "ü"})
    )
    assert json.loads(event["body"]) == {"a": "ü"}
    assert event["cookies"] == ["a=1", "b=2"]
    assert "x-amz-cf-id" not in event["headers"]
    assert event["requestContext"]["authorizer"]["iam"]["accountId"] == "123456789012"
    assert event["requestContext"]["http"]["sourceIp"] == "127.0.0.1"


def test_binary_body_arrives_as_base64(small_stack, http):
    headers = {"content-type": "application/octet-stream"}
    event = load_event(http("POST", f"{small_stack.url}/v1/things", headers, b"\xff\x00"))
    assert event["isBase64Encoded"] is True
    assert base64.b64decode(event["body"]) == b"\xff\x00"


def test_unknown_path_uses_the_default_route_if_the_api_has_one(small_stack, http):
    assert load_event(http("GET", f"{small_stack.url}/anything"))["routeKey"] == "$default"
    host = "privateapi.execute-api.us-east-1.amazonaws.com"
    answer = http("GET", f"{small_stack.url}/anything", {"host": host})
    assert (answer.status, answer.json()) == (404, {"message": "Not Found"})


def test_cloudfront_refuses_methods_that_the_distribution_does_not_allow(small_stack, http):
    assert http("POST", f"{small_stack.url}/e/a/b", body=b"x").status == 403


def test_response_keeps_its_headers_and_cookies(small_stack, http):
    response = {
        "statusCode": 302,
        "headers": {"location": "https://example.com/a%2Fb?c#d", "cache-control": "no-store"},
        "cookies": ["a=1"],
    }
    answer = http("GET", f"{small_stack.url}/v1/things/x", {"x-answer": json.dumps(response)})
    assert answer.status == 302
    assert answer.headers["location"] == "https://example.com/a%2Fb?c#d"
    assert answer.headers["set-cookie"] == "a=1"


def test_invalid_response_header_is_an_internal_error(small_stack, http):
    response = {"statusCode": 302, "headers": {"location": "https://example.com\r\nx: y"}}
    answer = http("GET", f"{small_stack.url}/v1/things/x", {"x-answer": json.dumps(response)})
    assert (answer.status, answer.json()) == (500, {"message": "Internal Server Error"})


def test_head_response_has_no_body(small_stack, http):
    answer = http("HEAD", f"{small_stack.url}/anything")
    assert answer.status == 200
    assert answer.body == b""


def test_too_long_headers_paths_and_bodies_are_refused(small_stack, http):
    assert http("GET", f"{small_stack.url}/v1/things/x", {"x-long": "x" * 10_240}).status == 431
    assert http("GET", f"{small_stack.url}/e/{'x' * 8_192}/b").status == 414
    assert (
        http("POST", f"{small_stack.url}/v1/things", body=b"x" * (10 * 1024 * 1024 + 1)).status
        == 413
    )


def test_connection_stays_open_between_requests(small_stack):
    with socket.create_connection(small_stack.url.removeprefix("http://").split(":")) as connection:
        for _ in range(2):
            connection.sendall(b"GET /v1/things/x HTTP/1.1\r\nhost: a\r\n\r\n")
            assert connection.recv(12) == b"HTTP/1.1 200"
            read_rest(connection)


@pytest.mark.parametrize("path", ["/_local", "/_local/"])
def test_local_route_describes_the_stack(small_stack, http, path):
    answer = http("GET", small_stack.url + path)
    if path.endswith("/"):
        assert answer.status == 404
    else:
        assert "EchoFunction" in answer.json()["functions"]


def origin_secret(small_stack: EmbeddedStack) -> str:
    secrets = small_stack.cloud.client("secretsmanager")
    return secrets.get_secret_value(SecretId=small_stack.ref("OriginSecret"))["SecretString"]


def read_rest(connection: socket.socket) -> None:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65_536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length")
    )
    while len(body) < length:
        body += connection.recv(65_536)
