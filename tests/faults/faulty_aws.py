"""A fake AWS over HTTP, with a planned fault for each operation."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

from tests.faults.call_faults import CORRUPT_BODIES, REFUSAL_FAULTS, build_refusal

KEYRING_SECRET = json.dumps({"seed": "of these tests, thirty-two or more"})


class FaultyAws(ThreadingHTTPServer):
    """An HTTP server that records clicks and messages, and returns ``items``.

    ``planned_faults`` holds a fault and its number of repetitions for each operation.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.clicks: dict[str, Any] = {}
        self.items: list[Mapping[str, Any]] = []
        self.queue_messages: list[Any] = []
        self.calls: Counter[str] = Counter()
        self.planned_faults: dict[str, tuple[str, int]] = {}
        self.stopped = Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def next_fault(self, operation: str) -> str | None:
        fault, times = self.planned_faults.get(operation, ("", 0))
        self.planned_faults[operation] = (fault, times - 1)
        return fault if times > 0 else None

    def handle_error(self, request: object, address: object) -> None:
        """Ignore clients that close the connection: these tests cause it."""

    def respond(self, operation: str, parameters: Any) -> tuple[int, dict[str, Any]]:
        """Run an operation; return status and body."""
        if operation == "GetSecretValue":
            return 200, {"Name": "keyring", "SecretString": KEYRING_SECRET}
        if operation == "SendMessage":
            self.queue_messages.append(json.loads(parameters["MessageBody"]))
        if operation == "PutItem":
            key = json.dumps([parameters["Item"]["pk"], parameters["Item"]["sk"]])
            if key in self.clicks:
                return 400, {"__type": "x#ConditionalCheckFailedException"}
            self.clicks[key] = parameters["Item"]
        if operation == "GetItem":
            key = parameters["Key"].items()
            return 200, next(({"Item": one} for one in self.items if key <= one.items()), {})
        return 200, {}


@contextmanager
def run_faulty_aws() -> Iterator[FaultyAws]:
    with FaultyAws() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.stopped.set()
        server.shutdown()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultyAws

    def do_POST(self) -> None:
        parameters = json.loads(self.rfile.read(int(self.headers["content-length"])))
        operation = self.headers["x-amz-target"].rpartition(".")[2]
        self.server.calls[operation] += 1
        fault = self.server.next_fault(operation)
        if fault in ("timeout before", "hung up"):
            self._send_nothing(fault)
        elif fault in REFUSAL_FAULTS:
            self._send(*build_refusal("dynamodb", fault))
        else:
            status, value = self.server.respond(operation, parameters)
            self._send_with_fault(fault, status, json.dumps(value).encode())

    def _send_with_fault(self, fault: str | None, status: int, body: bytes) -> None:
        if fault == "timeout after":
            self._send_nothing(fault)
        elif fault == "cut":
            self._send(status, body, length=len(body) + 10)
            self.close_connection = True
        elif fault in CORRUPT_BODIES:
            self._send(200, CORRUPT_BODIES[fault])
        else:
            self._send(status, body)

    def _send_nothing(self, fault: str | None) -> None:
        if fault != "hung up":
            self.server.stopped.wait(2)
        self.close_connection = True

    def _send(self, status: int, body: bytes, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Write no log."""
