"""Run one function in a new process under Lambda's runtime client, and measure its processor time.

The process is awslambdaric without any code of this project. A small Runtime API passes it the same
event again and again.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_RUNTIME = 'import sys; sys.path[0] = ""; from awslambdaric.__main__ import main; main(sys.argv)'
WARMUP_CALLS = 200
"""Calls that are not measured: they fill caches and open connections."""


@dataclass(frozen=True, slots=True)
class RedirectVariant:
    """A handler, its import path before the runtime's own, and its environment variables."""

    name: str
    handler: str
    folder: Path
    path: tuple[Path, ...]
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ColdStart:
    """Processor and wall-clock seconds from the start of the process to its first response."""

    cpu_seconds: float
    wall_seconds: float


class RuntimeServer(ThreadingHTTPServer):
    """The Runtime API of one process; each invocation receives ``event``."""

    daemon_threads = True
    request_queue_size = 1

    def __init__(self, event: Mapping[str, Any]) -> None:
        super().__init__(("127.0.0.1", 0), _RuntimeApiHandler)
        self.event = json.dumps(event).encode()
        self.response_count = 0
        self.first_response: bytes = b""
        self.response_condition = threading.Condition()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def server_close(self) -> None:
        self.shutdown()
        super().server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore the error: a process that ends resets its connection."""

    def wait_for_responses(self, count: int) -> None:
        with self.response_condition:
            if not self.response_condition.wait_for(
                lambda: self.response_count >= count, timeout=60
            ):
                raise RuntimeError("function: no response within 60 s")

    def check_redirect(self) -> None:
        """Check the first response.

        :raises RuntimeError: when it is not a redirect.
        """
        answer = json.loads(self.first_response)
        if answer.get("statusCode") != 302:
            raise RuntimeError(f"function: no redirect: {self.first_response.decode()[:500]}")


class _RuntimeApiHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: RuntimeServer

    def do_GET(self) -> None:
        self._send(
            200,
            self.server.event,
            {
                "Content-Type": "application/json",
                "Lambda-Runtime-Aws-Request-Id": "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
                "Lambda-Runtime-Deadline-Ms": str(int(time.time() * 1000) + 5_000),
                "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:1:function:f",
                "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700",
            },
        )

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        with self.server.response_condition:
            self.server.response_count += 1
            self.server.first_response = self.server.first_response or body
            self.server.response_condition.notify_all()
        self._send(202, b'{"status":"OK"}', {})

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Log nothing: a line for each call would be measured, too."""


def measure_cold_start(
    python: Path, variant: RedirectVariant, event: Mapping[str, Any]
) -> ColdStart:
    """Start a process, wait for its first response and end it."""
    with RuntimeServer(event) as runtime:
        began = time.perf_counter()
        process = _start_process(python, variant, runtime)
        try:
            runtime.wait_for_responses(1)
            wall = time.perf_counter() - began
        finally:
            process.send_signal(signal.SIGKILL)
            _, _, used = os.wait4(process.pid, 0)
            process.returncode = -signal.SIGKILL
        runtime.check_redirect()
        return ColdStart(used.ru_utime + used.ru_stime, wall)


def measure_warm_call(
    python: Path, variant: RedirectVariant, event: Mapping[str, Any], calls: int
) -> float:
    """Measure the processor seconds of one call, over ``calls`` in a warm process."""
    with RuntimeServer(event) as runtime:
        process = _start_process(python, variant, runtime)
        try:
            runtime.wait_for_responses(WARMUP_CALLS)
            before, first = _read_processor_seconds(process.pid), runtime.response_count
            runtime.wait_for_responses(first + calls)
            spent, done = (
                _read_processor_seconds(process.pid) - before,
                runtime.response_count - first,
            )
        finally:
            process.kill()
            process.wait()
        runtime.check_redirect()
        return spent / done


def _read_processor_seconds(pid: int) -> float:
    """Read the processor seconds of all threads: the runtime client resolves names in threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _start_process(
    python: Path, variant: RedirectVariant, runtime: RuntimeServer
) -> subprocess.Popen[bytes]:
    environment = {
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "token" * 100,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
        "AWS_LAMBDA_FUNCTION_NAME": "bench-redirect",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/bench",
        "AWS_LAMBDA_LOG_STREAM_NAME": "local",
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{runtime.server_port}",
        "LAMBDA_TASK_ROOT": str(variant.folder),
        "LANG": "en_US.UTF-8",
        "PYTHONPATH": os.pathsep.join(map(str, variant.path)),
        "PYTHONDONTWRITEBYTECODE": "1",  # Lambda's file system takes none
        "TZ": ":UTC",
        **variant.environment,
    }
    return subprocess.Popen(
        [python, "-S", "-u", "-c", _RUNTIME, variant.handler],
        cwd=variant.folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
