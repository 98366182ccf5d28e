"""The Runtime API: what a function's process asks for work and tells its answers.

An ASGI application that serves all processes; the port that a request came in on tells which one is
speaking. The API is described in "Using the Lambda runtime API" of the AWS Lambda developer guide.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from typing import Final

from local.asgi import Receive, Scope, Send, answer, read_body
from local.invocations import Invocation, Outcome
from local.lambdas import Pool
from local.workers import Worker

_PREFIX: Final = "/2018-06-01/runtime"
_RESULT = re.compile(rf"{_PREFIX}/invocation/([^/]+)/(response|error)")
_ACCEPTED: Final = b'{"status":"OK"}'


class RuntimeApi:
    """Serves the processes of the given pools."""

    def __init__(self, pools: Iterable[Pool]) -> None:
        self._workers = {worker.port: (worker, pool) for pool in pools for worker in pool.workers}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        (worker, pool), path = self._workers[scope["server"][1]], scope["path"]
        if path == f"{_PREFIX}/invocation/next":
            await _next(worker, pool.arn, send)
            return
        body = await read_body(receive)
        if path == f"{_PREFIX}/init/error":
            worker.fail_init(Outcome(body, "Unhandled"))
            await answer(send, 202, _ACCEPTED)
        elif match := _RESULT.fullmatch(path):
            outcome = Outcome(body, None if match[2] == "response" else "Unhandled")
            known = worker.settle(match[1], outcome)
            await answer(
                send,
                202 if known else 400,
                _ACCEPTED if known else b'{"errorType":"InvalidRequestID"}',
            )
        else:
            await answer(send, 404, b"{}")


async def _next(worker: Worker, arn: str, send: Send) -> None:
    try:
        invocation = await worker.next()
    except asyncio.CancelledError:  # the process ended; nobody listens any more
        await answer(send, 410, b"{}")
        return
    await answer(send, 200, invocation.payload, _headers(arn, invocation))


def _headers(arn: str, invocation: Invocation) -> list[tuple[str, str]]:
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
