"""One HTTP or HTTPS request to a customer's host, guarded against SSRF.

The name is resolved once, every address must be public, and the connection goes to one of these
addresses with the name in SNI and Host. No redirect is followed. A deadline and a maximum of bytes
limit the whole exchange. Certificates are verified as in a browser. ``http.client`` parses the
response after all of it has arrived.
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
    """An HTTP response: headers in lower case, the body up to the maximum of bytes."""

    status: int
    headers: dict[str, str]
    body: bytes


def build_get_request(host: str, path: str, user_agent: str) -> bytes:
    """Build a GET request that asks the server to close the connection."""
    lines = (
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        f"User-Agent: {user_agent}",
        "Accept: */*",
        "Connection: close",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


_END_OF_HEADERS: Final = b"\r\n\r\n"


class ResponseBuffer:
    """The bytes of a response that arrived. Each is read once, however small the pieces are."""

    def __init__(self) -> None:
        self.data = bytearray()
        self._body_start: int | None = None
        self._body_length: int | Literal["chunked"] | None = None

    def add(self, piece: bytes) -> None:
        """Add a piece, and read the headers when their end arrives."""
        searched = max(0, len(self.data) - len(_END_OF_HEADERS))
        self.data += piece
        if self._body_start is None:
            end = self.data.find(_END_OF_HEADERS, searched)
            if end >= 0:
                self._body_start = end + len(_END_OF_HEADERS)
                self._body_length = _read_body_length(bytes(self.data[:end]))

    @property
    def is_complete(self) -> bool:
        """Return True if the headers and the announced body have arrived."""
        if self._body_start is None or self._body_length is None:
            return False
        if self._body_length == "chunked":
            return self.data.endswith(b"0\r\n\r\n", self._body_start)
        return len(self.data) - self._body_start >= self._body_length


def _read_body_length(head: bytes) -> int | Literal["chunked"] | None:
    for line in head.lower().split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length" and value.strip().isdigit():
            return int(value)
        if name == b"transfer-encoding" and value.strip() == b"chunked":
            return "chunked"
    return None


class _BytesSocket:
    """Received bytes with the one socket method that ``http.client`` reads from."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> BytesIO:
        return BytesIO(self._data)


def parse_http_reply(data: bytes, max_bytes: int) -> HttpReply:
    """Parse a response. Raises HTTPException if it is not HTTP."""
    response = http.client.HTTPResponse(_BytesSocket(data))  # type: ignore[arg-type]
    response.begin()
    try:
        body = response.read(max_bytes)
    except http.client.IncompleteRead as e:
        body = e.partial
    headers = {name.lower(): value for name, value in reversed(response.getheaders())}
    return HttpReply(response.status, headers, body)


# OpenSSL's X509_V_ERR_… codes, stable for decades; the ssl module has no names for them.
_CERTIFICATE_OUTCOMES: Final[dict[int, ProbeOutcome]] = {
    9: "not_yet_valid",
    10: "expired",
    18: "self_signed",
    19: "self_signed",
    62: "wrong_name",
}


def classify_certificate_error(error: ssl.SSLCertVerificationError) -> ProbeResult:
    """Return the outcome for a certificate that browsers do not trust, with the reason."""
    return ProbeResult(
        _CERTIFICATE_OUTCOMES.get(error.verify_code, "untrusted"), error.verify_message
    )


def classify_response(
    response: HttpReply, is_ours: Callable[[bytes], bool], *, secure: bool
) -> ProbeResult:
    """Return the outcome of a response. An HSTS policy counts only over HTTPS."""
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
"""For the whole exchange, including connection and TLS handshake."""
MAX_PROBE_ADDRESSES: Final = 3
"""Maximum of a host's addresses to try."""
MAX_PROBE_BYTES: Final = 32 * 1024
"""This stack's response has a few hundred bytes; the rest is not read."""
PROBE_USER_AGENT: Final = "waypost-domain-check/1"

_SCHEME_PORTS: Final[dict[WebScheme, int]] = {"http": 80, "https": 443}


class HttpProber:
    """Requests one path of one host; a failure of the host is an outcome and never raises.

    ``clock`` is monotonic, in seconds. No exchange begins that could end after the deadline,
    because the host would wrongly seem to time out.
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
        """Return the same prober with another resolver and a deadline."""
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
        """GET a path; ``is_ours`` decides about the body of a 200 response."""
        addresses = self._resolve_addresses(host) if self._has_time() else ()
        if not self._has_time():
            return UNSEEN_PROBE
        if not addresses:
            return ProbeResult("no_address")
        private = [address for address in addresses if not is_public_address(address)]
        if private:
            return ProbeResult("unsafe", private[0])
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
        """Return the addresses, IPv4 first: Lambda functions have no IPv6 by default."""
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
        """Connect to the first of a host's addresses that accepts, as a browser does."""
        *first_addresses, last = addresses[:MAX_PROBE_ADDRESSES]
        timeout = self._timeout_seconds / (len(first_addresses) + 1)
        for address in first_addresses:
            with suppress(OSError):
                return self._connect_tcp(address, port, timeout)
        return self._connect_tcp(last, port, timeout)

    def _receive(self, connection: socket.socket, deadline: float) -> bytes:
        """Receive until the response is complete or too long, or the server closes."""
        response = ResponseBuffer()
        while len(response.data) < MAX_PROBE_BYTES and not response.is_complete:
            connection.settimeout(self._get_remaining_seconds(deadline))
            piece = connection.recv(MAX_PROBE_BYTES - len(response.data))
            if not piece:
                break
            response.add(piece)
        return bytes(response.data)

    def _get_remaining_seconds(self, deadline: float) -> float:
        seconds = deadline - self._clock()
        if seconds <= 0:
            raise TimeoutError
        return seconds
