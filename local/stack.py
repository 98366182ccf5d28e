"""``EmbeddedStack``: start, use and stop the stack from Python.

    with EmbeddedStack() as stack:
        stack.invoke("RewriteFunction", {...})
        urllib.request.urlopen(stack.url + "/e/c/...")
        stack.wait_until_counted()

The HTTP port and the Runtime APIs run on one event loop in a separate thread, each event source in
a thread, moto and the functions in processes. All of them end with the stack, and with this
process.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from local import stack_definition
from local.account import REGION
from local.admin_api import AdminApi
from local.asgi import AsgiServer, EventLoopThread, listen
from local.clock import Clock
from local.cloud import MotoCloud
from local.event_sources import (
    build_pollers,
    wait_until_delivered,
    wake_after_requests,
    wake_pollers,
)
from local.invocations import InvocationResult
from local.invoke_api import InvokeApi
from local.lambda_runtime import FunctionPools
from local.poller import Poller
from local.processes import StackLog, get_fork_server
from local.router import RequestRouter
from local.schedules import Scheduler

TEMPLATE: Final = Path(__file__).parents[1] / "template.yaml"
_DELIVERY_SECONDS: Final = 30.0


class EmbeddedStack:
    """A stack of a template; a context manager, or ``start`` and ``close``.

    After the start ``url`` is its address and ``cloud`` its AWS services. ``clock`` is the time of
    requests, and can be set forward.
    """

    def __init__(
        self,
        template: Path = TEMPLATE,
        *,
        parameters: Mapping[str, str] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        processes: Mapping[str, int] | None = None,
        log: IO[bytes] | None = None,
        preload: bool = True,
    ) -> None:
        """``parameters`` override the template's defaults; port 0: any free one.

        ``processes`` limits the processes of a function, by logical id (default: 2 behind a public
        route, otherwise 1). ``log`` gets the functions' output; without it, ``log_text`` returns
        it. With ``preload``, functions' processes start with libraries imported.
        """
        self._template = template
        self._parameters = dict(parameters or {})
        self._host = host
        self._port = port
        self.clock = Clock()
        self._processes = dict(processes or {})
        self._log_file = log
        self._preload = preload
        self._exit_stack = contextlib.ExitStack()
        self._pollers: list[Poller] = []

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> Self:
        """Start everything and wait until it answers. Raises StackError, and then nothing runs."""
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        """Stop everything. Calling it twice is safe."""
        self._exit_stack.close()

    def ref(self, logical_id: str) -> str:
        """Return the value of ``Ref``: a table's name, a queue's URL, a secret's ARN."""
        return self._definition.resources.ref(logical_id)

    def log_text(self) -> str:
        """Return the functions' output so far; only for a stack without ``log``."""
        return self.log.read_text()

    def invoke(self, function: str, payload: object) -> InvocationResult:
        """Invoke a function, by logical id, and wait for its result."""
        result = self._loop.run_coroutine(
            self._function_pools.invoke(function, json.dumps(payload).encode())
        )
        wake_pollers(self._pollers)
        return result

    def recycle(self, function: str) -> None:
        """End a function's processes, as Lambda sometimes does; the next invocation starts one."""
        self._loop.run_coroutine(self._function_pools.pools[function].recycle())

    def run_schedule(self, name: str) -> Mapping[str, InvocationResult]:
        """Run a schedule (``Function.Event``) or all of a function; return results by name."""
        return self._loop.run_coroutine(self._scheduler.run_schedule(name))

    def wait_until_counted(self, timeout: float = _DELIVERY_SECONDS) -> bool:
        """Wait until queues and streams have delivered everything written before this call.

        Returns False after ``timeout`` seconds. Failed messages that wait for their queue's
        visibility timeout do not count.
        """
        return wait_until_delivered(self._pollers, timeout)

    def wait_for_interrupt(self) -> None:
        """Wait for SIGINT or SIGTERM, in the main thread."""
        interrupt = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: interrupt.set())
        interrupt.wait()

    def _start(self) -> None:
        server_socket = listen(self._host, self._port)
        self._exit_stack.callback(server_socket.close)
        self.url = f"http://{self._host}:{server_socket.getsockname()[1]}"
        self.log = self._open_log()
        get_fork_server(preload=self._preload).start()
        self.cloud = MotoCloud(self.log.file)
        self._exit_stack.callback(self.cloud.close)
        self._definition = stack_definition.load_definition(
            self._template, self._parameters, self.cloud, address=self.url
        )
        self._loop = EventLoopThread()
        self._exit_stack.callback(self._loop.close)
        # Registered before the pools, so that it runs after them: their end frees waiting pollers.
        self._exit_stack.callback(self._join_pollers)
        self._function_pools = FunctionPools(
            self._definition, self._processes, self.cloud, self.log, preload=self._preload
        )
        self._function_pools.start(self._loop, self._exit_stack)
        self._start_event_sources()
        self._start_router(server_socket)

    def _open_log(self) -> StackLog:
        file = self._log_file
        if file is None:
            file = tempfile.TemporaryFile("a+b")  # noqa: SIM115  closed with the stack
            self._exit_stack.callback(file.close)
        return StackLog(file)

    def _start_event_sources(self) -> None:
        self._pollers += build_pollers(
            self._definition.functions, self.cloud, self.invoke, self.log
        )
        for poller in self._pollers:
            self._exit_stack.callback(poller.stop)
            poller.start()

    def _join_pollers(self) -> None:
        for poller in self._pollers:
            poller.join()

    def _start_router(self, server_socket: socket.socket) -> None:
        definition, pools = self._definition, self._function_pools.pools
        self._scheduler = Scheduler(definition.schedules, self._function_pools.invoke)
        router = RequestRouter(
            definition.routes,
            definition.distributions,
            pools,
            InvokeApi(pools, self.log),
            AdminApi(self._describe, self._scheduler.run_schedule, self._wait_until_delivered),
            self.log,
            self.clock,
        )
        server = AsgiServer(wake_after_requests(router, self._pollers), [server_socket])
        self._loop.run_coroutine(server.start())
        self._exit_stack.callback(lambda: self._loop.run_coroutine(server.stop()))
        self._loop.run_coroutine(self._scheduler.start())

    async def _wait_until_delivered(self) -> bool:
        return await asyncio.to_thread(self.wait_until_counted)

    def _describe(self) -> dict[str, object]:
        definition = self._definition
        return {
            "url": self.url,
            "aws": self.cloud.url,
            "region": REGION,
            "resources": definition.resources.list_refs(),
            "functions": {each.logical_id: each.name for each in definition.functions},
            "routes": [
                f"{route.api_id}: {route.key} → {route.function_id}" for route in definition.routes
            ],
            "schedules": [schedule.name for schedule in definition.schedules],
        }
