"""One request over HTTP or HTTPS to a host that a customer named, on a short leash.

Resolved once, every address public, connected to that very address with the name in SNI and
Host; no redirect is followed; the whole exchange has a deadline and a cap in bytes. Certificates
are verified as a browser would.

One HTTP exchange as it goes over the wire: the request's bytes, and the answer read from bytes.

Reading is done by ``http.client`` once everything has arrived; what is here knows when that is,
so that a deadline and a cap can be kept while it does.

What an exchange over HTTP or HTTPS says of a host, in the words of findings.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import Final, Literal

from waypost.domains.dns import DnsResolver
from waypost.domains.network import (
    NO_DEADLINE,
    Deadline,
    connect_tcp,
    create_browser_tls_context,
    is_public_address,
)
from waypost.models.domain_check import MAX_RESULT_TEXT, UNSEEN_PROBE, ProbeOutcome, ProbeResult


@dataclass(frozen=True, slots=True)
class HttpReply:
    """An HTTP answer, headers in lower case, the body up to the cap."""

    status: int
    headers: dict[str, str]
    body: bytes


def build_get_request(host: str, path: str, user_agent: str) -> bytes:
    """A GET that asks for the connection to be closed after it."""
    lines = (
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        f"User-Agent: {user_agent}",
        "Accept: */*",
        "Connection: close",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def is_complete_response(data: bytes) -> bool:
    """Whether an answer's headers and announced length have arrived."""
    head, end, body = data.partition(b"\r\n\r\n")
    if not end:
        return False
    for line in head.lower().split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length" and value.strip().isdigit():
            return len(body) >= int(value)
        if name == b"transfer-encoding" and value.strip() == b"chunked":
            return body.endswith(b"0\r\n\r\n")
    return False


