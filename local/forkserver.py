"""A process that has imported libraries already, and forks into whoever is to run next.

Started as a script by ``local.forks``: ``forkserver.py SOCKET PRELUDE``, where SOCKET is the number
of an open one, and PRELUDE the code that imports the libraries. Each request is a JSON object
behind its length, with four files: what the child has for input, output and errors, and where to
tell of its end. The child's id is told there at once, its exit status (negative: the signal that
ended it) once it is gone.

It is one thread, so that a fork finds nothing half done. It ends when the socket does.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import struct
import sys
import time
from typing import Any, Final

REQUEST_LENGTH: Final = struct.Struct("!I")
EXIT_STATUS: Final = struct.Struct("!i")
FILE_COUNT: Final = 4


class ForkRequestServer:
    """The children by process id, with where each one's end is told."""

    def __init__(self, server_socket: socket.socket) -> None:
        self._socket = server_socket
        self._children: dict[int, int] = {}
        self._wakeup_reader, bell = os.pipe()
        for end in (self._wakeup_reader, bell):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(bell)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._wakeup_pipe = (self._wakeup_reader, bell)

    def serve(self) -> dict[str, Any] | None:
        """Forks on request. Returns the request in the child; None once nobody asks any more."""
        while True:
            ready, _, _ = select.select([self._socket.fileno(), self._wakeup_reader], [], [])
            if self._wakeup_reader in ready:
                os.read(self._wakeup_reader, 4_096)
                self._report_exits()
            if self._socket.fileno() in ready:
                asked = self._receive()
                if asked is None:
                    return None
                if self._fork(*asked):
                    return asked[0]

    def _receive(self) -> tuple[dict[str, Any], list[int]] | None:
        header, files, _, _ = socket.recv_fds(
            self._socket, REQUEST_LENGTH.size, FILE_COUNT, socket.MSG_WAITALL
        )
        if len(header) < REQUEST_LENGTH.size:
            return None
        body = self._socket.recv(REQUEST_LENGTH.unpack(header)[0], socket.MSG_WAITALL)
        return json.loads(body), files

    def _fork(self, request: dict[str, Any], files: list[int]) -> bool:
        """Whether this is the child, which is by then what the request says."""
        *standard, end = files
        pid = os.fork()
        if pid == 0:
            self._close_server_files()
            _apply_request(request, standard)
            os.close(end)
            return True
        for file in standard:
            os.close(file)
        self._children[pid] = end
        _send_status(end, pid)
        return False

    def _close_server_files(self) -> None:
        """The child is no server and hears of no other children."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for file in (*self._wakeup_pipe, *self._children.values()):
            os.close(file)
        self._socket.close()

    def _report_exits(self) -> None:
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            end = self._children.pop(pid)
            _send_status(end, os.waitstatus_to_exitcode(status))
            os.close(end)


def _send_status(status_pipe: int, status: int) -> None:
    with contextlib.suppress(BrokenPipeError):  # whoever asked for the child has ended
        os.write(status_pipe, EXIT_STATUS.pack(status))


def _apply_request(request: dict[str, Any], standard: list[int]) -> None:
    """What Python does at its start: files, folder, environment, arguments, where modules lie."""
    for number, file in enumerate(standard):
        os.dup2(file, number)
        os.close(file)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    sys.argv[:] = request["arguments"]
    sys.path[:] = [*request["path"], *_STANDARD_LIBRARY]


def main() -> None:
    """Returns in no process: each ends with what it was to run."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it reaches the whole group; the parent decides
    door = socket.socket(fileno=int(sys.argv[1]))
    exec(sys.argv[2], {"__name__": "prelude"})  # noqa: S102 - the parent's own code
    gc.collect()
    gc.freeze()  # no child looks for garbage in what stays
    request = ForkRequestServer(door).serve()
    if request is not None:
        exec(request["code"], {"__name__": "__main__"})  # noqa: S102 - the parent's own code


if __name__ == "__main__":
    # Of the path that this process was started with, only the standard library is for all.
    _GIVEN = [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]
    sys.path[:1] = []
    _STANDARD_LIBRARY = [each for each in sys.path if each not in _GIVEN]
    main()
