"""All of it together: an embedded stack that is started, used and stopped from Python.

    with EmbeddedStack() as stack:
        stack.invoke("RewriteFunction", {...})
        urllib.request.urlopen(stack.url + "/e/c/...")
        stack.wait_until_counted()

The front and the functions' Runtime APIs run on one event loop in a thread of their own; event
sources poll in threads; moto and the functions are processes. All of them end with the stack and,
if this process dies, with it.
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
    """A stack made from a template. A context manager; ``start`` and ``close`` do the same.

    ``url`` is where it is served, ``cloud`` the services behind it; both exist once it is started.
    ``clock`` tells when requests arrive, and can be put forward.
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
        """``parameters`` override the template's defaults; port 0 takes any free one.

        ``processes`` limits those of a function, by logical id (by default 2 behind a public route,
        else 1). ``log`` gets what functions print; without it, ``log_text`` has it. Processes
        of functions start with libraries imported, but where ``preload`` is False. Nothing runs
        before ``start``.
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
        """Returns once everything answers. Raises StackError, with nothing left running."""
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        """Ends everything that was started. Safe to call twice."""
        self._exit_stack.close()

    def ref(self, logical_id: str) -> str:
        """What ``Ref`` gives: a table's name, a queue's URL, a secret's ARN."""
        return self._definition.resources.ref(logical_id)

    def log_text(self) -> str:
        """What functions have printed so far, if no log was given."""
        return self.log.read_text()

    def invoke(self, function: str, payload: object) -> InvocationResult:
        """Invokes a function, by logical id, and waits for its answer."""
        outcome = self._loop.run_coroutine(
            self._function_pools.invoke(function, json.dumps(payload).encode())
        )
        wake_pollers(self._pollers)
        return outcome

    def recycle(self, function: str) -> None:
        """Ends a function's processes, as Lambda does now and then; others start when needed."""
        self._loop.run_coroutine(self._function_pools.pools[function].recycle())

    def run_schedule(self, name: str) -> Mapping[str, InvocationResult]:
        """Runs a schedule now (``Function.Event``), or all of a function's; outcomes by name."""
        return self._loop.run_coroutine(self._scheduler.run_schedule(name))

    def wait_until_counted(self, timeout: float = _DELIVERY_SECONDS) -> bool:
        """Waits until queues and streams have delivered what was written before this call.

        False when that took too long. What a function failed, and what waits for its queue's
        visibility timeout therefore, is not waited for.
        """
        return wait_until_delivered(self._pollers, timeout)

    def wait_for_interrupt(self) -> None:
        """Returns on SIGINT or SIGTERM. To be called from the main thread."""
        interrupted = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: interrupted.set())
        interrupted.wait()

    def _start(self) -> None:
        door = listen(self._host, self._port)
        self._exit_stack.callback(door.close)
        self.url = f"http://{self._host}:{door.getsockname()[1]}"
        self.log = self._open_log()
        get_fork_server(preload=self._preload).start()
        self.cloud = MotoCloud(self.log.file)
        self._exit_stack.callback(self.cloud.close)
        self._definition = stack_definition.load_definition(
            self._template, self._parameters, self.cloud, address=self.url
        )
        self._loop = EventLoopThread()
        self._exit_stack.callback(self._loop.close)
        # A poller that waits for a function is freed by its end, and so is joined after it.
        self._exit_stack.callback(self._join_pollers)
        self._function_pools = FunctionPools(
            self._definition, self._processes, self.cloud, self.log, preload=self._preload
        )
        self._function_pools.start(self._loop, self._exit_stack)
        self._start_event_sources()
        self._start_router(door)

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
        plan = self._definition
        pools = self._function_pools.pools
        self._scheduler = Scheduler(plan.schedules, self._function_pools.invoke)
        doors = AdminApi(self._describe, self._scheduler.run_schedule, self._wait_until_delivered)
        invoke_api = InvokeApi(pools, self.log)
        front = RequestRouter(
            plan.routes, plan.distributions, pools, invoke_api, doors, self.log, self.clock
        )
        server = AsgiServer(wake_after_requests(front, self._pollers), [server_socket])
        self._loop.run_coroutine(server.start())
        self._exit_stack.callback(lambda: self._loop.run_coroutine(server.stop()))
        self._loop.run_coroutine(self._scheduler.start())

    async def _wait_until_delivered(self) -> bool:
        return await asyncio.to_thread(self.wait_until_counted)

    def _describe(self) -> dict[str, object]:
        plan = self._definition
        return {
            "url": self.url,
            "aws": self.cloud.url,
            "region": REGION,
            "resources": plan.resources.list_refs(),
            "functions": {each.logical_id: each.name for each in plan.functions},
            "routes": [
                f"{route.api_id}: {route.key} → {route.function_id}" for route in plan.routes
            ],
            "schedules": [schedule.name for schedule in plan.schedules],
        }
