"""One HTTP exchange as it goes over the wire: the request's bytes, and the answer read from bytes.

Reading is done by ``http.client`` once everything has arrived; what is here knows when that is,
so that a deadline and a cap can be kept while it does.
"""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from io import BytesIO


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
