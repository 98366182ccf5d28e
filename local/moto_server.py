"""What moto's process runs: serves on a port of its choice, prints it, ends when its parent
does.

Requests are answered one at a time: moto's TransactWriteItems copies the tables and puts them back
when it fails, which loses what other requests wrote in the meantime.
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
    """WSGI middleware that never runs two requests side by side. Connections may still be kept
    alive.
    """

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application
        self._lock = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with self._lock:
            return [b"".join(self._application(environ, start_response))]


class BoundedDict(OrderedDict[K, V]):
    """A mapping that forgets its oldest entries: moto keeps a shard iterator for every poll of a
    stream.
    """

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        while len(self) > 1_000:
            self.popitem(last=False)


def serve() -> None:
    from moto.dynamodbstreams.models import dynamodbstreams_backends
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    from local import moto_speedups, moto_transactions
    from local.moto_authorization import PermissionApi, PermissionEnforcer

    class Handler(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"  # connections are kept alive
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
    """The parent holds the other end of stdin, and loses it however it ends."""
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C reaches the whole group; the parent decides
    serve()
