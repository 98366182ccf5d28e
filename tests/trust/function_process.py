"""A function's process under Lambda's runtime client, whose memory can be measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryFile
from threading import Condition, Thread
from typing import IO, Any, Final

ROOT: Final = Path(__file__).parents[2]
_RUNTIME: Final = "import sys; from awslambdaric.__main__ import main; main(sys.argv)"
ENVIRONMENT: Final = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_LAMBDA_FUNCTION_NAME": "trust",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
    "CLICKS_TABLE": "clicks",
    "CAMPAIGNS_TABLE": "campaigns",
    "WORKSPACES_TABLE": "workspaces",
    "SHORT_LINKS_TABLE": "short-links",
    "KEYRING_SECRET": "keyring",
    "EVENT_BUS": "bus",
    "DEFAULT_BASE_URL": "https://e.example.com",
    "EDGE_ENDPOINT": "edge.example.net",
    "PAGES_URL": "https://pages.example.com",
    "RETENTION_DAYS": "400",
}


@dataclass(frozen=True, slots=True)
class ProcessSample:
    """Memory of a process in KiB, and its number of file handles."""

    memory_kib: int
    file_handles: int


class InvocationServer(ThreadingHTTPServer):
    """The Runtime API: passes each event once, in order, and records the responses."""

    daemon_threads = True

    def __init__(self, events: Iterable[Mapping[str, Any]]) -> None:
        super().__init__(("127.0.0.1", 0), _RuntimeApiHandler)
        self.events = iter(events)
        self.answers: list[str] = []
        self.errors: list[str] = []
        self.condition = Condition()
        self.requested_count = 0
        self.delivered_count = 0

    def handle_error(self, request: object, address: object) -> None:
        """Ignore the error: a process that ends resets its connection."""


class _RuntimeApiHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: InvocationServer

    def do_GET(self) -> None:
        runtime = self.server
        with runtime.condition:
            runtime.condition.wait_for(lambda: runtime.delivered_count < runtime.requested_count)
            runtime.delivered_count += 1
        headers = {
            "content-type": "application/json",
            "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700",
            "Lambda-Runtime-Aws-Request-Id": f"request-{runtime.delivered_count}",
            "Lambda-Runtime-Deadline-Ms": str(int(time.time() * 1000) + 60_000),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:1:function:trust",
        }
        self._send(200, json.dumps(next(runtime.events)).encode(), headers)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        runtime = self.server
        with runtime.condition:
            (runtime.errors if self.path.endswith("/error") else runtime.answers).append(body)
            runtime.condition.notify_all()
        self._send(202, b"{}", {})

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@dataclass(slots=True)
class FunctionProcess:
    """A running function."""

    runtime: InvocationServer
    process: subprocess.Popen[bytes]
    output: IO[bytes]

    def invoke(self, times: int) -> list[str]:
        """Process the next ``times`` events, and return the responses."""
        runtime = self.runtime
        with runtime.condition:
            runtime.answers.clear()
            runtime.requested_count += times
            runtime.condition.notify_all()
            while len(runtime.answers) < times:
                runtime.condition.wait(timeout=1)
                assert not runtime.errors, runtime.errors[0]
                assert self.process.poll() is None, (
                    f"the function ended: {self.read_log()[-2_000:]}"
                )
            return list(runtime.answers)

    def read_log(self) -> str:
        """Read the process's output."""
        self.output.seek(0)
        return self.output.read().decode()

    def measure(self) -> ProcessSample:
        """Measure the process's memory and file handles."""
        process = Path(f"/proc/{self.process.pid}")
        pages = int((process / "statm").read_text().split()[1])
        memory = pages * os.sysconf("SC_PAGE_SIZE") // 1024
        return ProcessSample(memory, len(list((process / "fd").iterdir())))


@contextmanager
def run_function(
    name: str, endpoint: str, events: Iterable[Mapping[str, Any]]
) -> Iterator[FunctionProcess]:
    """Run a function whose AWS is at ``endpoint``; end it with the context."""
    with InvocationServer(events) as runtime, TemporaryFile() as printed:
        thread = Thread(target=runtime.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        environment = ENVIRONMENT | {
            "AWS_ENDPOINT_URL": endpoint,
            "PARK_QUEUE_URL": f"{endpoint}/queue",
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{runtime.server_port}",
            "PYTHONPATH": str(ROOT / "layers/waypost"),
        }
        process = subprocess.Popen(
            [sys.executable, "-u", "-c", _RUNTIME, "app.handler"],
            cwd=ROOT / "functions" / name,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=printed,
        )
        try:
            yield FunctionProcess(runtime, process, printed)
        finally:
            process.kill()
            process.wait()
            runtime.requested_count = sys.maxsize
            runtime.shutdown()
            thread.join()
