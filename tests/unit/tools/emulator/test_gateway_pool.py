"""Test the addresses and host names of requests to the emulator."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from tools.emulator.gateway import GatewayPool


class EchoHandler(BaseHTTPRequestHandler):
    """Responds with the host name and path of the request."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{self.headers['host']} {self.path}".encode())

    def log_message(self, *_arguments: object) -> None:
        """Write no log."""


@pytest.fixture
def port(socket_enabled: None):
    with HTTPServer(("127.0.0.1", 0), EchoHandler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_request_for_an_api_on_aws_reaches_the_emulator(port: int) -> None:
    url = "https://a1b2c3.execute-api.us-east-1.amazonaws.com/reports/a%2Fb?q=1"
    answer = GatewayPool(port).request("GET", url, headers={"user-agent": "test"})
    assert answer.data.decode() == f"a1b2c3.execute-api.localhost:{port} /reports/a%2Fb?q=1"


def test_request_for_an_address_of_the_emulator_has_its_host_name(port: int) -> None:
    pool = GatewayPool(port)
    answer = pool.request("GET", pool.build_api_url("a1b2c3"))
    assert answer.data.decode() == f"a1b2c3.execute-api.localhost:{port} /"


def test_other_addresses_stay_as_they_are(port: int) -> None:
    answer = GatewayPool(port).request("GET", f"http://127.0.0.1:{port}/a")
    assert answer.data.decode() == f"127.0.0.1:{port} /a"
