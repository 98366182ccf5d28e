"""The processes of a function, and the invocations they share: one at a time each, as on Lambda.

An invocation goes to a process that waits for one; if none does, another process is started, up to
the pool's limit, and the invocation waits. A process that ends (crash, timeout) takes its
invocation with it and is replaced when there is need. All of it runs on the stack's event loop.
"""

from __future__ import annotations

import asyncio
import socket
import uuid
from collections import deque
from collections.abc import Mapping, Sequence

from local.account import format_function_arn
from local.functions import LambdaFunction
from local.invocations import Invocation, InvocationResult
from local.processes import StackLog
from local.worker_pool import Worker


class WorkerPool:
    """At most one process for each of ``sockets``, on which their Runtime APIs listen."""

    def __init__(
        self,
        function: LambdaFunction,
        sockets: Sequence[socket.socket],
        environment: Mapping[str, str],
        log: StackLog,
        *,
        preload: bool,
    ) -> None:
        """``environment`` is what the stack adds to the function's own; with ``preload``, processes
        start with libraries imported.
        """
        self.function = function
        self.arn = format_function_arn(function.name)
        self.log = log
        self.preload = preload
        self.workers = [Worker(self, sock.getsockname()[1], environment) for sock in sockets]
        self._pending: deque[Invocation] = deque()
        self._closed = False

    async def invoke(self, payload: bytes, client_context: str | None = None) -> InvocationResult:
        """Runs the function once. Never raises for what the function does."""
        future: asyncio.Future[InvocationResult] = asyncio.get_running_loop().create_future()
        if self._closed:
            return _STOPPED_RESULT
        self._pending.append(Invocation(str(uuid.uuid4()), payload, client_context, future))
        self.dispatch()
        return await future

    def dispatch(self) -> None:
        """Gives invocations to processes that wait, and starts more while those are not enough."""
        for worker in self.workers:
            if self._pending and worker.is_idle:
                worker.assign(self._pending.popleft())
        coming = sum(worker.is_almost_idle for worker in self.workers)
        for worker in self.workers:
            if coming < len(self._pending) and not worker.is_alive and not self._closed:
                worker.start()
                coming += 1

    def fail_oldest(self, result: InvocationResult) -> None:
        """A process could not start: the invocation that has waited longest gets the reason."""
        if self._pending:
            self._pending.popleft().complete(result)

    async def start_worker(self) -> None:
        """Starts one process; returns when it waits for an invocation or could not start."""
        self.workers[0].start()
        await self.workers[0].ready.wait()

    async def recycle(self) -> None:
        """Ends all processes; the next invocation starts one, as after a deploy or a pause."""
        await asyncio.gather(*(worker.recycle() for worker in self.workers))

    async def close(self) -> None:
        """Ends all processes; whoever still waits for an outcome gets a failure."""
        self._closed = True
        await asyncio.gather(*(worker.stop() for worker in self.workers))
        while self._pending:
            self._pending.popleft().complete(_STOPPED_RESULT)


_STOPPED_RESULT = InvocationResult.from_error("Sandbox.Stopped", "the embedded stack was stopped")
