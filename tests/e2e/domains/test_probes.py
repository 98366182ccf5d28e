"""Outcomes of probes, over real HTTP and TLS with a test authority."""

from __future__ import annotations

import ssl
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from tests.e2e.domains.conftest import (
    DEFAULT_HOST,
    EDGE_ADDRESS,
    HOST,
    PROXY_ADDRESS,
    DomainFixture,
    FakeKeyringSource,
)
from tests.e2e.domains.internet import KEYRING, build_response, respond_for_sale, respond_to_probe
from waypost.domains import probe_token
from waypost.domains.http_probe import MAX_PROBE_BYTES
from waypost.domains.state_machine import derive_stage
from waypost.models.domain_check import HstsResult
from waypost.tokens.signer import Keyring

DAY = timedelta(days=1)


def test_signed_probe_answer_over_http_and_https_is_accepted(world: DomainFixture) -> None:
    world.add_cname()
    world.internet.serve(EDGE_ADDRESS, 80, respond_to_probe)
    world.serve_https()
    result = world.check_host()
    assert (result.http.outcome, result.https.outcome) == ("ours", "ours")
    assert derive_stage(result) == "https"


def test_probe_request_names_the_host_and_goes_to_the_resolved_address(
    world: DomainFixture,
) -> None:
    world.add_cname()
    site = world.internet.serve(EDGE_ADDRESS, 80, respond_to_probe)
    world.check_host()
    line, host, *_ = site.requests[0].split("\r\n")
    assert line.startswith(f"GET {probe_token.PROBE_PATH}")
    assert host == f"Host: {HOST}"
    assert world.internet.connections == [(EDGE_ADDRESS, 80), (EDGE_ADDRESS, 443)]


def test_every_probe_has_a_fresh_nonce(world: DomainFixture) -> None:
    world.add_cname()
    site = world.internet.serve(EDGE_ADDRESS, 80, respond_to_probe)
    world.check_host()
    world.check_host()
    assert len({request.split(" ")[1] for request in site.requests}) == 2


def test_parked_page_is_not_accepted_as_a_probe_answer(world: DomainFixture) -> None:
    world.add_proxy_records()
    world.internet.serve(PROXY_ADDRESS, 80, respond_for_sale)
    world.internet.serve(PROXY_ADDRESS, 443, respond_for_sale, world.issue_certificate(HOST))
    result = world.check_host()
    assert (result.http.outcome, result.https.outcome) == ("not_ours", "not_ours")
    assert derive_stage(result) == "waiting"


def test_echo_of_the_nonce_is_not_accepted_as_a_probe_answer(world: DomainFixture) -> None:
    world.add_proxy_records()
    world.internet.serve(
        PROXY_ADDRESS, 80, lambda path: build_response("200 OK", path.rpartition("/")[2].encode())
    )
    assert world.check_host().http.outcome == "not_ours"


def test_replayed_probe_answer_is_not_accepted(world: DomainFixture) -> None:
    world.add_proxy_records()
    old = respond_to_probe(probe_token.PROBE_PATH + probe_token.create_nonce())
    world.internet.serve(PROXY_ADDRESS, 80, lambda _path: old)
    assert world.check_host().http.outcome == "not_ours"


def test_probe_answer_signed_with_a_rotated_key_is_accepted(world: DomainFixture) -> None:
    newer = Keyring((b"n" * 32,))

    def respond_with_new_key(path: str) -> bytes:
        answer = probe_token.build_probe_response(newer, path.removeprefix(probe_token.PROBE_PATH))
        return build_response("200 OK", answer["body"].encode())

    world.add_proxy_records()
    world.internet.serve(PROXY_ADDRESS, 80, respond_with_new_key)
    world.checker = replace(world.checker, keys=FakeKeyringSource(next_keyring=newer))
    assert world.check_host().http.is_ours


def test_probe_answer_of_another_stack_is_not_accepted(world: DomainFixture) -> None:
    other = Keyring((b"o" * 32,))

    def respond_as_other_stack(path: str) -> bytes:
        answer = probe_token.build_probe_response(other, path.removeprefix(probe_token.PROBE_PATH))
        return build_response("200 OK", answer["body"].encode())

    world.add_proxy_records()
    world.internet.serve(PROXY_ADDRESS, 80, respond_as_other_stack)
    assert world.check_host().http.outcome == "not_ours"


def test_signed_probe_answer_with_status_404_is_not_accepted(world: DomainFixture) -> None:
    world.add_proxy_records()
    world.internet.serve(
        PROXY_ADDRESS, 80, lambda path: respond_to_probe(path).replace(b"200 OK", b"404 Not Found")
    )
    result = world.check_host().http
    assert (result.outcome, result.detail) == ("not_ours", "status 404")


