"""A process that a fork server made, as seen from here: its output, signals to it, its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
from typing import IO, Final

from local import forkserver
from local.errors import NotStarted

_SECONDS: Final = 60.0


class Fork:
    """A process that a server has forked; ``returncode`` is known once somebody waited for it.

    ``output`` is what it prints; whoever reads it closes it. On ``end`` the server tells of it.
    """

    def __init__(self, output: IO[bytes], end: IO[bytes]) -> None:
        """Raises NotStarted when the server tells of no process."""
        ready, _, _ = select.select([end], [], [], _SECONDS)
        told = end.read(forkserver.STATUS.size) if ready else b""
        if not told:
            raise NotStarted("no process was forked; the server's complaint is above")
        self.pid: int = forkserver.STATUS.unpack(told)[0]
        self.output = output
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


async def reader(file: IO[bytes]) -> asyncio.StreamReader:
    """Reads a pipe on the running loop; the file is closed at its end."""
    stream = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), file)
    return stream
