"""CloudFront builds the origin's request from a viewer's request."""

from __future__ import annotations

import pytest

from local import cloudfront
from local.api_gateway import HttpError, HttpRequest, HttpResponse
from local.clock import Clock
from local.cloudfront import CloudFrontEdge, Distribution

DISTRIBUTION = Distribution(
    api_id="tracking",
    allowed_methods=frozenset({"GET", "HEAD"}),
    forwarded_headers=frozenset(
        {"user-agent", "x-waypost-host", "x-waypost-time", "cloudfront-viewer-address",
         "cloudfront-viewer-country"}
    ),
    origin_headers=(("x-waypost-origin", "the secret"),),
    adds_viewer_headers=True,
)  # fmt: skip


def build_origin_headers(edge, *viewer_headers, at=1_000, distribution=DISTRIBUTION):
    viewer = HttpRequest("GET", "/e", "", list(viewer_headers), b"", "198.51.100.4", at)
    request = edge.build_origin_request(distribution, viewer, 4711)
    names = [name for name, _ in request.headers]
    assert len(names) == len(set(names))
    return dict(request.headers)


def test_the_viewers_address_and_the_origin_secret_are_added():
    headers = build_origin_headers(
        CloudFrontEdge(Clock()), ("host", "links.acme.test"), ("user-agent", "browser")
    )
    assert headers["x-waypost-host"] == "links.acme.test"
    assert headers["x-waypost-time"] == "1000"
    assert headers["cloudfront-viewer-address"] == "198.51.100.4:4711"
    assert headers["x-waypost-origin"] == "the secret"
    assert headers["user-agent"] == "browser"
    assert headers["x-amz-cf-id"]


def test_headers_that_no_policy_forwards_are_dropped():
    headers = build_origin_headers(CloudFrontEdge(Clock()), ("cookie", "a=1"), ("accept", "*/*"))
    assert "cookie" not in headers
    assert "accept" not in headers
    assert headers["user-agent"] == "Amazon CloudFront"


def test_viewers_cannot_forge_what_cloudfront_sets():
    headers = build_origin_headers(
        CloudFrontEdge(Clock()),
        ("host", "a"),
        ("x-waypost-host", "forged"),
        ("x-waypost-time", "1"),
        ("x-waypost-origin", "forged"),
        ("x-forwarded-for", "forged"),
    )
    assert "forged" not in headers.values()
    assert headers["x-waypost-time"] == "1000"


def test_a_repeated_request_id_gets_the_time_of_the_first_attempt():
    edge = CloudFrontEdge(Clock())
    first = build_origin_headers(edge, ("x-amz-cf-id", "one"), at=1_000)
    again = build_origin_headers(edge, ("x-amz-cf-id", "one"), at=9_000)
    other = build_origin_headers(edge, ("x-amz-cf-id", "two"), at=9_000)
    assert first["x-waypost-time"] == again["x-waypost-time"] == "1000"
    assert first["x-amz-cf-id"] == again["x-amz-cf-id"] == "one"
    assert other["x-waypost-time"] == "9000"


def test_the_cache_of_request_times_is_bounded(monkeypatch):
    monkeypatch.setattr(cloudfront, "_TIME_CACHE_SIZE", 2)
    edge = CloudFrontEdge(Clock())
    for name in ("one", "two", "three"):
        build_origin_headers(edge, ("x-amz-cf-id", name), at=1_000)
    assert (
        build_origin_headers(edge, ("x-amz-cf-id", "three"), at=9_000)["x-waypost-time"] == "1000"
    )
    assert build_origin_headers(edge, ("x-amz-cf-id", "one"), at=9_000)["x-waypost-time"] == "9000"


def test_callers_may_set_the_viewers_address_and_country():
    headers = build_origin_headers(
        CloudFrontEdge(Clock()),
        ("cloudfront-viewer-country", "NZ"),
        ("cloudfront-viewer-address", "2001:db8::1:99"),
    )
    assert headers["cloudfront-viewer-country"] == "NZ"
    assert headers["cloudfront-viewer-address"] == "2001:db8::1:99"


def test_a_clock_set_forward_returns_later_times() -> None:
    clock = Clock()
    before = clock.now_ms()
    clock.advance(3600)
    assert clock.now_ms() - before >= 3_600_000


def test_origin_response_is_refused_above_the_limit_of_its_headers():
    edge = CloudFrontEdge(Clock())
    start = len("HTTP/1.1 200 OK\r\n\r\nlocation: \r\n")

    def build_response(size):
        return HttpResponse(302, (("location", "x" * (size - start)),), b"y" * 50_000)

    edge.check_origin_response(build_response(20_480))
    with pytest.raises(HttpError) as caught:
        edge.check_origin_response(build_response(20_481))
    assert caught.value.status == 502
