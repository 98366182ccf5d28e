"""One fresh process of a function under Lambda's runtime client, and its processor time.

The process is awslambdaric with nothing of this project around it; a Runtime API of a few lines
hands it the same event again and again.
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
SETTLING = 200
"""Calls after the first answer that nobody measures: caches fill, connections open."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """A handler, what is on its path before the runtime's own, and what its environment adds."""

    name: str
    handler: str
    folder: Path
    path: tuple[Path, ...]
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Start:
    """From the start of the process to its first answer: processor time, and by the clock. In s."""

    cpu: float
    wall: float


class Runtime(ThreadingHTTPServer):
    """The Runtime API of one process. ``event`` is what each invocation carries."""

    daemon_threads = True
    request_queue_size = 1

    def __init__(self, event: Mapping[str, Any]) -> None:
        super().__init__(("127.0.0.1", 0), _Api)
        self.event = json.dumps(event).encode()
        self.answers = 0
        self.first: bytes = b""
        self.answered = threading.Condition()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def server_close(self) -> None:
        self.shutdown()
        super().server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: a process that is ended resets its connection."""

    def wait_for(self, answers: int) -> None:
        with self.answered:
            if not self.answered.wait_for(lambda: self.answers >= answers, timeout=60):
                raise RuntimeError("the function does not answer")

    def check(self) -> None:
        """Raises where the answer was not the redirect that the event asks for."""
        answer = json.loads(self.first)
        if answer.get("statusCode") != 302:
            raise RuntimeError(f"the function answered {self.first.decode()[:500]}")


class _Api(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Runtime

    def do_GET(self) -> None:
        self._answer(
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
        with self.server.answered:
            self.server.answers += 1
            self.server.first = self.server.first or body
            self.server.answered.notify_all()
        self._answer(202, b'{"status":"OK"}', {})

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Nothing: a line per call would be measured too."""


def cold(python: Path, contestant: Contestant, event: Mapping[str, Any]) -> Start:
    """Start a process, take its first answer, end it."""
    with Runtime(event) as runtime:
        began = time.perf_counter()
        process = _spawn(python, contestant, runtime)
        try:
            runtime.wait_for(1)
            wall = time.perf_counter() - began
        finally:
            process.send_signal(signal.SIGKILL)
            _, _, used = os.wait4(process.pid, 0)
            process.returncode = -signal.SIGKILL
        runtime.check()
        return Start(used.ru_utime + used.ru_stime, wall)


def warm(python: Path, contestant: Contestant, event: Mapping[str, Any], calls: int) -> float:
    """Processor seconds of one call, over ``calls`` in a process that has settled."""
    with Runtime(event) as runtime:
        process = _spawn(python, contestant, runtime)
        try:
            runtime.wait_for(SETTLING)
            before, first = _processor_seconds(process.pid), runtime.answers
            runtime.wait_for(first + calls)
            spent, done = _processor_seconds(process.pid) - before, runtime.answers - first
        finally:
            process.kill()
            process.wait()
        runtime.check()
        return spent / done


def _processor_seconds(pid: int) -> float:
    """Of all threads, ended ones too: the runtime client resolves names in threads of their own."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _spawn(python: Path, contestant: Contestant, runtime: Runtime) -> subprocess.Popen[bytes]:
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
        "LAMBDA_TASK_ROOT": str(contestant.folder),
        "LANG": "en_US.UTF-8",
        "PYTHONPATH": os.pathsep.join(map(str, contestant.path)),
        "PYTHONDONTWRITEBYTECODE": "1",  # Lambda's file system takes none
        "TZ": ":UTC",
        **contestant.environment,
    }
    return subprocess.Popen(
        [python, "-S", "-u", "-c", _RUNTIME, contestant.handler],
        cwd=contestant.folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
