"""Run a server of another project on this machine for the length of a ``with`` block."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import urllib3

_START_SECONDS: Final = 60
_STOP_SECONDS: Final = 10


class ServerUnavailable(SystemExit):
    """The server is not installed, or does not start."""


@dataclass(frozen=True, slots=True)
class ServerProgram:
    """A server's command and environment; ``{port}`` and ``{folder}`` in them are replaced.

    ``health_path`` answers any HTTP status once the server is ready. ``target`` installs it.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    health_path: str
    target: str


@contextmanager
def run_server(program: ServerProgram, folder: Path) -> Iterator[int]:
    """Start a server on a free port, yield the port, and end it with all its processes.

    Its data is in a new folder below ``folder``, which is deleted. Its output stays in a log there.

    :raises ServerUnavailable: when it does not start.
    """
    if not Path(program.command[0]).exists():
        raise ServerUnavailable(
            f"{program.name}: not installed ({folder}); run `make {program.target}`"
        )
    port, data = _find_free_port(), Path(tempfile.mkdtemp(prefix="data-", dir=folder))
    log_file = folder / f"{program.name}.log"
    values = {"port": port, "folder": data}
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [argument.format(**values) for argument in program.command],
            env={key: value.format(**values) for key, value in program.environment.items()},
            cwd=data,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # its own processes are of its group
        )
        try:
            _wait_until_ready(process, f"http://127.0.0.1:{port}{program.health_path}")
            if process.poll() is not None:
                raise ServerUnavailable(_describe_failure(program, log_file))
            yield port
        finally:
            _stop_group(process)
            shutil.rmtree(data, ignore_errors=True)


def _find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(process: subprocess.Popen[bytes], url: str) -> None:
    """Return when the server answers or has ended; else end it after a minute."""
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None:
        with suppress(urllib3.exceptions.HTTPError):
            urllib3.request("GET", url, retries=False, timeout=5)
            return
        if time.monotonic() > deadline:
            _stop_group(process)
        time.sleep(0.1)


def _describe_failure(program: ServerProgram, log_file: Path) -> str:
    lines = log_file.read_text(errors="replace").strip().splitlines() or ["no output"]
    return f"{program.name}: does not start ({lines[-1]}); read {log_file}"


def _stop_group(process: subprocess.Popen[bytes]) -> None:
    """End a process, and then all that it started."""
    with suppress(ProcessLookupError):
        process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
