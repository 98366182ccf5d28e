"""Fork server client: start processes from one that has imported their libraries.

Measured with a stack whose seven functions start five times each: 12.5 s of processor time with
libraries imported before the fork, 27.6 s with imports in each process: 0.43 s per start::

    time python -c "from local.stack import EmbeddedStack
    with EmbeddedStack(preload=True) as stack:  # or False
        for name in 5 * list(stack._function_pools.pools):
            stack.invoke(name, {})
            stack.recycle(name)"

A process starts as Python does: with its own environment, folder, arguments, files and path, and
without modules of the project except those in the server's prelude. ``forkserver`` is the server.
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
_SCRIPT: Final = Path(forkserver.__file__)


class ForkedProcess:
    """A forked process; ``returncode`` is set by ``wait``.

    ``output`` is its stdout, which the reader closes. The server writes the process id and the exit
    status to ``status_pipe``.
    """

    def __init__(self, output: IO[bytes], status_pipe: IO[bytes]) -> None:
        """Read the process id. Raises ProcessStartError if the server sends none."""
        ready, _, _ = select.select([status_pipe], [], [], _START_SECONDS)
        message = status_pipe.read(forkserver.EXIT_STATUS.size) if ready else b""
        if not message:
            raise ProcessStartError("fork server: no process started; see its error above")
        self.pid: int = forkserver.EXIT_STATUS.unpack(message)[0]
        self.output = output
        self.returncode: int | None = None
        self._status_pipe = status_pipe

    def send_signal(self, signal_number: int) -> None:
        """Send a signal; a process that has ended gets none."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):  # it ended meanwhile
                os.kill(self.pid, signal_number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float) -> int | None:
        """Return the exit status (negative: a signal), or None after ``timeout`` seconds."""
        if self.returncode is None and select.select([self._status_pipe], [], [], timeout)[0]:
            self._set_returncode(self._status_pipe.read())
            self._status_pipe.close()
        return self.returncode

    async def wait_async(self) -> int:
        """Wait for the exit status. Never combine it with ``wait``."""
        return self._set_returncode(await (await open_pipe_reader(self._status_pipe)).read())

    def _set_returncode(self, status: bytes) -> int:
        # Without a status the server was killed.
        self.returncode = forkserver.EXIT_STATUS.unpack(status)[0] if status else -signal.SIGKILL
        return self.returncode


async def open_pipe_reader(file: IO[bytes]) -> asyncio.StreamReader:
    """Open a pipe for reading on the running loop, which closes the file at its end."""
    stream = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), file)
    return stream


@dataclass(frozen=True, slots=True)
class Program:
    """Python code and its environment."""

    code: str
    arguments: Sequence[str]
    working_folder: Path
    environment: Mapping[str, str]
    python_path: Sequence[str]
    """Folders of modules, before the standard library's."""


class ForkServer:
    """A server that runs ``prelude`` once and forks; it ends with this process.

    The prelude's imports use ``python_path`` and ``environment``.
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
        """Start the server if necessary, without waiting for it."""
        with self._lock:
            self._connect()

    def fork(
        self, program: Program, stdin: int | None = None, stderr: int | None = None
    ) -> ForkedProcess:
        """Start a process. Raises ProcessStartError.

        Without ``stdin`` it has no input; without ``stderr`` its errors go to stdout.
        """
        output, stdout = _open_pipe()
        status_reader, status_writer = _open_pipe()
        try:
            with stdout, status_writer, Path(os.devnull).open("rb") as no_input:
                files = [
                    no_input.fileno() if stdin is None else stdin,
                    stdout.fileno(),
                    stdout.fileno() if stderr is None else stderr,
                    status_writer.fileno(),
                ]
                self._send_request(program, files)
            return ForkedProcess(output, status_reader)
        except BaseException:
            output.close()
            status_reader.close()
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
                server_socket = self._connect()
                length = forkserver.REQUEST_LENGTH.pack(len(request))
                socket.send_fds(server_socket, [length], files)
                server_socket.sendall(request)
        except OSError as error:
            raise ProcessStartError(f"fork server: {error}") from error

    def _connect(self) -> socket.socket:
        if self._socket is None:
            self._socket, server_socket = socket.socketpair()
            with server_socket:
                number = server_socket.fileno()
                self._process = subprocess.Popen(  # noqa: S603  this project's script
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
    """Open a pipe; return its reading and its writing end."""
    reader, writer = os.pipe()
    return os.fdopen(reader, "rb", buffering=0), os.fdopen(writer, "wb", buffering=0)
