"""The Runtime API: what a function's process asks for work and tells its answers.

An ASGI application that serves all processes; the port that a request came in on tells which one is
speaking. The API is described in "Using the Lambda runtime API" of the AWS Lambda developer guide.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from typing import Final

from local.asgi import Receive, Scope, Send, read_body, send_response
from local.invocations import Invocation, InvocationResult
from local.lambdas import WorkerPool
from local.worker_pool import Worker

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
