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

from waypost.domains.check_results import MOST_TEXT, UNSEEN, Probe, ProbeOutcome
from waypost.domains.dns import Resolver
from waypost.domains.network import NEVER, Connector, Deadline, browser_like, is_public


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer, headers in lower case, the body up to the cap."""

    status: int
    headers: dict[str, str]
    body: bytes


def request(host: str, path: str, agent: str) -> bytes:
    """A GET that asks for the connection to be closed after it."""
    lines = (
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        f"User-Agent: {agent}",
        "Accept: */*",
        "Connection: close",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def whole(data: bytes) -> bool:
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


class _Received:
    """Bytes that have arrived, where http.client wants a socket to read from."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> BytesIO:
        return BytesIO(self._data)


def parsed(data: bytes, at_most: int) -> Reply:
    """Read an answer. Raises HTTPException where it is none."""
    response = http.client.HTTPResponse(_Received(data))  # type: ignore[arg-type]
    response.begin()
    try:
        body = response.read(at_most)
    except http.client.IncompleteRead as e:
        body = e.partial
    headers = {name.lower(): value for name, value in reversed(response.getheaders())}
    return Reply(response.status, headers, body)


# The numbers are OpenSSL's X509_V_ERR_…, stable for decades; ssl does not name them.
_CERTIFICATE: Final[dict[int, ProbeOutcome]] = {
    9: "not_yet_valid",
    10: "expired",
    18: "self_signed",
    19: "self_signed",
    62: "wrong_name",
}


def distrusted(error: ssl.SSLCertVerificationError) -> Probe:
    """A certificate that browsers do not trust, and why."""
    return Probe(_CERTIFICATE.get(error.verify_code, "untrusted"), error.verify_message)


def judged(reply: Reply, is_ours: Callable[[bytes], bool], *, secure: bool) -> Probe:
    """An answer; a policy counts over HTTPS alone."""
    policy = reply.headers.get("strict-transport-security") if secure else None
    hsts = policy and policy[:MOST_TEXT]
    at_edge = reply.headers.get("server", "").lower() == "cloudfront"
    if 300 <= reply.status < 400:
        target = reply.headers.get("location", "")[:MOST_TEXT]
        return Probe("redirect", f"{reply.status} to {target}", hsts, at_edge)
    if reply.status == 200 and is_ours(reply.body):
        return Probe("ours", "", hsts, at_edge)
    return Probe("not_ours", f"status {reply.status}", hsts, at_edge)


Scheme = Literal["http", "https"]

SECONDS: Final = 5.0
"""For the whole exchange, connecting and handshake included."""
MAX_ADDRESSES: Final = 3
"""Addresses of a host that are tried."""
MAX_BYTES: Final = 32 * 1024
"""An answer of ours has a few hundred bytes; nothing past this is read."""
USER_AGENT: Final = "waypost-domain-check/1"

_PORT: Final[dict[Scheme, int]] = {"http": 80, "https": 443}


class Prober:
    """Asks one path of one host and says how it ended; it never raises for what a host does.

    ``clock`` is monotonic, in seconds. ``tls`` verifies certificates and names. No exchange begins
    that could go on after ``deadline``: cut short, it would call a slow host silent.
    """

    def __init__(
        self,
        resolver: Resolver,
        connector: Connector,
        tls: ssl.SSLContext | None = None,
        *,
        seconds: float = SECONDS,
        clock: Callable[[], float] = time.monotonic,
        deadline: Deadline = NEVER,
    ) -> None:
        self._resolver = resolver
        self._connector = connector
        self._tls = tls or browser_like()
        self._seconds = seconds
        self._clock = clock
        self._deadline = deadline

    def asking(self, resolver: Resolver, deadline: Deadline) -> Prober:
        """The same with another resolver, for so long."""
        return Prober(
            resolver,
            self._connector,
            self._tls,
            seconds=self._seconds,
            clock=self._clock,
            deadline=deadline,
        )

    def ask(self, scheme: Scheme, host: str, path: str, is_ours: Callable[[bytes], bool]) -> Probe:
        """GET a path; ``is_ours`` judges the body of a 200."""
        addresses = self._addresses(host) if self._has_time() else ()
        if not self._has_time():
            return UNSEEN
        if not addresses:
            return Probe("no_address")
        unsafe = [address for address in addresses if not is_public(address)]
        if unsafe:
            return Probe("unsafe", unsafe[0])
        try:
            reply = self._exchange(scheme, host, addresses, path)
        except ssl.SSLCertVerificationError as e:
            return distrusted(e)
        except TimeoutError:
            return Probe("timeout")
        except (ssl.SSLError, http.client.HTTPException, ValueError) as e:
            return Probe("broken", type(e).__name__)
        except OSError as e:
            return Probe("unreachable", e.strerror or type(e).__name__)
        return judged(reply, is_ours, secure=scheme == "https")

    def _has_time(self) -> bool:
        return self._deadline.left() >= self._seconds

    def _addresses(self, host: str) -> tuple[str, ...]:
        """IPv4 first: functions have no IPv6 of their own."""
        lookup = self._resolver.lookup
        return lookup(host, "A").records + lookup(host, "AAAA").records

    def _exchange(self, scheme: Scheme, host: str, addresses: Sequence[str], path: str) -> Reply:
        deadline = self._clock() + self._seconds
        connection = self._connected(addresses, _PORT[scheme])
        try:
            if scheme == "https":
                connection.settimeout(self._left(deadline))
                connection = self._tls.wrap_socket(connection, server_hostname=host)
            connection.settimeout(self._left(deadline))
            connection.sendall(request(host, path, USER_AGENT))
            return parsed(self._received(connection, deadline), MAX_BYTES)
        finally:
            connection.close()

    def _connected(self, addresses: Sequence[str], port: int) -> socket.socket:
        """To the first of a host's addresses that takes the connection, as a browser would."""
        *others, last = addresses[:MAX_ADDRESSES]
        each = self._seconds / (len(others) + 1)
        for address in others:
            with suppress(OSError):
                return self._connector.connect(address, port, each)
        return self._connector.connect(last, port, each)

    def _received(self, connection: socket.socket, deadline: float) -> bytes:
        """All that comes until the answer is whole, the cap is reached, or the other end closes."""
        data = b""
        while len(data) < MAX_BYTES and not whole(data):
            connection.settimeout(self._left(deadline))
            chunk = connection.recv(MAX_BYTES - len(data))
            if not chunk:
                break
            data += chunk
        return data

    def _left(self, deadline: float) -> float:
        left = deadline - self._clock()
        if left <= 0:
            raise TimeoutError
        return left
