"""AWS as it looks to functions that run for long: everything is done at once and nothing remembered
but clicks, so that what grows is the functions' own. It can be made slow, or refuse.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Event, Thread
from typing import Any, Final, TypeAlias

SECRET: Final = json.dumps({"seed": "of these tests, thirty-two or more"})
Item: TypeAlias = Mapping[str, Any]


class Aws(ThreadingHTTPServer):
    """``slow`` names services that answer after ``delay`` seconds, having done what was asked
    before that or not (``late``); ``refusing`` those that take nothing.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, items: Iterable[Item] = ()) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.items = {_key(item): item for item in items}
        self.slow: set[str] = set()
        self.refusing: set[str] = set()
        self.delay = 5.0
        self.late = False
        self.remember = False
        self.clicks: dict[str, Any] = {}
        self.parked: list[str] = []
        self.calls = 0
        self.over = Event()
        self._busy = 0
        self._idle = Condition()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @contextmanager
    def working(self) -> Iterator[None]:
        """A request is under way meanwhile, whether anybody still waits for its answer or not."""
        with self._idle:
            self._busy += 1
        try:
            yield
        finally:
            with self._idle:
                self._busy -= 1
                self._idle.notify_all()

    def settle(self) -> None:
        """Returns once everything that was asked is done."""
        with self._idle:
            assert self._idle.wait_for(lambda: not self._busy, 30), "requests never ended"

    def handle_error(self, request: object, address: object) -> None:
        """Whoever gave up waiting is gone: that is what slowness is about."""

    def done(self, operation: str, asked: Any) -> dict[str, Any]:
        """What a service does, and says."""
        if operation == "GetSecretValue":
            return {"Name": "keyring", "SecretString": SECRET}
        if operation == "PutItem" and self.remember:
            self.clicks[asked["Item"]["sk"]["S"]] = asked["Item"]
        if operation == "SendMessage" and self.remember:
            self.parked.append(asked["MessageBody"])
        if operation == "GetItem" and (found := self.items.get(_key(asked["Key"]))):
            return {"Item": found}
        if operation == "Query":
            return {"Items": self._queried(**asked["ExpressionAttributeValues"])}
        if operation == "BatchGetItem":
            return {"Responses": {}}
        if operation == "PutEvents":
            return {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}] * len(asked["Entries"])}
        return {}

    def _queried(self, **values: Mapping[str, str]) -> list[Item]:
        """A partition's items whose sort key begins as one of the values says, if any does."""
        partition = values.pop(":pk")["S"]
        starts = tuple(value["S"] for value in values.values())
        return [
            item
            for (pk, sk), item in self.items.items()
            if pk == partition and sk.startswith(starts or "")
        ]


def _key(item: Item) -> tuple[str, str]:
    return item["pk"]["S"], item.get("sk", {"S": ""})["S"]


@contextmanager
def aws(items: Iterable[Item] = ()) -> Iterator[Aws]:
    with Aws(items) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.over.set()
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Aws

    def do_POST(self) -> None:
        with self.server.working():
            self._answer(self.server)

    def _answer(self, aws: Aws) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        service, _, operation = self.headers["x-amz-target"].partition(".")
        service = service.partition("_")[0]
        aws.calls += 1
        if service in aws.refusing:
            self._say(400, {"__type": "x#OverLimit", "message": "the queue is full"})
            return
        slow = service in aws.slow
        if slow and aws.late:
            aws.over.wait(aws.delay)
        answer = aws.done(operation, json.loads(body))
        if slow and not aws.late:
            aws.over.wait(aws.delay)
        self._say(200, answer)

    def _say(self, status: int, value: object) -> None:
        data = json.dumps(value, default=lambda raw: b64encode(raw).decode()).encode()
        self.send_response(status)
        self.send_header("content-type", "application/x-amz-json-1.0")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""
