"""DNS and web servers as a check of tracking domains sees them, in this process; each question to
them can be told to go wrong.
"""

from __future__ import annotations

import ssl
from typing import Any

import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from tests.faults.breaking import Breaking
from tests.faults.cloud import SECRET
from waypost.domains import probe_token
from waypost.tokens.keyring import KeyList

EDGE_ADDRESS = "93.184.215.14"
EDGE = "d111.cdn.example"
DEFAULT_HOST = "e.waypost.example"
KEYRING = KeyList.parse(SECRET).at(0)


class Internet:
    """Every host is a CNAME to us; ``secure`` are those whose certificate is there."""

    def __init__(self, breaking: Breaking) -> None:
        self._breaking = breaking
        self.secure: set[str] = set()

    def ask(self, query: dns.message.Message, server: str, **_: object) -> tuple[Any, bool]:
        """``dns.query.udp_with_fallback``."""
        [question] = query.question
        kind = dns.rdatatype.to_text(question.rdtype)
        name = question.name.to_text(omit_final_dot=True)
        way = self._breaking.strike(f"DNS {kind}")
        if way in ("timeout before", "timeout after"):
            raise dns.exception.Timeout
        if way in ("hung up", "cut", "malformed"):
            raise dns.message.ShortHeader if way == "cut" else dns.exception.FormError
        response = dns.message.make_response(query)
        if way in ("throttled", "failed", "denied"):
            response.set_rcode(dns.rcode.REFUSED if way == "denied" else dns.rcode.SERVFAIL)
        elif way is None:
            _say(response, question, name, kind)
        return response, False

    def connect(self, address: str, port: int, seconds: float) -> Line:
        """``TcpConnector.connect``."""
        assert address == EDGE_ADDRESS
        way = self._breaking.strike("HTTPS" if port == 443 else "HTTP")
        if way == "timeout before":
            raise TimeoutError
        if way == "hung up":
            raise ConnectionResetError(104, "Connection reset by peer")
        return Line(self, way)

    def wrap_socket(self, line: Line, server_hostname: str) -> Line:
        """``ssl.SSLContext.wrap_socket``."""
        if server_hostname not in self.secure:
            raise ssl.SSLError("no certificate")
        return line


class Line:
    """A connection to a web server of ours, as far as it is used."""

    def __init__(self, internet: Internet, way: str | None) -> None:
        self._internet = internet
        self._way = way
        self._answer = b""

    def settimeout(self, seconds: float) -> None:
        """Nobody waits here."""

    def sendall(self, request: bytes) -> None:
        lines = request.decode().split("\r\n")
        host = next(line[6:] for line in lines if line.startswith("Host: "))
        path = lines[0].split(" ")[1]
        self._answer = _spoilt(self._way, _served(path, secure=host in self._internet.secure))

    def recv(self, size: int) -> bytes:
        if self._way == "timeout after":
            raise TimeoutError
        given, self._answer = self._answer[:size], self._answer[size:]
        return given

    def close(self) -> None:
        """It holds nothing."""


def _say(response: Any, question: Any, name: str, kind: str) -> None:
    own = name in (EDGE, DEFAULT_HOST)
    found = {
        "CNAME": "" if name == EDGE else f"{EDGE if own else DEFAULT_HOST}.",
        "A": EDGE_ADDRESS,
    }.get(kind)
    if found:
        response.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, found))


def _served(path: str, *, secure: bool) -> bytes:
    """What CloudFront serves: our answer once a host has its certificate, else a refusal."""
    if not secure:
        return _http("403 Forbidden", b"no such tenant")
    told = probe_token.probe_answer(KEYRING, path.removeprefix(probe_token.PATH))
    return _http(f"{told['statusCode']} OK", told["body"].encode())


def _http(status: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nServer: CloudFront\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _spoilt(way: str | None, answer: bytes) -> bytes:
    bodies = {"malformed": b"\0\1 <html>", "an array": _http("200 OK", b"[]"), "empty": b""}
    statuses = {"throttled": "429 Slow", "failed": "503 Unavailable", "denied": "403 Forbidden"}
    if way in statuses:
        return _http(statuses[way], b"no")
    if way == "cut":
        return answer[: len(answer) - 20]
    return bodies.get(str(way), answer)