def test_probe_redirect_is_reported_and_not_followed(world: DomainFixture) -> None:
    world.add_proxy_records()
    world.internet.serve(
        PROXY_ADDRESS,
        80,
        lambda _: build_response("301 Moved", Location="http://169.254.169.254/latest/"),
    )
    result = world.check_host().http
    assert (result.outcome, result.detail) == ("redirect", "301 to http://169.254.169.254/latest/")
    assert ("169.254.169.254", 80) not in world.internet.connections


@pytest.mark.parametrize(
    ("name", "since", "until", "outcome"),
    [
        (HOST, -DAY, DAY, "ours"),
        ("*.acme.com", -DAY, DAY, "ours"),
        ("www.acme.com", -DAY, DAY, "wrong_name"),
        ("*.links.acme.com", -DAY, DAY, "wrong_name"),
        (HOST, -30 * DAY, -DAY, "expired"),
        (HOST, DAY, 30 * DAY, "not_yet_valid"),
    ],
)
def test_probe_judges_certificates_as_browsers_do(
    world: DomainFixture, name: str, since: timedelta, until: timedelta, outcome: str
) -> None:
    world.add_proxy_records()
    now = datetime.now(UTC)
    certificate = world.issue_certificate(name, not_before=now + since, not_after=now + until)
    world.internet.serve(PROXY_ADDRESS, 443, respond_to_probe, certificate)
    assert world.check_host().https.outcome == outcome


def test_certificate_of_an_unknown_authority_is_untrusted(world: DomainFixture) -> None:
    world.add_proxy_records()
    certificate = world.issue_certificate(HOST, authority=trustme.CA())
    world.internet.serve(PROXY_ADDRESS, 443, respond_to_probe, certificate)
    assert world.check_host().https.outcome == "untrusted"


def test_self_signed_certificate_is_reported(world: DomainFixture) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with authority.private_key_pem.tempfile() as key, authority.cert_pem.tempfile() as certificate:
        context.load_cert_chain(certificate, key)
    world.add_proxy_records()
    world.internet.serve(PROXY_ADDRESS, 443, respond_to_probe, context)
    assert world.check_host().https.outcome == "self_signed"


def test_server_with_only_old_tls_is_broken(world: DomainFixture) -> None:
    context = world.issue_certificate(HOST)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    world.add_proxy_records()
    world.internet.serve(PROXY_ADDRESS, 443, respond_to_probe, context)
    assert world.check_host().https.outcome == "broken"


def test_plain_http_on_the_https_port_is_broken(world: DomainFixture) -> None:
    world.add_proxy_records()
    world.internet.serve(PROXY_ADDRESS, 443, respond_for_sale)
    assert world.check_host().https.outcome == "broken"


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"",
        b"HTTP/1.1 twohundred OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 200 + b"\r\n",
        b"\x00\xff" * 100,
    ],
)
def test_invalid_http_response_is_broken(world: DomainFixture, answer: bytes) -> None:
    world.add_proxy_records()
    world.internet.serve(PROXY_ADDRESS, 80, lambda _path: answer)
    assert world.check_host().http.outcome == "broken"


def test_probe_of_a_silent_server_times_out(world: DomainFixture) -> None:
    def respond_too_late(_path: str) -> bytes:
        time.sleep(3)
        return b""

    world.add_proxy_records()
    world.internet.serve(PROXY_ADDRESS, 80, respond_too_late)
    assert world.check_host().http.outcome == "timeout"


def test_probe_of_a_server_that_sends_byte_by_byte_times_out(world: DomainFixture) -> None:
    """Each byte arrives within the timeout of a read; the whole exchange has a timeout too."""

    class SlowSocket:
        def settimeout(self, seconds: float) -> None:
            assert seconds > 0

        def sendall(self, _data: bytes) -> None:
            return None

        def recv(self, _size: int) -> bytes:
            time.sleep(0.05)
            return b"H"

        def close(self) -> None:
            return None

    world.add_proxy_records()
    world.internet.connect = lambda *_: SlowSocket()  # type: ignore[method-assign,assignment]
    probe = world.checker.prober.probe("http", HOST, "/", lambda _body: True)
    assert probe.outcome == "timeout"


def test_oversized_probe_answer_is_not_accepted(world: DomainFixture) -> None:
    world.add_proxy_records()
    world.internet.serve(
        PROXY_ADDRESS, 80, lambda _path: build_response("200 OK", b"x" * (4 * MAX_PROBE_BYTES))
    )
    assert world.check_host().http.outcome == "not_ours"


