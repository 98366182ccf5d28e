"""One process of a function: what it is doing, and its side of the Runtime API.

A process is starting until it asks for its first invocation, then it waits or works. It ends by
itself, or is ended when an invocation, or its start, takes longer than allowed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from local.children import Fork
from local.errors import NotStarted
from local.functions import Function
from local.invocations import PAYLOAD_BYTES, Invocation, Outcome
from local.processes import Log, follow, spawn

INIT_SECONDS: Final = 60.0  # Lambda gives ten, to machines that do nothing else


class Owner(Protocol):
    """What a process needs of the pool that it belongs to."""

    function: Function
    log: Log
    preload: bool

    def dispatch(self) -> None: ...
    def init_failed(self, outcome: Outcome) -> None: ...


class Worker:
    """A place for a process, which may be started many times; its Runtime API is on ``port``."""

    def __init__(self, owner: Owner, port: int, environment: Mapping[str, str]) -> None:
        self.port = port
        self.up = asyncio.Event()
        self._owner = owner
        self._environment = environment
        self._current: Invocation | None = None
        self._running: asyncio.Task[None] | None = None
        self._process: Fork | None = None
        self._next: asyncio.Future[Invocation] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._init_error: Outcome | None = None
        self._answered = False
        self._ending = False

    @property
    def lives(self) -> bool:
        return self._running is not None and not self._running.done()

    @property
    def waits_soon(self) -> bool:
        """Whether the process is starting, or has answered and is about to ask for more."""
        return self.lives and not self.waits and (self._answered or not self.up.is_set())

    @property
    def waits(self) -> bool:
        return self._next is not None and not self._next.done()

    def start(self) -> None:
        """Starts a process; ``up`` is set once it waits for an invocation, or has ended."""
        self.up.clear()
        self._answered = False
        self._init_error = None
        self._running = asyncio.create_task(self._run())

    async def end(self) -> None:
        """Ends the process, whatever it is doing, and returns once it is gone."""
        self._ending = True
        await self.recycle()

    async def recycle(self) -> None:
        """Ends the process, whatever it is doing; it may be started again."""
        self._kill()
        if self._running is not None:
            await self._running

    def take(self, invocation: Invocation) -> None:
        """Gives the process, which must be waiting, an invocation. Its time runs from now on."""
        if self._next is None:
            raise RuntimeError("the process does not wait for an invocation")
        seconds = self._owner.function.timeout
        invocation.deadline = time.time() + seconds
        self._current = invocation
        self._answered = False
        self._allow(seconds, lambda: self._expire(invocation))
        self._next.set_result(invocation)

    async def next(self) -> Invocation:
        """What the process is to do next. Raises CancelledError when it ends before that."""
        self._silence()
        self._current = None
        self._next = asyncio.get_running_loop().create_future()
        self.up.set()
        self._owner.dispatch()
        return await self._next

    def settle(self, invocation_id: str, outcome: Outcome) -> bool:
        """The process answers; False when that invocation is not, or no longer, its own."""
        if self._current is None or self._current.id != invocation_id:
            return False
        if len(outcome.payload) > PAYLOAD_BYTES:
            outcome = Outcome.failure(
                "Function.ResponseSizeTooLarge",
                f"Response payload size exceeded maximum allowed payload size ({PAYLOAD_BYTES}).",
            )
        self._silence()
        self._answered = True
        return self._current.settle(outcome)

    def fail_init(self, outcome: Outcome) -> None:
        """The process tells why it cannot start; it ends by itself."""
        self._init_error = outcome

    async def _run(self) -> None:
        self._allow(INIT_SECONDS, self._kill)
        function, log = self._owner.function, self._owner.log
        try:
            self._process = spawn(
                function, self.port, self._environment, preload=self._owner.preload
            )
        except NotStarted as error:
            self._ended(Outcome.failure("Runtime.ExitError", str(error)))
            return
        if self._ending:
            self._kill()
        status = await follow(self._process, function.logical_id, log)
        self._ended(Outcome.failure("Runtime.ExitError", f"Runtime exited with status {status}"))

    def _ended(self, failure: Outcome) -> None:
        self._silence()
        if self._next is not None:
            self._next.cancel()
            self._next = None
        if not self.up.is_set():
            self._owner.init_failed(self._init_error or failure)
        if self._current is not None:
            self._current.settle(failure)
            self._current = None
        self.up.set()
        asyncio.get_running_loop().call_soon(self._owner.dispatch)

    def _expire(self, invocation: Invocation) -> None:
        seconds = self._owner.function.timeout
        message = f"RequestId: {invocation.id} Error: Task timed out after {seconds:.2f} seconds"
        self._owner.log.line(self._owner.function.logical_id, message)
        invocation.settle(Outcome.failure("Sandbox.Timedout", message))
        self._kill()

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    def _allow(self, seconds: float, otherwise: Callable[[], None]) -> None:
        self._silence()
        self._timer = asyncio.get_running_loop().call_later(seconds, otherwise)

    def _silence(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
