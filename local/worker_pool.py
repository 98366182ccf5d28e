"""A function's processes, each with one invocation at a time, as on Lambda.

An invocation goes to an idle process. Without one, the pool starts another process, up to its
limit, and the invocation waits. A process starts until it requests its first invocation. It is
killed if its start or an invocation takes too long. When a process ends, its invocation fails, and
the next invocation starts a new process. Everything runs on the stack's event loop.
"""

from __future__ import annotations

import asyncio
import socket
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from local.account import format_function_arn
from local.errors import ProcessStartError
from local.forks import ForkedProcess
from local.functions import LambdaFunction
from local.invocations import PAYLOAD_BYTES, Invocation, InvocationResult
from local.processes import StackLog, copy_output, start_function

INIT_SECONDS: Final = 60.0  # Lambda: 10, on machines without other load


class Owner(Protocol):
    """The part of a pool that its workers use."""

    function: LambdaFunction
    log: StackLog
    preload: bool

    def dispatch(self) -> None: ...
    def fail_oldest(self, result: InvocationResult) -> None: ...


class Worker:
    """A process, which may be started many times; its Runtime API is on ``port``."""

    def __init__(self, pool: Owner, port: int, environment: Mapping[str, str]) -> None:
        self.port = port
        self.ready = asyncio.Event()
        self._pool = pool
        self._environment = environment
        self._invocation: Invocation | None = None
        self._task: asyncio.Task[None] | None = None
        self._process: ForkedProcess | None = None
        self._next_request: asyncio.Future[Invocation] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._init_error: InvocationResult | None = None
        self._has_responded = False
        self._is_stopping = False

    @property
    def is_alive(self) -> bool:
        return self._task is not None and not self._task.done()

    @property
    def is_almost_idle(self) -> bool:
        """True if the process starts, or has responded and is about to request an invocation."""
        return (
            self.is_alive and not self.is_idle and (self._has_responded or not self.ready.is_set())
        )

    @property
    def is_idle(self) -> bool:
        return self._next_request is not None and not self._next_request.done()

    def start(self) -> None:
        """Start the process; ``ready`` is set when it is idle or has ended."""
        self.ready.clear()
        self._has_responded = False
        self._init_error = None
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End the process for good, and wait for its end."""
        self._is_stopping = True
        await self.recycle()

    async def recycle(self) -> None:
        """End the process, and wait for its end; it may be started again."""
        self._kill()
        if self._task is not None:
            await self._task

    def assign(self, invocation: Invocation) -> None:
        """Give an idle process an invocation, and start its timeout."""
        if self._next_request is None:
            raise RuntimeError("worker: not idle")
        seconds = self._pool.function.timeout_seconds
        invocation.deadline = time.time() + seconds
        self._invocation = invocation
        self._has_responded = False
        self._start_timer(seconds, lambda: self._time_out(invocation))
        self._next_request.set_result(invocation)

    async def next_invocation(self) -> Invocation:
        """Wait for the next invocation. Raises CancelledError if the process ends before."""
        self._cancel_timer()
        self._invocation = None
        self._next_request = asyncio.get_running_loop().create_future()
        self.ready.set()
        self._pool.dispatch()
        return await self._next_request

    def complete(self, invocation_id: str, result: InvocationResult) -> bool:
        """Set the result of the process's invocation; return False for any other invocation."""
        if self._invocation is None or self._invocation.id != invocation_id:
            return False
        if len(result.payload) > PAYLOAD_BYTES:
            result = InvocationResult.from_error(
                "Function.ResponseSizeTooLarge",
                f"Response payload size exceeded maximum allowed payload size ({PAYLOAD_BYTES}).",
            )
        self._cancel_timer()
        self._has_responded = True
        return self._invocation.complete(result)

    def set_init_error(self, result: InvocationResult) -> None:
        """Store the error of a failed start, which the process reports before it ends."""
        self._init_error = result

    async def _run(self) -> None:
        self._start_timer(INIT_SECONDS, self._kill)
        function, log = self._pool.function, self._pool.log
        try:
            self._process = start_function(
                function, self.port, self._environment, preload=self._pool.preload
            )
        except ProcessStartError as error:
            self._handle_exit(InvocationResult.from_error("Runtime.ExitError", str(error)))
            return
        if self._is_stopping:
            self._kill()
        status = await copy_output(self._process, function.logical_id, log)
        self._handle_exit(
            InvocationResult.from_error("Runtime.ExitError", f"Runtime exited with status {status}")
        )

    def _handle_exit(self, failure: InvocationResult) -> None:
        self._cancel_timer()
        if self._next_request is not None:
            self._next_request.cancel()
            self._next_request = None
        if not self.ready.is_set():
            self._pool.fail_oldest(self._init_error or failure)
        if self._invocation is not None:
            self._invocation.complete(failure)
            self._invocation = None
        self.ready.set()
        asyncio.get_running_loop().call_soon(self._pool.dispatch)

    def _time_out(self, invocation: Invocation) -> None:
        seconds = self._pool.function.timeout_seconds
        message = f"RequestId: {invocation.id} Error: Task timed out after {seconds:.2f} seconds"
        self._pool.log.write_line(self._pool.function.logical_id, message)
        invocation.complete(InvocationResult.from_error("Sandbox.Timedout", message))
        self._kill()

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    def _start_timer(self, seconds: float, on_timeout: Callable[[], None]) -> None:
        self._cancel_timer()
        self._timer = asyncio.get_running_loop().call_later(seconds, on_timeout)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class WorkerPool:
    """One worker for each of ``sockets``, on which the Runtime API listens."""

    def __init__(
        self,
        function: LambdaFunction,
        sockets: Sequence[socket.socket],
        environment: Mapping[str, str],
        log: StackLog,
        *,
        preload: bool,
    ) -> None:
        """``environment`` has the stack's variables: the endpoint of AWS and credentials.

        With ``preload``, processes start with libraries imported.
        """
        self.function = function
        self.arn = format_function_arn(function.name)
        self.log = log
        self.preload = preload
        self.workers = [Worker(self, sock.getsockname()[1], environment) for sock in sockets]
        self._pending: deque[Invocation] = deque()
        self._closed = False

    async def invoke(self, payload: bytes, client_context: str | None = None) -> InvocationResult:
        """Run the function once; errors of the function are in the result."""
        future: asyncio.Future[InvocationResult] = asyncio.get_running_loop().create_future()
        if self._closed:
            return _STOPPED_RESULT
        self._pending.append(Invocation(str(uuid.uuid4()), payload, client_context, future))
        self.dispatch()
        return await future

    def dispatch(self) -> None:
        """Assign invocations to idle processes, and start more if they are not enough."""
        for worker in self.workers:
            if self._pending and worker.is_idle:
                worker.assign(self._pending.popleft())
        available = sum(worker.is_almost_idle for worker in self.workers)
        for worker in self.workers:
            if available < len(self._pending) and not worker.is_alive and not self._closed:
                worker.start()
                available += 1

    def fail_oldest(self, result: InvocationResult) -> None:
        """Fail the oldest waiting invocation, because a process could not start."""
        if self._pending:
            self._pending.popleft().complete(result)

    async def start_worker(self) -> None:
        """Start one process, and wait until it is idle or has failed."""
        self.workers[0].start()
        await self.workers[0].ready.wait()

    async def recycle(self) -> None:
        """End all processes; the next invocation starts one, as after a deploy or a pause."""
        await asyncio.gather(*(worker.recycle() for worker in self.workers))

    async def close(self) -> None:
        """End all processes, and fail all waiting invocations."""
        self._closed = True
        await asyncio.gather(*(worker.stop() for worker in self.workers))
        while self._pending:
            self._pending.popleft().complete(_STOPPED_RESULT)


_STOPPED_RESULT = InvocationResult.from_error("Sandbox.Stopped", "the embedded stack was stopped")
