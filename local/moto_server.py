"""The code of moto's process: serve on a free port, print the port, end with the parent process.

Requests are served one at a time, because moto's models are not thread-safe: the rollback of a
TransactWriteItems would undo writes of other requests.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

K = TypeVar("K")
V = TypeVar("V")


class SerialRequests:
    """WSGI middleware that serves one request at a time, on any number of connections."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application
        self._lock = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with self._lock:
            return [b"".join(self._application(environ, start_response))]


class BoundedDict(OrderedDict[K, V]):
    """A mapping without its oldest entries: moto stores a shard iterator for every poll."""

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        while len(self) > 1_000:
            self.popitem(last=False)


def serve() -> None:
    """Patch moto and serve until the parent ends."""
    from moto.dynamodbstreams.models import dynamodbstreams_backends
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    from local import moto_speedups, moto_transactions
    from local.moto_authorization import PermissionApi, PermissionEnforcer

    class Handler(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"  # keep-alive
        disable_nagle_algorithm = True

        def log(self, *_: object) -> None:
            pass

    account = os.environ["WAYPOST_LOCAL_ACCOUNT"]
    region = os.environ["AWS_REGION"]
    dynamodbstreams_backends[account][region].shard_iterators = BoundedDict()
    moto_transactions.install_rollback()
    moto_speedups.install_speedups()
    enforcement = PermissionEnforcer(account, region)
    enforcement.install()
    services = DomainDispatcherApplication(create_backend_app)
    application = SerialRequests(PermissionApi(services, enforcement))
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Handler)
    print(server.port, flush=True)
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    server.serve_forever()


def _exit_with_parent() -> None:
    """Exit when stdin closes: the parent has its other end, and loses it in any kind of exit."""
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C reaches the whole group; the parent decides
    serve()
