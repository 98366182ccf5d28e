"""The services behind the functions, over HTTP, each call of which can be told to go wrong."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

from tests.faults.ways import BODIES, REFUSED, refusal

SECRET = json.dumps({"seed": "of these tests, thirty-two or more"})


class BrokenAws(ThreadingHTTPServer):
    """Remembers clicks and messages, and has ``items``; ``broken`` says which operation goes wrong,
    how, how often.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.clicks: dict[str, Any] = {}
        self.items: list[Mapping[str, Any]] = []
        self.parked: list[Any] = []
        self.calls: Counter[str] = Counter()
        self.broken: dict[str, tuple[str, int]] = {}
        self.over = Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def breaks(self, operation: str) -> str | None:
        way, times = self.broken.get(operation, ("", 0))
        self.broken[operation] = (way, times - 1)
        return way if times > 0 else None

    def handle_error(self, request: object, address: object) -> None:
        """A client that gave up waiting is what these tests are about."""

    def answer(self, operation: str, asked: Any) -> tuple[int, dict[str, Any]]:
        """What the service does and says."""
        if operation == "GetSecretValue":
            return 200, {"Name": "keyring", "SecretString": SECRET}
        if operation == "SendMessage":
            self.parked.append(json.loads(asked["MessageBody"]))
        if operation == "PutItem":
            key = json.dumps([asked["Item"]["pk"], asked["Item"]["sk"]])
            if key in self.clicks:
                return 400, {"__type": "x#ConditionalCheckFailedException"}
            self.clicks[key] = asked["Item"]
        if operation == "GetItem":
            key = asked["Key"].items()
            return 200, next(({"Item": one} for one in self.items if key <= one.items()), {})
        return 200, {}


@contextmanager
def broken_aws() -> Iterator[BrokenAws]:
    with BrokenAws() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: BrokenAws

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        operation = self.headers["x-amz-target"].rpartition(".")[2]
        self.server.calls[operation] += 1
        way = self.server.breaks(operation)
        if way in ("timeout before", "hung up"):
            self._no_answer(way)
        elif way in REFUSED:
            self._say(*refusal("dynamodb", way))
        else:
            status, value = self.server.answer(operation, asked)
            self._spoilt(way, status, json.dumps(value).encode())

    def _spoilt(self, way: str | None, status: int, body: bytes) -> None:
        if way == "timeout after":
            self._no_answer(way)
        elif way == "cut":
            self._say(status, body, length=len(body) + 10)
            self.close_connection = True
        elif way in BODIES:
            self._say(200, BODIES[way])
        else:
            self._say(status, body)

    def _no_answer(self, way: str | None) -> None:
        if way != "hung up":
            self.server.over.wait(2)
        self.close_connection = True

    def _say(self, status: int, body: bytes, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""
