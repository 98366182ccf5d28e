"""One request over HTTP or HTTPS to a host that a customer named, on a short leash.

Resolved once, every address public, connected to that very address with the name in SNI and
Host; no redirect is followed; the whole exchange has a deadline and a cap in bytes. Certificates
are verified as a browser would.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, Literal

from waypost.domains.check_results import UNSEEN, Probe
from waypost.domains.deadline import NEVER, Deadline
from waypost.domains.network import Connector, browser_like, is_public, outcomes, wire
from waypost.domains.network.resolving import Resolver
from waypost.domains.network.wire import Reply

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
            return outcomes.distrusted(e)
        except TimeoutError:
            return Probe("timeout")
        except (ssl.SSLError, http.client.HTTPException, ValueError) as e:
            return Probe("broken", type(e).__name__)
        except OSError as e:
            return Probe("unreachable", e.strerror or type(e).__name__)
        return outcomes.judged(reply, is_ours, secure=scheme == "https")

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
            connection.sendall(wire.request(host, path, USER_AGENT))
            return wire.parsed(self._received(connection, deadline), MAX_BYTES)
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
        while len(data) < MAX_BYTES and not wire.whole(data):
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