class _BytesSocket:
    """Bytes that have arrived, where http.client wants a socket to read from."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> BytesIO:
        return BytesIO(self._data)


def parse_http_reply(data: bytes, max_bytes: int) -> HttpReply:
    """Read an answer. Raises HTTPException where it is none."""
    response = http.client.HTTPResponse(_BytesSocket(data))  # type: ignore[arg-type]
    response.begin()
    try:
        body = response.read(max_bytes)
    except http.client.IncompleteRead as e:
        body = e.partial
    headers = {name.lower(): value for name, value in reversed(response.getheaders())}
    return HttpReply(response.status, headers, body)


# The numbers are OpenSSL's X509_V_ERR_…, stable for decades; ssl does not name them.
_CERTIFICATE_OUTCOMES: Final[dict[int, ProbeOutcome]] = {
    9: "not_yet_valid",
    10: "expired",
    18: "self_signed",
    19: "self_signed",
    62: "wrong_name",
}


def classify_certificate_error(error: ssl.SSLCertVerificationError) -> ProbeResult:
    """A certificate that browsers do not trust, and why."""
    return ProbeResult(
        _CERTIFICATE_OUTCOMES.get(error.verify_code, "untrusted"), error.verify_message
    )


def classify_response(
    response: HttpReply, is_ours: Callable[[bytes], bool], *, secure: bool
) -> ProbeResult:
    """An answer; a policy counts over HTTPS alone."""
    policy = response.headers.get("strict-transport-security") if secure else None
    hsts = policy and policy[:MAX_RESULT_TEXT]
    at_edge = response.headers.get("server", "").lower() == "cloudfront"
    if 300 <= response.status < 400:
        target = response.headers.get("location", "")[:MAX_RESULT_TEXT]
        return ProbeResult("redirect", f"{response.status} to {target}", hsts, at_edge)
    if response.status == 200 and is_ours(response.body):
        return ProbeResult("ours", "", hsts, at_edge)
    return ProbeResult("not_ours", f"status {response.status}", hsts, at_edge)


WebScheme = Literal["http", "https"]

PROBE_TIMEOUT_SECONDS: Final = 5.0
"""For the whole exchange, connecting and handshake included."""
MAX_PROBE_ADDRESSES: Final = 3
"""Addresses of a host that are tried."""
MAX_PROBE_BYTES: Final = 32 * 1024
"""An answer of ours has a few hundred bytes; nothing past this is read."""
PROBE_USER_AGENT: Final = "waypost-domain-check/1"

_SCHEME_PORTS: Final[dict[WebScheme, int]] = {"http": 80, "https": 443}


class HttpProber:
    """Asks one path of one host and says how it ended; it never raises for what a host does.

    ``clock`` is monotonic, in seconds. ``tls`` verifies certificates and names. No exchange begins
    that could go on after ``deadline``: cut short, it would call a slow host silent.
    """

    def __init__(
        self,
        resolver: DnsResolver,
        tls: ssl.SSLContext | None = None,
        *,
        connect: Callable[[str, int, float], socket.socket] | None = None,
        timeout_seconds: float = PROBE_TIMEOUT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        deadline: Deadline = NO_DEADLINE,
    ) -> None:
        self._resolver = resolver
        self._tls = tls or create_browser_tls_context()
        self._connect_tcp = connect or connect_tcp
        self._timeout_seconds = timeout_seconds
        self._clock = clock
        self._deadline = deadline

    def with_resolver(self, resolver: DnsResolver, deadline: Deadline) -> HttpProber:
        """The same with another resolver, for so long."""
        return HttpProber(
            resolver,
            self._tls,
            connect=self._connect_tcp,
            timeout_seconds=self._timeout_seconds,
            clock=self._clock,
            deadline=deadline,
        )

    def probe(
        self, scheme: WebScheme, host: str, path: str, is_ours: Callable[[bytes], bool]
    ) -> ProbeResult:
        """GET a path; ``is_ours`` judges the body of a 200."""
        addresses = self._resolve_addresses(host) if self._has_time() else ()
        if not self._has_time():
            return UNSEEN_PROBE
        if not addresses:
            return ProbeResult("no_address")
        unsafe = [address for address in addresses if not is_public_address(address)]
        if unsafe:
            return ProbeResult("unsafe", unsafe[0])
        try:
            reply = self._exchange(scheme, host, addresses, path)
        except ssl.SSLCertVerificationError as e:
            return classify_certificate_error(e)
        except TimeoutError:
            return ProbeResult("timeout")
        except (ssl.SSLError, http.client.HTTPException, ValueError) as e:
            return ProbeResult("broken", type(e).__name__)
        except OSError as e:
            return ProbeResult("unreachable", e.strerror or type(e).__name__)
        return classify_response(reply, is_ours, secure=scheme == "https")

    def _has_time(self) -> bool:
        return self._deadline.get_remaining_seconds() >= self._timeout_seconds

    def _resolve_addresses(self, host: str) -> tuple[str, ...]:
        """IPv4 first: functions have no IPv6 of their own."""
        lookup = self._resolver.lookup
        return lookup(host, "A").records + lookup(host, "AAAA").records

    def _exchange(
        self, scheme: WebScheme, host: str, addresses: Sequence[str], path: str
    ) -> HttpReply:
        deadline = self._clock() + self._timeout_seconds
        connection = self._connect(addresses, _SCHEME_PORTS[scheme])
        try:
            if scheme == "https":
                connection.settimeout(self._get_remaining_seconds(deadline))
                connection = self._tls.wrap_socket(connection, server_hostname=host)
            connection.settimeout(self._get_remaining_seconds(deadline))
            connection.sendall(build_get_request(host, path, PROBE_USER_AGENT))
            return parse_http_reply(self._receive(connection, deadline), MAX_PROBE_BYTES)
        finally:
            connection.close()

    def _connect(self, addresses: Sequence[str], port: int) -> socket.socket:
        """To the first of a host's addresses that takes the connection, as a browser would."""
        *others, last = addresses[:MAX_PROBE_ADDRESSES]
        each = self._timeout_seconds / (len(others) + 1)
        for address in others:
            with suppress(OSError):
                return self._connect_tcp(address, port, each)
        return self._connect_tcp(last, port, each)

    def _receive(self, connection: socket.socket, deadline: float) -> bytes:
        """All that comes until the answer is whole, the cap is reached, or the other end closes."""
        data = b""
        while len(data) < MAX_PROBE_BYTES and not is_complete_response(data):
            connection.settimeout(self._get_remaining_seconds(deadline))
            chunk = connection.recv(MAX_PROBE_BYTES - len(data))
            if not chunk:
                break
            data += chunk
        return data

    def _get_remaining_seconds(self, deadline: float) -> float:
        left = deadline - self._clock()
        if left <= 0:
            raise TimeoutError
        return left
