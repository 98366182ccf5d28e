"""A process that a fork server made, as seen from here: its output, signals to it, its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
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
