"""Lambda's Invoke API, so that ``aws lambda invoke --endpoint-url`` and boto3's Lambda client work
on the stack.
"""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

from local.asgi import BodyTooLarge, Receive, Scope, Send, answer, read_body
from local.invocations import PAYLOAD_BYTES, Outcome
from local.lambdas import Pool
from local.processes import Log

PREFIX: Final = "/2015-03-31/functions/"
_PATH = re.compile(rf"{PREFIX}([^/]+)/invocations")
_RETRY_SECONDS: Final = 0.5  # Lambda waits a minute, then two


class InvokeApi:
    """An ASGI application. Functions are found by logical id, name or ARN, with or without a
    version or alias.
    """

    def __init__(self, pools: Mapping[str, Pool], log: Log) -> None:
        self._pools = {**pools, **{pool.function.name: pool for pool in pools.values()}}
        self._log = log
        self._later: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        match = _PATH.fullmatch(scope["raw_path"].decode("latin-1"))
        pool = self._pool(unquote(match[1])) if match else None
        if scope["method"] != "POST" or pool is None:
            told = f"Function not found: {scope['path']}"
            await _refuse(send, 404, "ResourceNotFoundException", told)
            return
        try:
            body = await read_body(receive, PAYLOAD_BYTES) or b"{}"
            json.loads(body)
        except BodyTooLarge:
            told = f"Request must be smaller than {PAYLOAD_BYTES} bytes"
            await _refuse(send, 413, "RequestTooLargeException", told)
        except ValueError as error:
            told = f"Could not parse request body into json: {error}"
            await _refuse(send, 400, "InvalidRequestContentException", told)
        else:
            await self._invoke(pool, body, headers, send)

    async def _invoke(
        self, pool: Pool, body: bytes, headers: Mapping[str, str], send: Send
    ) -> None:
        request = ("x-amzn-requestid", str(uuid.uuid4()))
        match headers.get("x-amz-invocation-type", "RequestResponse"):
            case "DryRun":
                await answer(send, 204, b"", [request])
            case "Event":
                self.later(pool, body)
                await answer(send, 202, b"", [request])
            case _:
                outcome = await pool.invoke(body, headers.get("x-amz-client-context"))
                error = [("x-amz-function-error", outcome.error)] if outcome.error else []
                version = ("x-amz-executed-version", "$LATEST")
                await answer(send, 200, outcome.payload, [request, version, *error])

    def later(self, pool: Pool, body: bytes) -> None:
        """Invokes asynchronously: the answer goes nowhere, failures are retried."""
        task = asyncio.create_task(self._until_done(pool, body))
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def _until_done(self, pool: Pool, body: bytes) -> None:
        outcome = Outcome(b"")
        for _ in range(1 + pool.function.asynchronous_retries):
            outcome = await pool.invoke(body)
            if outcome.error is None:
                return
            await asyncio.sleep(_RETRY_SECONDS)
        self._log.line(
            pool.function.logical_id, f"asynchronous invocation given up: {outcome.payload!r}"
        )

    def _pool(self, name: str) -> Pool | None:
        if name.startswith("arn:"):
            name = name.split(":", 6)[6]
        return self._pools.get(name.partition(":")[0])


async def _refuse(send: Send, status: int, kind: str, message: str) -> None:
    body = json.dumps({"Type": "User", "Message": message}).encode()
    await answer(
        send, status, body, [("content-type", "application/json"), ("x-amzn-errortype", kind)]
    )
