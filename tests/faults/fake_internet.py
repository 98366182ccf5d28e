"""DNS and web servers in this process; each query or request to them can fail."""

from __future__ import annotations

import ssl
from typing import Any

import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from tests.faults.fake_cloud import SECRET
from tests.faults.fault_injector import FaultInjector
from waypost.domains import probe_token
from waypost.tokens.keyring import KeySchedule

CDN_ADDRESS = "93.184.215.14"
CDN_HOST = "d111.cdn.example"
DEFAULT_HOST = "e.waypost.example"
KEYRING = KeySchedule.parse(SECRET).build_keyring(0)


class FakeInternet:
    """An internet in which every host is a CNAME of the CDN, and some hosts have a certificate."""

    def __init__(self, faults: FaultInjector) -> None:
        self._faults = faults
        self.hosts_with_certificate: set[str] = set()

    def query_dns(self, query: dns.message.Message, server: str, **_: object) -> tuple[Any, bool]:
        """Replace ``dns.query.udp_with_fallback``."""
        [question] = query.question
        record_type = dns.rdatatype.to_text(question.rdtype)
        name = question.name.to_text(omit_final_dot=True)
        fault = self._faults.next_fault(f"DNS {record_type}")
        if fault in ("timeout before", "timeout after"):
            raise dns.exception.Timeout
        if fault in ("hung up", "cut", "malformed"):
            raise dns.message.ShortHeader if fault == "cut" else dns.exception.FormError
        response = dns.message.make_response(query)
        if fault in ("throttled", "failed", "denied"):
            response.set_rcode(dns.rcode.REFUSED if fault == "denied" else dns.rcode.SERVFAIL)
        elif fault is None:
            _add_answer(response, question, name, record_type)
        return response, False

    def connect(self, address: str, port: int, seconds: float) -> FakeConnection:
        """Replace ``connect_tcp``."""
        assert address == CDN_ADDRESS
        fault = self._faults.next_fault("HTTPS" if port == 443 else "HTTP")
        if fault == "timeout before":
            raise TimeoutError
        if fault == "hung up":
            raise ConnectionResetError(104, "Connection reset by peer")
        return FakeConnection(self, fault)

    def wrap_socket(self, connection: FakeConnection, server_hostname: str) -> FakeConnection:
        """Replace ``ssl.SSLContext.wrap_socket``."""
        if server_hostname not in self.hosts_with_certificate:
            raise ssl.SSLError("no certificate")
        return connection


class FakeConnection:
    """A connection to a web server, with the socket methods that a probe uses."""

    def __init__(self, internet: FakeInternet, fault: str | None) -> None:
        self._internet = internet
        self._fault = fault
        self._response = b""

    def settimeout(self, seconds: float) -> None:
        """Do nothing: the connection never waits."""

    def sendall(self, request: bytes) -> None:
        lines = request.decode().split("\r\n")
        host = next(line[6:] for line in lines if line.startswith("Host: "))
        path = lines[0].split(" ")[1]
        self._response = _apply_fault(
            self._fault, _cdn_response(path, secure=host in self._internet.hosts_with_certificate)
        )

    def recv(self, size: int) -> bytes:
        if self._fault == "timeout after":
            raise TimeoutError
        chunk, self._response = self._response[:size], self._response[size:]
        return chunk

    def close(self) -> None:
        """Close nothing."""


def _add_answer(response: Any, question: Any, name: str, record_type: str) -> None:
    is_stack_host = name in (CDN_HOST, DEFAULT_HOST)
    value = {
        "CNAME": "" if name == CDN_HOST else f"{CDN_HOST if is_stack_host else DEFAULT_HOST}.",
        "A": CDN_ADDRESS,
    }.get(record_type)
    if value:
        response.answer.append(dns.rrset.from_text(question.name, 60, "IN", record_type, value))


def _cdn_response(path: str, *, secure: bool) -> bytes:
    """Return the probe's response if the host has a certificate, else CloudFront's 403."""
    if not secure:
        return _http_response("403 Forbidden", b"no such tenant")
    probe_response = probe_token.build_probe_response(
        KEYRING, path.removeprefix(probe_token.PROBE_PATH)
    )
    return _http_response(f"{probe_response['statusCode']} OK", probe_response["body"].encode())


def _http_response(status: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nServer: CloudFront\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _apply_fault(fault: str | None, answer: bytes) -> bytes:
    bodies = {
        "malformed": b"\0\1 <html>",
        "an array": _http_response("200 OK", b"[]"),
        "empty": b"",
    }
    statuses = {"throttled": "429 Slow", "failed": "503 Unavailable", "denied": "403 Forbidden"}
    if fault in statuses:
        return _http_response(statuses[fault], b"no")
    if fault == "cut":
        return answer[: len(answer) - 20]
    return bodies.get(str(fault), answer)
