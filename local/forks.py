"""Processes that are forked from one that has imported their libraries, which takes a hundredth of
the time that importing takes.

A process begins as if Python had just started: with its own environment, folder, arguments, files
and path, and with none of our modules, but those that its server was told to import.

A process that a fork server made, as seen from here: its output, signals to it, its end.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from local import forkserver
from local.errors import ProcessStartError

_START_SECONDS: Final = 60.0


class ForkedProcess:
    """A process that a server has forked; ``returncode`` is known once somebody waited for it.

    ``output`` is what it prints; whoever reads it closes it. On ``end`` the server tells of it.
    """

    def __init__(self, output: IO[bytes], status_pipe: IO[bytes]) -> None:
        """Raises NotStarted when the server tells of no process."""
        ready, _, _ = select.select([status_pipe], [], [], _START_SECONDS)
        told = status_pipe.read(forkserver.EXIT_STATUS.size) if ready else b""
        if not told:
            raise ProcessStartError("no process was forked; the server's complaint is above")
        self.pid: int = forkserver.EXIT_STATUS.unpack(told)[0]
        self.output = output
        self.returncode: int | None = None
        self._status_pipe = status_pipe

    def send_signal(self, signal_number: int) -> None:
        """Does nothing once the process is gone."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.kill(self.pid, signal_number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float) -> int | None:
        """The exit status (negative: a signal's number), or None if it does not end in time."""
        if self.returncode is None and select.select([self._status_pipe], [], [], timeout)[0]:
            self._set_returncode(self._status_pipe.read())
            self._status_pipe.close()
        return self.returncode

    async def wait_async(self) -> int:
        """Waits for the exit status. Not to be used along with ``wait``."""
        return self._set_returncode(await (await open_pipe_reader(self._status_pipe)).read())

    def _set_returncode(self, status: bytes) -> int:
        # Nothing is told by a server that was killed; its children's ends nobody knows.
        self.returncode = forkserver.EXIT_STATUS.unpack(status)[0] if status else -signal.SIGKILL
        return self.returncode


async def open_pipe_reader(file: IO[bytes]) -> asyncio.StreamReader:
    """Reads a pipe on the running loop; the file is closed at its end."""
    stream = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), file)
    return stream


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
