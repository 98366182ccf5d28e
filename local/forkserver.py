"""Fork server: a process that imports libraries once and forks on request.

``local.forks`` starts it as a script and states its benefit: ``forkserver.py SOCKET PRELUDE``.
SOCKET is the number of an open socket, PRELUDE the code that imports the libraries. A request is a
length and a JSON object, with four files: the child's stdin, stdout, stderr and status pipe. The
server writes the child's process id to the status pipe, and later its exit status (negative: the
signal that ended it).

The server has one thread, because a fork copies only the calling thread. It ends when the socket
closes.
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
    """The server's loop, and its children's status pipes by process id."""

    def __init__(self, server_socket: socket.socket) -> None:
        self._socket = server_socket
        self._children: dict[int, int] = {}
        self._wakeup_reader, wakeup_writer = os.pipe()
        for file in (self._wakeup_reader, wakeup_writer):
            os.set_blocking(file, False)
        signal.set_wakeup_fd(wakeup_writer)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._wakeup_pipe = (self._wakeup_reader, wakeup_writer)

    def serve(self) -> dict[str, Any] | None:
        """Fork on request. Returns the request in the child, None when the socket closes."""
        while True:
            ready, _, _ = select.select([self._socket.fileno(), self._wakeup_reader], [], [])
            if self._wakeup_reader in ready:
                os.read(self._wakeup_reader, 4_096)
                self._report_exits()
            if self._socket.fileno() in ready:
                received = self._receive()
                if received is None:
                    return None
                request, files = received
                if self._fork(request, files):
                    return request

    def _receive(self) -> tuple[dict[str, Any], list[int]] | None:
        header, files, _, _ = socket.recv_fds(
            self._socket, REQUEST_LENGTH.size, FILE_COUNT, socket.MSG_WAITALL
        )
        if len(header) < REQUEST_LENGTH.size:
            return None
        body = self._socket.recv(REQUEST_LENGTH.unpack(header)[0], socket.MSG_WAITALL)
        return json.loads(body), files

    def _fork(self, request: dict[str, Any], files: list[int]) -> bool:
        """Fork; return True in the child, after applying the request."""
        *standard, status_pipe = files
        pid = os.fork()
        if pid == 0:
            self._close_server_files()
            _apply_request(request, standard)
            os.close(status_pipe)
            return True
        for file in standard:
            os.close(file)
        self._children[pid] = status_pipe
        _send_status(status_pipe, pid)
        return False

    def _close_server_files(self) -> None:
        """Close the server's files and handlers in the child."""
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
            status_pipe = self._children.pop(pid)
            _send_status(status_pipe, os.waitstatus_to_exitcode(status))
            os.close(status_pipe)


def _send_status(status_pipe: int, status: int) -> None:
    with contextlib.suppress(BrokenPipeError):  # the client has ended
        os.write(status_pipe, EXIT_STATUS.pack(status))


def _apply_request(request: dict[str, Any], standard: list[int]) -> None:
    """Set files, folder, environment, arguments and module path, as Python does at its start."""
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
    """Run the prelude and serve; in a child, run the requested code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the group; the parent decides
    server_socket = socket.socket(fileno=int(sys.argv[1]))
    exec(sys.argv[2], {"__name__": "prelude"})  # noqa: S102 - the parent's code
    gc.collect()
    gc.freeze()  # children need not collect the prelude's objects
    request = ForkRequestServer(server_socket).serve()
    if request is not None:
        exec(request["code"], {"__name__": "__main__"})  # noqa: S102 - the parent's code


if __name__ == "__main__":
    _PYTHONPATH = [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]
    sys.path[:1] = []  # the script's folder
    _STANDARD_LIBRARY = [each for each in sys.path if each not in _PYTHONPATH]
    main()