def test_chunked_probe_answer_is_accepted(world: DomainFixture) -> None:
    def respond_in_chunks(path: str) -> bytes:
        body = probe_token.build_probe_response(KEYRING, path.removeprefix(probe_token.PROBE_PATH))[
            "body"
        ].encode()
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:9], body[9:]))
        return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"

    world.add_proxy_records()
    world.internet.serve(PROXY_ADDRESS, 80, respond_in_chunks)
    assert world.check_host().http.outcome == "ours"


def test_closed_port_is_unreachable(world: DomainFixture) -> None:
    world.add_proxy_records()
    assert world.check_host().http.outcome == "unreachable"


def test_probe_tries_the_next_address_after_a_dead_one(world: DomainFixture) -> None:
    world.add_proxy_records()
    world.dns.add_record(HOST, "A", "93.184.215.98", PROXY_ADDRESS)
    world.internet.serve(PROXY_ADDRESS, 80, respond_to_probe)
    assert world.check_host().http.outcome == "ours"
    assert world.internet.connections[:2] == [("93.184.215.98", 80), (PROXY_ADDRESS, 80)]


def test_hsts_policy_of_the_host_blocks_plain_http(world: DomainFixture) -> None:
    world.add_proxy_records()
    world.internet.serve(PROXY_ADDRESS, 80, respond_to_probe)
    world.internet.serve(
        PROXY_ADDRESS,
        443,
        lambda _: build_response("200 OK", Strict_Transport_Security="max-age=600"),
        world.issue_certificate(HOST),
    )
    result = world.check_host()
    assert result.hsts == HstsResult("own", HOST)
    assert derive_stage(result) == "blocked"


def test_hsts_header_over_plain_http_is_ignored(world: DomainFixture) -> None:
    world.add_proxy_records()
    world.internet.serve(
        PROXY_ADDRESS,
        80,
        lambda path: respond_to_probe(path).replace(
            b"\r\n", b"\r\nStrict-Transport-Security: max-age=600\r\n", 1
        ),
    )
    result = world.check_host()
    assert not result.hsts.is_enforced
    assert derive_stage(result) == "http"


@pytest.mark.parametrize(
    ("header", "blocked"),
    [("max-age=600; includeSubDomains", True), ("max-age=600", False), ("max-age=0", False)],
)
def test_hsts_policy_of_a_parent_blocks_only_if_it_includes_subdomains(
    world: DomainFixture, header: str, blocked: bool
) -> None:
    world.add_proxy_records()
    world.internet.serve(PROXY_ADDRESS, 80, respond_to_probe)
    world.dns.add_record("acme.com", "A", "93.184.215.50")
    world.internet.serve(
        "93.184.215.50",
        443,
        lambda _: build_response(
            "301 Moved", Location="https://www.acme.com/", Strict_Transport_Security=header
        ),
        world.issue_certificate("acme.com"),
    )
    result = world.check_host()
    assert result.hsts.is_enforced is blocked
    assert derive_stage(result) == ("blocked" if blocked else "http")


def test_hsts_policy_of_a_parent_with_a_bad_certificate_is_ignored(world: DomainFixture) -> None:
    world.add_proxy_records()
    world.internet.serve(PROXY_ADDRESS, 80, respond_to_probe)
    world.dns.add_record("acme.com", "A", "93.184.215.50")
    world.internet.serve(
        "93.184.215.50",
        443,
        lambda _: build_response(
            "200 OK", Strict_Transport_Security="max-age=600; includeSubDomains"
        ),
        world.issue_certificate("other.example"),
    )
    assert not world.check_host().hsts.is_enforced


def test_parents_are_not_asked_for_hsts_while_https_works(world: DomainFixture) -> None:
    world.add_cname()
    world.serve_https()
    world.dns.add_record("acme.com", "A", "93.184.215.50")
    world.check_host()
    assert ("93.184.215.50", 443) not in world.internet.connections


def test_proven_host_rejected_by_the_cdn_is_flattened(world: DomainFixture) -> None:
    world.add_proxy_records()
    world.internet.serve(
        PROXY_ADDRESS, 80, lambda _: build_response("403 Forbidden", Server="CloudFront")
    )
    result = world.check_host()
    assert result.dns.verdict == "flattened"
    assert derive_stage(result) == "issuing"


def test_customers_proxy_on_cloudfront_stays_a_proxy_when_it_answers(
    world: DomainFixture,
) -> None:
    world.add_proxy_records()
    world.internet.serve(
        PROXY_ADDRESS,
        80,
        lambda path: respond_to_probe(path).replace(b"\r\n", b"\r\nServer: CloudFront\r\n", 1),
    )
    assert world.check_host().dns.verdict == "proxied"


def test_default_host_probe_is_accepted(world: DomainFixture) -> None:
    world.internet.serve(EDGE_ADDRESS, 443, respond_to_probe, world.issue_certificate(DEFAULT_HOST))
    assert world.check_host(DEFAULT_HOST).https.outcome == "ours"
