"""One connection to one host, kept open between calls.

Servers close connections that idle, and a frozen function does not see it happen. So a call whose
connection breaks, where that one was used before, is repeated once on a new one; every call made
here may be repeated.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Mapping
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

AMAZON_ROOTS: Final = str(Path(__file__).parent / "amazon_roots.pem")
"""The roots that endpoints of AWS chain to: https://www.amazontrust.com/repository/. Reading these
five instead of all that a system trusts saves most of what setting TLS up costs. Should they not
do one day, the system's are taken.
"""
THE_SYSTEMS: Final = None


class Connection:
    """Posts to a host, by ``https`` or ``http`` as its URL says. For one thread.

    ``timeout`` is in seconds and holds for connecting, sending and each read.
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
        lines = ["POST / HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        lines += [f"content-length: {len(body)}", "", ""]
        try:
            connection.sock.sendall("\r\n".join(lines).encode() + body)  # at once: one packet
            # Closed here in any case: an answer that is not read to its end keeps the socket open.
            with HTTPResponse(connection.sock, method="POST") as response:
                response.begin()
                answer = response.status, response.read()
        except OSError:
            connection.close()
            raise
        except HTTPException as e:
            connection.close()
            raise ConnectionAbortedError("the answer is not whole") from e
        if response.will_close:
            connection.close()
            return answer
        self._kept = connection
        return answer

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
