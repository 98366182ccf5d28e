"""One connection to one host, kept open between calls.

Servers close connections that idle, and a frozen function does not see it happen. So a call whose
connection breaks, where that one was used before, is repeated once on a new one; every call made
here may be repeated.
"""

from __future__ import annotations

import os
import socket
import ssl
import time
from collections.abc import Mapping
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

AMAZON_ROOTS: Final = str(Path(__file__).parent / "amazon_roots.pem")
"""The roots that endpoints of AWS chain to: https://www.amazontrust.com/repository/. Reading these
five instead of all that a system trusts saves most of what setting TLS up costs. Should they not
do one day, the system's are taken.
"""
THE_SYSTEMS: Final = None


class Connection:
    """Posts to a host, by ``https`` or ``http`` as its URL says. For one thread.

    ``timeout`` is in seconds and holds for connecting, and again for asking and the whole answer.
    """

    def __init__(self, url: str, timeout: float) -> None:
        parts = urlsplit(url)
        self.host = parts.netloc
        self._secure = parts.scheme == "https"
        self._timeout = timeout
        self._kept: HTTPConnection | None = None

    def post(self, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer. Raises OSError where there is none."""
        if self._kept is not None:
            try:
                return self._post(self._kept, headers, body)
            except (ConnectionError, ssl.SSLEOFError):
                pass  # it was closed meanwhile
        return self._post(self._open(), headers, body)

    def close(self) -> None:
        """End the connection; the next call opens another."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _post(
        self, connection: HTTPConnection, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        self._kept = None  # half an answer must not become the next one's
        try:
            response, answer = self._exchanged(connection.sock, headers, body)
        except OSError:
            connection.close()
            raise
        except HTTPException as e:
            connection.close()
            raise ConnectionAbortedError("the answer is not whole") from e
        if response.will_close:
            connection.close()
        else:
            self._kept = connection
        return response.status, answer

    def _exchanged(
        self, sock: socket.socket, headers: Mapping[str, str], body: bytes
    ) -> tuple[HTTPResponse, bytes]:
        until = time.monotonic() + self._timeout
        lines = ["POST / HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        lines += [f"content-length: {len(body)}", "", ""]
        sock.settimeout(self._timeout)
        sock.sendall("\r\n".join(lines).encode() + body)  # at once: one packet
        incoming: Any = _Incoming(sock, until)
        with HTTPResponse(incoming, method="POST") as response:
            response.begin()
            return response, response.read()

    def _open(self) -> HTTPConnection:
        if not self._secure:
            return _connected(HTTPConnection(self.host, timeout=self._timeout))
        own = os.environ.get("AWS_CA_BUNDLE")  # the name that AWS' own tools read
        if own:
            return self._open_securely(own)
        try:
            return self._open_securely(AMAZON_ROOTS)
        except ssl.SSLCertVerificationError:
            return self._open_securely(THE_SYSTEMS)

    def _open_securely(self, roots: str | None) -> HTTPConnection:
        return _connected(
            HTTPSConnection(self.host, timeout=self._timeout, context=_trusting(roots))
        )


class _Incoming(RawIOBase):
    """What comes in on a socket until a moment of the monotonic clock: a socket's own timeout
    begins anew with each byte. Looks like a socket as far as an HTTPResponse does.
    """

    def __init__(self, sock: socket.socket, until: float) -> None:
        self._sock = sock
        self._until = until

    def makefile(self, _mode: str) -> BufferedReader:
        return BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer takes too long")
        self._sock.settimeout(left)
        return self._sock.recv_into(buffer)


def _connected(connection: HTTPConnection) -> HTTPConnection:
    try:
        connection.connect()
    except OSError:
        connection.close()
        raise
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return connection


@cache
def _trusting(roots: str | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=roots)
