"""What CloudFront makes of a viewer's request before the origin sees it."""

from __future__ import annotations

from local import cloudfront
from local.api_gateway import HttpRequest
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


def origin_headers(edge, *headers, at=1_000, distribution=DISTRIBUTION):
    viewer = HttpRequest("GET", "/e", "", list(headers), b"", "198.51.100.4", at)
    made = edge.build_origin_request(distribution, viewer, 4711)
    names = [name for name, _ in made.headers]
    assert len(names) == len(set(names))
    return dict(made.headers)


def test_the_viewer_is_noted_and_the_origin_secret_added():
    seen = origin_headers(
        CloudFrontEdge(Clock()), ("host", "links.acme.test"), ("user-agent", "browser")
    )
    assert seen["x-waypost-host"] == "links.acme.test"
    assert seen["x-waypost-time"] == "1000"
    assert seen["cloudfront-viewer-address"] == "198.51.100.4:4711"
    assert seen["x-waypost-origin"] == "the secret"
    assert seen["user-agent"] == "browser"
    assert seen["x-amz-cf-id"]


def test_headers_that_no_policy_forwards_stay_outside():
    seen = origin_headers(CloudFrontEdge(Clock()), ("cookie", "a=1"), ("accept", "*/*"))
    assert "cookie" not in seen
    assert "accept" not in seen
    assert seen["user-agent"] == "Amazon CloudFront"


def test_viewers_cannot_forge_what_cloudfront_sets():
    seen = origin_headers(
        CloudFrontEdge(Clock()),
        ("host", "a"),
        ("x-waypost-host", "forged"),
        ("x-waypost-time", "1"),
        ("x-waypost-origin", "forged"),
        ("x-forwarded-for", "forged"),
    )
    assert "forged" not in seen.values()
    assert seen["x-waypost-time"] == "1000"


def test_a_repeated_request_id_gets_the_time_of_the_first_attempt():
    edge = CloudFrontEdge(Clock())
    first = origin_headers(edge, ("x-amz-cf-id", "one"), at=1_000)
    again = origin_headers(edge, ("x-amz-cf-id", "one"), at=9_000)
    other = origin_headers(edge, ("x-amz-cf-id", "two"), at=9_000)
    assert first["x-waypost-time"] == again["x-waypost-time"] == "1000"
    assert first["x-amz-cf-id"] == again["x-amz-cf-id"] == "one"
    assert other["x-waypost-time"] == "9000"


def test_only_so_many_request_ids_are_remembered(monkeypatch):
    monkeypatch.setattr(cloudfront, "_TIME_CACHE_SIZE", 2)
    edge = CloudFrontEdge(Clock())
    for name in ("one", "two", "three"):
        origin_headers(edge, ("x-amz-cf-id", name), at=1_000)
    assert origin_headers(edge, ("x-amz-cf-id", "three"), at=9_000)["x-waypost-time"] == "1000"
    assert origin_headers(edge, ("x-amz-cf-id", "one"), at=9_000)["x-waypost-time"] == "9000"


def test_a_test_may_say_where_its_viewer_is():
    seen = origin_headers(
        CloudFrontEdge(Clock()),
        ("cloudfront-viewer-country", "NZ"),
        ("cloudfront-viewer-address", "2001:db8::1:99"),
    )
    assert seen["cloudfront-viewer-country"] == "NZ"
    assert seen["cloudfront-viewer-address"] == "2001:db8::1:99"


def test_a_clock_put_forward_tells_later_times() -> None:
    clock = Clock()
    before = clock.now_ms()
    clock.advance(3600)
    assert clock.now_ms() - before >= 3_600_000
