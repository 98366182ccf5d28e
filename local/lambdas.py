"""Invocations, and the processes that run them: one invocation at a time each, as on Lambda.

A pool belongs to one function. An invocation goes to a process that waits for one; if none does, another process is
started, up to the pool's limit, and the invocation waits. A process that ends (crash, timeout) takes its invocation
with it and is replaced when the next one needs it. Everything here runs on the stack's event loop.
"""

from __future__ import annotations

import asyncio
import json
import socket
import time
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from local.functions import Function
from local.intrinsics import ACCOUNT, REGION
from local.processes import Log, copy_output, spawn

INIT_SECONDS: Final = 60.0
PAYLOAD_BYTES: Final = 6 * 1024 * 1024  # Lambda's limit for synchronous events and answers


@dataclass(frozen=True, slots=True)
class Outcome:
    """``error`` is Lambda's X-Amz-Function-Error, None when the function answered."""

    payload: bytes
    error: str | None = None

    @classmethod
    def failure(cls, kind: str, message: str) -> Outcome:
        return cls(json.dumps({"errorType": kind, "errorMessage": message}).encode(), "Unhandled")


@dataclass(eq=False, slots=True)
class Invocation:
    """``deadline`` in seconds since the epoch; known once a process has taken the invocation."""

    id: str
    payload: bytes
    client_context: str | None
    outcome: asyncio.Future[Outcome]
    deadline: float = 0.0

    def settle(self, outcome: Outcome) -> bool:
        """Answers whoever waits; False when they were answered before."""
        if self.outcome.done():
            return False
        self.outcome.set_result(outcome)
        return True


class Pool:
    """The processes of one function, at most one for each of ``sockets``, on which their Runtime APIs listen."""

    def __init__(
        self,
        function: Function,
        sockets: list[socket.socket],
        environment: Mapping[str, str],
        log: Log,
    ) -> None:
        self.function = function
        self.arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function.name}"
        self.log = log
        self.workers = [Worker(self, sock.getsockname()[1], environment) for sock in sockets]
        self._pending: deque[Invocation] = deque()
        self._closed = False

    async def invoke(self, payload: bytes, client_context: str | None = None) -> Outcome:
        """Runs the function once. Never raises for what the function does."""
        future = asyncio.get_running_loop().create_future()
        invocation = Invocation(str(uuid.uuid4()), payload, client_context, future)
        self._pending.append(invocation)
        self.dispatch()
        return await future

    def dispatch(self) -> None:
        """Gives waiting invocations to waiting processes, and starts processes while that is not enough."""
        for worker in self.workers:
            if self._pending and worker.waits:
                worker.take(self._pending.popleft())
        starting = sum(worker.starts for worker in self.workers)
        for worker in self.workers:
            if starting < len(self._pending) and not worker.lives and not self._closed:
                worker.start()
                starting += 1

    def init_failed(self, outcome: Outcome) -> None:
        """A process ended before it asked for its first invocation: the oldest one that waits gets the reason."""
        if self._pending:
            self._pending.popleft().settle(outcome)

    async def warm(self) -> None:
        """Starts one process and returns when it waits for an invocation or has failed to come up."""
        self.workers[0].start()
        await self.workers[0].up.wait()

    async def close(self) -> None:
        self._closed = True
        for worker in self.workers:
            worker.kill()
        await asyncio.gather(*(worker.ended for worker in self.workers if worker.ended))
        for invocation in self._pending:
            invocation.settle(Outcome.failure("Sandbox.Closed", "the embedded stack was stopped"))


@dataclass(eq=False)
class Worker:
    """One process and its side of the Runtime API, which listens on ``port``."""

    pool: Pool
    port: int
    environment: Mapping[str, str]
    up: asyncio.Event = field(default_factory=asyncio.Event)
    current: Invocation | None = None
    ended: asyncio.Task[None] | None = None
    _process: asyncio.subprocess.Process | None = None
    _next: asyncio.Future[Invocation] | None = None
    _timer: asyncio.TimerHandle | None = None
    _init_error: Outcome | None = None

    @property
    def lives(self) -> bool:
        return self.ended is not None and not self.ended.done()

    @property
    def starts(self) -> bool:
        return self.lives and not self.up.is_set()

    @property
    def waits(self) -> bool:
        return self._next is not None and not self._next.done()

    def start(self) -> None:
        self.up.clear()
        self._init_error = None
        self.ended = asyncio.create_task(self._run())

    def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    def take(self, invocation: Invocation) -> None:
        assert self._next is not None
        self.current = invocation
        invocation.deadline = time.time() + self.pool.function.timeout
        self._alarm(self.pool.function.timeout, self._expire)
        self._next.set_result(invocation)

    async def next(self) -> Invocation:
        """The process asks for work: waits for it. Raises CancelledError when the process ends meanwhile."""
        self._silence()
        self.current = None
        self._next = asyncio.get_running_loop().create_future()
        self.up.set()
        self.pool.dispatch()
        return await self._next

    def settle(self, invocation_id: str, outcome: Outcome) -> bool:
        """The process answers; False when that invocation is not (or no longer) its own."""
        if self.current is None or self.current.id != invocation_id:
            return False
        if len(outcome.payload) > PAYLOAD_BYTES:
            outcome = Outcome.failure(
                "Function.ResponseSizeTooLarge",
                f"Response payload size exceeded maximum allowed payload size ({PAYLOAD_BYTES} bytes).",
            )
        self._silence()
        return self.current.settle(outcome)

    def fail_init(self, outcome: Outcome) -> None:
        """The process tells why it cannot start; it ends by itself."""
        self._init_error = outcome

    async def _run(self) -> None:
        self._alarm(INIT_SECONDS, self.kill)
        function = self.pool.function
        self._process = await spawn(function, self.port, self.environment)
        assert self._process.stdout is not None
        await copy_output(self._process.stdout, function.logical_id, self.pool.log)
        status = await self._process.wait()
        self._silence()
        if self._next is not None:
            self._next.cancel()
            self._next = None
        failure = Outcome.failure("Runtime.ExitError", f"Runtime exited with status {status}")
        if not self.up.is_set():
            self.pool.init_failed(self._init_error or failure)
        if self.current is not None:
            self.current.settle(failure)
            self.current = None
        self.up.set()
        asyncio.get_running_loop().call_soon(self.pool.dispatch)

    def _expire(self) -> None:
        assert self.current is not None
        seconds = self.pool.function.timeout
        message = f"RequestId: {self.current.id} Error: Task timed out after {seconds:.2f} seconds"
        self.pool.log.line(self.pool.function.logical_id, message)
        self.current.settle(Outcome.failure("Sandbox.Timedout", message))
        self.kill()

    def _alarm(self, seconds: float, action: object) -> None:
        assert callable(action)
        self._silence()
        self._timer = asyncio.get_running_loop().call_later(seconds, action)

    def _silence(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
