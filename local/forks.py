"""Processes that are forked from one that has imported their libraries, which takes a hundredth of
the time that importing takes.

A process begins as if Python had just started: with its own environment, folder, arguments, files
and path, and with none of our modules, but those that its server was told to import.
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
from local.errors import NotStarted

_SCRIPT: Final = Path(forkserver.__file__)
_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Program:
    """Python code, and what is around it when it runs."""

    code: str
    arguments: Sequence[str]
    folder: Path
    environment: Mapping[str, str]
    path: Sequence[str]
    """Folders in which modules are looked for before the standard library's."""


class Fork:
    """A process that a server has forked; ``returncode`` is known once somebody waited for it."""

    def __init__(self, pid: int, end: IO[bytes]) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._end = end

    def send_signal(self, number: int) -> None:
        """Does nothing once the process is gone."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def wait(self, seconds: float) -> int | None:
        """The exit status (negative: a signal's number), or None if it does not end in time."""
        if self.returncode is None and select.select([self._end], [], [], seconds)[0]:
            self._ended(self._end.read())
            self._end.close()
        return self.returncode

    async def ended(self) -> int:
        """Waits for the exit status. Not to be used along with ``wait``."""
        return self._ended(await (await reader(self._end)).read())

    def _ended(self, told: bytes) -> int:
        # Nothing is told by a server that was killed; its children's ends nobody knows.
        self.returncode = forkserver.STATUS.unpack(told)[0] if told else -signal.SIGKILL
        return self.returncode


class ForkServer:
    """Forks processes once it has run ``prelude``; starts at the first one, ends with this process.

    ``path`` is where the prelude's imports are looked for, ``environment`` what they see.
    """

    def __init__(self, prelude: str, path: Sequence[str], environment: Mapping[str, str]) -> None:
        self.path = path
        self.environment = environment
        self._prelude = prelude
        self._lock = threading.Lock()
        self._door: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Starts the server if it does not run, and does not wait for it."""
        with self._lock:
            self._open()

    def fork(self, program: Program, files: tuple[int, int, int]) -> Fork:
        """Starts a process; ``files`` are its standard ones. Raises NotStarted if there is none."""
        request = json.dumps(
            {
                "code": program.code,
                "arguments": list(program.arguments),
                "folder": str(program.folder),
                "environment": dict(program.environment),
                "path": list(program.path),
            }
        ).encode()
        end, told = os.pipe()
        tells = os.fdopen(end, "rb", buffering=0)
        try:
            with self._lock:
                door = self._open()
                length = forkserver.LENGTH.pack(len(request))
                socket.send_fds(door, [length], [*files, told])
                door.sendall(request)
        except OSError as error:
            tells.close()
            raise NotStarted(f"no process can be forked: {error}") from error
        finally:
            os.close(told)
        ready, _, _ = select.select([tells], [], [], _SECONDS)
        pid = tells.read(forkserver.STATUS.size) if ready else b""
        if not pid:
            tells.close()
            raise NotStarted("no process was forked; the server's complaint is above")
        return Fork(forkserver.STATUS.unpack(pid)[0], tells)

    def _open(self) -> socket.socket:
        if self._door is None:
            self._door, theirs = socket.socketpair()
            with theirs:
                number = theirs.fileno()
                self._process = subprocess.Popen(  # noqa: S603  our own script
                    [sys.executable, "-S", "-u", str(_SCRIPT), str(number), self._prelude],
                    stdin=subprocess.DEVNULL,
                    env={**self.environment, "PYTHONPATH": os.pathsep.join(self.path)},
                    pass_fds=[number],
                )
            atexit.register(self._close)
        return self._door

    def _close(self) -> None:
        if self._door is not None and self._process is not None:
            self._door.close()
            self._process.wait()


async def reader(file: IO[bytes]) -> asyncio.StreamReader:
    """Reads a pipe on the running loop; the file is closed at its end."""
    stream = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), file)
    return stream
