"""The functions of a stack while it runs: a pool of processes each, behind one Runtime API.

The Runtime API: what a function's process asks for work and tells its answers.

An ASGI application that serves all processes; the port that a request came in on tells which one is
speaking. The API is described in "Using the Lambda runtime API" of the AWS Lambda developer guide.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import Iterable, Mapping
from typing import Final

from local.asgi import (
    AsgiServer,
    EventLoopThread,
    Receive,
    Scope,
    Send,
    listen,
    read_body,
    send_response,
)
from local.cloud import MotoCloud
from local.functions import LambdaFunction
from local.invocations import Invocation, InvocationResult
from local.processes import StackLog
from local.stack_definition import StackDefinition
from local.worker_pool import Worker, WorkerPool

_PREFIX: Final = "/2018-06-01/runtime"
_RESULT = re.compile(rf"{_PREFIX}/invocation/([^/]+)/(response|error)")
_ACCEPTED: Final = b'{"status":"OK"}'


class RuntimeApi:
    """Serves the processes of the given pools."""

    def __init__(self, pools: Iterable[WorkerPool]) -> None:
        self._workers = {worker.port: (worker, pool) for pool in pools for worker in pool.workers}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        (worker, pool), path = self._workers[scope["server"][1]], scope["path"]
        if path == f"{_PREFIX}/invocation/next":
            await _send_invocation(worker, pool.arn, send)
            return
        body = await read_body(receive)
        if path == f"{_PREFIX}/init/error":
            worker.set_init_error(InvocationResult(body, "Unhandled"))
            await send_response(send, 202, _ACCEPTED)
        elif match := _RESULT.fullmatch(path):
            outcome = InvocationResult(body, None if match[2] == "response" else "Unhandled")
            known = worker.complete(match[1], outcome)
            await send_response(
                send,
                202 if known else 400,
                _ACCEPTED if known else b'{"errorType":"InvalidRequestID"}',
            )
        else:
            await send_response(send, 404, b"{}")


async def _send_invocation(worker: Worker, arn: str, send: Send) -> None:
    try:
        invocation = await worker.next_invocation()
    except asyncio.CancelledError:  # the process ended; nobody listens any more
        await send_response(send, 410, b"{}")
        return
    await send_response(send, 200, invocation.payload, _build_headers(arn, invocation))


def _build_headers(arn: str, invocation: Invocation) -> list[tuple[str, str]]:
    headers = [
        ("content-type", "application/json"),
        ("Lambda-Runtime-Aws-Request-Id", invocation.id),
        ("Lambda-Runtime-Deadline-Ms", str(int(invocation.deadline * 1000))),
        ("Lambda-Runtime-Invoked-Function-Arn", arn),
        (
            "Lambda-Runtime-Trace-Id",
            f"Root=1-{int(invocation.deadline):08x}-{invocation.id.replace('-', '')[:24]}",
        ),
    ]
    if invocation.client_context is not None:
        headers.append(("Lambda-Runtime-Client-Context", invocation.client_context))
    return headers


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
