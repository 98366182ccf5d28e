"""The Runtime API of all functions' processes, and the pools of these processes.

One ASGI application serves all processes and knows each by the port of its requests. The API is
described in "Using the Lambda runtime API" of the AWS Lambda developer guide.
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
_DEFAULT_PROCESSES: Final = 1
_PUBLIC_PROCESSES: Final = 2  # behind a public route, where recipients wait


class RuntimeApi:
    """The Runtime API of the processes in the given pools."""

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
            result = InvocationResult(body, None if match[2] == "response" else "Unhandled")
            if worker.complete(match[1], result):
                await send_response(send, 202, _ACCEPTED)
            else:
                await send_response(send, 400, b'{"errorType":"InvalidRequestID"}')
        else:
            await send_response(send, 404, b"{}")


async def _send_invocation(worker: Worker, arn: str, send: Send) -> None:
    try:
        invocation = await worker.next_invocation()
    except asyncio.CancelledError:  # the process has ended
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


class FunctionPools:
    """The pools of all functions, by logical id; ``start`` starts them."""

    def __init__(
        self,
        definition: StackDefinition,
        processes: Mapping[str, int],
        cloud: MotoCloud,
        log: StackLog,
        *,
        preload: bool,
    ) -> None:
        """Create the pools; ``processes`` limits the processes of a function, by logical id.

        With ``preload``, processes start with libraries imported.
        """
        self._preload = preload
        self.pools: dict[str, WorkerPool] = {}
        self._public = [each for each in definition.functions if definition.is_public(each)]
        self._sockets: list[socket.socket] = []
        for function in definition.functions:
            default = _PUBLIC_PROCESSES if function in self._public else _DEFAULT_PROCESSES
            self._add_pool(function, processes.get(function.logical_id, default), cloud, log)

    def start(self, event_loop: EventLoopThread, exit_stack: contextlib.ExitStack) -> None:
        """Start the Runtime API and the public functions; ``exit_stack`` ends them."""
        runtime = AsgiServer(RuntimeApi(self.pools.values()), self._sockets)
        exit_stack.callback(lambda: event_loop.run_coroutine(runtime.stop()))
        event_loop.run_coroutine(runtime.start())
        exit_stack.callback(lambda: event_loop.run_coroutine(self._close()))
        event_loop.run_coroutine(self._start_public_functions())

    async def invoke(self, function: str, payload: bytes) -> InvocationResult:
        """Invoke a function, by logical id."""
        return await self.pools[function].invoke(payload)

    def _add_pool(
        self, function: LambdaFunction, count: int, cloud: MotoCloud, log: StackLog
    ) -> None:
        sockets = [listen("127.0.0.1", 0) for _ in range(count)]
        environment = {"AWS_ENDPOINT_URL": cloud.url, **cloud.get_credentials(function.role)}
        self.pools[function.logical_id] = WorkerPool(
            function, sockets, environment, log, preload=self._preload
        )
        self._sockets += sockets

    async def _start_public_functions(self) -> None:
        """Start a process of each public function; the others start on their first invocation."""
        await asyncio.gather(*(self.pools[each.logical_id].start_worker() for each in self._public))

    async def _close(self) -> None:
        await asyncio.gather(*(pool.close() for pool in self.pools.values()))
