"""The functions of a stack while it runs: a pool of processes each, behind one Runtime API."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Mapping
from typing import Final

from local.asgi import AsgiServer, listen
from local.cloud import MotoCloud
from local.functions import LambdaFunction
from local.invocations import InvocationResult
from local.lambdas import WorkerPool
from local.loop import EventLoopThread
from local.processes import StackLog
from local.runtime import RuntimeApi
from local.stack_definition import StackDefinition

_DEFAULT_PROCESSES: Final = 1
_PUBLIC_PROCESSES: Final = 2  # where recipients wait


class FunctionPools:
    """Pools by the function's logical id. Nothing runs before ``start``."""

    def __init__(
        self,
        blueprint: StackDefinition,
        processes: Mapping[str, int],
        cloud: MotoCloud,
        log: StackLog,
        *,
        preload: bool,
    ) -> None:
        """``processes`` limits those of a function, by logical id; with ``preload``, they start
        with libraries imported.
        """
        self._preload = preload
        self.pools: dict[str, WorkerPool] = {}
        self._public = [each for each in blueprint.functions if blueprint.is_public(each)]
        self._sockets: list[socket.socket] = []
        for function in blueprint.functions:
            default = _PUBLIC_PROCESSES if function in self._public else _DEFAULT_PROCESSES
            self._add_pool(function, processes.get(function.logical_id, default), cloud, log)

    def start(self, event_loop: EventLoopThread, exit_stack: contextlib.ExitStack) -> None:
        """Starts the Runtime API and what recipients wait for; ``closing`` ends all of it."""
        runtime = AsgiServer(RuntimeApi(self.pools.values()), self._sockets)
        exit_stack.callback(lambda: event_loop.run_coroutine(runtime.stop()))
        event_loop.run_coroutine(runtime.start())
        exit_stack.callback(lambda: event_loop.run_coroutine(self._close()))
        event_loop.run_coroutine(self._start_public_functions())

    async def invoke(self, function: str, payload: bytes) -> InvocationResult:
        """Invokes a function, by logical id."""
        return await self.pools[function].invoke(payload)

    def _add_pool(
        self, function: LambdaFunction, count: int, cloud: MotoCloud, log: StackLog
    ) -> None:
        own = [listen("127.0.0.1", 0) for _ in range(count)]
        environment = {"AWS_ENDPOINT_URL": cloud.url, **cloud.get_credentials(function.role)}
        self.pools[function.logical_id] = WorkerPool(
            function, own, environment, log, preload=self._preload
        )
        self._sockets += own

    async def _start_public_functions(self) -> None:
        """Starts what recipients wait for; the rest starts when it is first invoked."""
        await asyncio.gather(*(self.pools[each.logical_id].start_worker() for each in self._public))

    async def _close(self) -> None:
        await asyncio.gather(*(pool.close() for pool in self.pools.values()))
