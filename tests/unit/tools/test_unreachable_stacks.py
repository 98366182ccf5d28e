"""Errors for an address where no stack answers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tools import stack
from tools.management_api import ApiUnreachable, ManagementApi
from tools.stack import EmbeddedStackClient, StackNotFound


class Listener:
    """Accepts connections, counts them, and sends a fixed response or none."""

    def __init__(self, answer: bytes) -> None:
        self.answer, self.asked = answer, 0
        self.kept: list[socket.socket] = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):  # closed
            while True:
                connection, _ = self.socket.accept()
                self.asked += 1
                self.kept.append(connection)
                if self.answer:
                    connection.recv(4096)
                    connection.sendall(self.answer)
                    connection.close()


@pytest.fixture
def listener(request: pytest.FixtureRequest, socket_enabled: None) -> Iterator[Listener]:
    listening = Listener(request.param)
    yield listening
    listening.socket.close()
    for connection in listening.kept:
        connection.close()


@pytest.mark.parametrize("listener", [b"HTTP/1.1 400 Bad Request\r\n\r\n"], indirect=True)
def test_error_for_a_plain_http_address_suggests_http(listener):
    with pytest.raises(ApiUnreachable, match="no HTTPS there; try http://"):
        ManagementApi.from_options("dev", f"https://{listener.address}").request(
            "GET", "/v1/openapi.json"
        )


@pytest.mark.parametrize("listener", [b""], indirect=True)
def test_silent_stack_gets_one_request(listener, monkeypatch):
    monkeypatch.setattr(stack, "_SECONDS", 0.2)
    with pytest.raises(StackNotFound):
        EmbeddedStackClient.from_url(f"http://{listener.address}")
    assert listener.asked == 1
