"""Processes that are forked from one that has imported their libraries, which takes a hundredth of
the time that importing takes.

A process begins as if Python had just started: with its own environment, folder, arguments, files
and path, and with none of our modules, but those that its server was told to import.
"""

from __future__ import annotations

import atexit
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from local import forkserver
from local.children import ForkedProcess
from local.errors import ProcessStartError

_SCRIPT: Final = Path(forkserver.__file__)


@dataclass(frozen=True, slots=True)
class Program:
    """Python code, and what is around it when it runs."""

    code: str
    arguments: Sequence[str]
    working_folder: Path
    environment: Mapping[str, str]
    python_path: Sequence[str]
    """Folders in which modules are looked for before the standard library's."""


class ForkServer:
    """Forks processes once it has run ``prelude``; starts at the first one, ends with this process.

    ``path`` is where the prelude's imports are looked for, ``environment`` what they see.
    """

    def __init__(
        self, prelude: str, python_path: Sequence[str], environment: Mapping[str, str]
    ) -> None:
        self.python_path = python_path
        self.environment = environment
        self._prelude = prelude
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts the server if it does not run, and does not wait for it."""
        with self._lock:
            self._connect()

    def fork(
        self, program: Program, stdin: int | None = None, stderr: int | None = None
    ) -> ForkedProcess:
        """Starts a process. Without ``stdin`` it has no input, and without ``stderr`` it prints its
        errors with the rest. Raises NotStarted.
        """
        output, prints = _open_pipe()
        end, tells = _open_pipe()
        try:
            with prints, tells, Path(os.devnull).open("rb") as nothing:
                files = [
                    nothing.fileno() if stdin is None else stdin,
                    prints.fileno(),
                    prints.fileno() if stderr is None else stderr,
                    tells.fileno(),
                ]
                self._send_request(program, files)
            return ForkedProcess(output, end)
        except BaseException:
            output.close()
            end.close()
            raise

    def _send_request(self, program: Program, files: Sequence[int]) -> None:
        request = json.dumps(
            {
                "code": program.code,
                "arguments": list(program.arguments),
                "folder": str(program.working_folder),
                "environment": dict(program.environment),
                "path": list(program.python_path),
            }
        ).encode()
        try:
            with self._lock:
                door = self._connect()
                socket.send_fds(door, [forkserver.REQUEST_LENGTH.pack(len(request))], files)
                door.sendall(request)
        except OSError as error:
            raise ProcessStartError(f"no process can be forked: {error}") from error

    def _connect(self) -> socket.socket:
        if self._socket is None:
            self._socket, theirs = socket.socketpair()
            with theirs:
                number = theirs.fileno()
                self._process = subprocess.Popen(  # noqa: S603  our own script
                    [sys.executable, "-S", "-u", str(_SCRIPT), str(number), self._prelude],
                    stdin=subprocess.DEVNULL,
                    env={**self.environment, "PYTHONPATH": os.pathsep.join(self.python_path)},
                    pass_fds=[number],
                )
            atexit.register(self._close)
        return self._socket

    def _close(self) -> None:
        if self._socket is not None and self._process is not None:
            self._socket.close()
            self._process.wait()


def _open_pipe() -> tuple[IO[bytes], IO[bytes]]:
    """Where to read, and where to write."""
    reads, writes = os.pipe()
    return os.fdopen(reads, "rb", buffering=0), os.fdopen(writes, "wb", buffering=0)
