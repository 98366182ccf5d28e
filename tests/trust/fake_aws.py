"""A fake AWS for functions that run for long.

It answers at once and stores only clicks, so that only the functions' own memory can grow. It can
be slow, or refuse calls.
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


class FakeAws(ThreadingHTTPServer):
    """Fake services. ``slow_services`` answer after a delay, and act before it or after it
    (``acts_after_delay``); ``refusing_services`` refuse every call.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, items: Iterable[Item] = ()) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.items = {_item_key(item): item for item in items}
        self.slow_services: set[str] = set()
        self.refusing_services: set[str] = set()
        self.delay_seconds = 5.0
        self.acts_after_delay = False
        self.stores_writes = False
        self.clicks: dict[str, Any] = {}
        self.queued_messages: list[str] = []
        self.call_count = 0
        self.stopped = Event()
        self._busy = 0
        self._idle = Condition()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @contextmanager
    def track_request(self) -> Iterator[None]:
        """Count a running request until it is done, even if its caller no longer waits."""
        with self._idle:
            self._busy += 1
        try:
            yield
        finally:
            with self._idle:
                self._busy -= 1
                self._idle.notify_all()

    def wait_until_idle(self) -> None:
        """Wait until all requests are done."""
        with self._idle:
            assert self._idle.wait_for(lambda: not self._busy, 30), "requests never ended"

    def handle_error(self, request: object, address: object) -> None:
        """Ignore callers that no longer wait for a slow response."""

    def perform(self, operation: str, parameters: Any) -> dict[str, Any]:
        """Perform an operation, and return its status and body."""
        if operation == "GetSecretValue":
            return {"Name": "keyring", "SecretString": SECRET}
        if operation == "PutItem" and self.stores_writes:
            self.clicks[parameters["Item"]["sk"]["S"]] = parameters["Item"]
        if operation == "SendMessage" and self.stores_writes:
            self.queued_messages.append(parameters["MessageBody"])
        if operation == "GetItem" and (found := self.items.get(_item_key(parameters["Key"]))):
            return {"Item": found}
        if operation == "Query":
            return {"Items": self._query(**parameters["ExpressionAttributeValues"])}
        if operation == "BatchGetItem":
            return {"Responses": {}}
        if operation == "PutEvents":
            return {
                "FailedEntryCount": 0,
                "Entries": [{"EventId": "1"}] * len(parameters["Entries"]),
            }
        return {}

    def _query(self, **values: Mapping[str, str]) -> list[Item]:
        """Return a partition's items whose sort key begins with one of the values."""
        partition = values.pop(":pk")["S"]
        starts = tuple(value["S"] for value in values.values())
        return [
            item
            for (pk, sk), item in self.items.items()
            if pk == partition and sk.startswith(starts or "")
        ]


def _item_key(item: Item) -> tuple[str, str]:
    return item["pk"]["S"], item.get("sk", {"S": ""})["S"]


@contextmanager
def run_fake_aws(items: Iterable[Item] = ()) -> Iterator[FakeAws]:
    with FakeAws(items) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.stopped.set()
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: FakeAws

    def do_POST(self) -> None:
        with self.server.track_request():
            self._handle(self.server)

    def _handle(self, fake_aws: FakeAws) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        service, _, operation = self.headers["x-amz-target"].partition(".")
        service = service.partition("_")[0]
        fake_aws.call_count += 1
        if service in fake_aws.refusing_services:
            self._send(400, {"__type": "x#OverLimit", "message": "the queue is full"})
            return
        slow = service in fake_aws.slow_services
        if slow and fake_aws.acts_after_delay:
            fake_aws.stopped.wait(fake_aws.delay_seconds)
        answer = fake_aws.perform(operation, json.loads(body))
        if slow and not fake_aws.acts_after_delay:
            fake_aws.stopped.wait(fake_aws.delay_seconds)
        self._send(200, answer)

    def _send(self, status: int, value: object) -> None:
        data = json.dumps(value, default=lambda raw: b64encode(raw).decode()).encode()
        self.send_response(status)
        self.send_header("content-type", "application/x-amz-json-1.0")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Log nothing."""
