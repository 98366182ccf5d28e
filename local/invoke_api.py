"""Lambda's Invoke API, for ``aws lambda invoke --endpoint-url`` and boto3's Lambda client."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

from local.asgi import BodyTooLarge, Receive, Scope, Send, read_body, send_response
from local.invocations import PAYLOAD_BYTES, InvocationResult
from local.processes import StackLog
from local.worker_pool import WorkerPool

INVOKE_PREFIX: Final = "/2015-03-31/functions/"
_PATH = re.compile(rf"{INVOKE_PREFIX}([^/]+)/invocations")
_RETRY_SECONDS: Final = 0.5  # Lambda waits a minute, then two


class InvokeApi:
    """An ASGI application; it accepts a logical id, name or ARN, and ignores version and alias."""

    def __init__(self, pools: Mapping[str, WorkerPool], log: StackLog) -> None:
        self._pools = {**pools, **{pool.function.name: pool for pool in pools.values()}}
        self._log = log
        self._async_tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        match = _PATH.fullmatch(scope["raw_path"].decode("latin-1"))
        pool = self._find_pool(unquote(match[1])) if match else None
        if scope["method"] != "POST" or pool is None:
            message = f"Function not found: {scope['path']}"
            await _send_error(send, 404, "ResourceNotFoundException", message)
            return
        try:
            body = await read_body(receive, PAYLOAD_BYTES) or b"{}"
            json.loads(body)
        except BodyTooLarge:
            message = f"Request must be smaller than {PAYLOAD_BYTES} bytes"
            await _send_error(send, 413, "RequestTooLargeException", message)
        except ValueError as error:
            message = f"Could not parse request body into json: {error}"
            await _send_error(send, 400, "InvalidRequestContentException", message)
        else:
            await self._invoke(pool, body, headers, send)

    async def _invoke(
        self, pool: WorkerPool, body: bytes, headers: Mapping[str, str], send: Send
    ) -> None:
        request = ("x-amzn-requestid", str(uuid.uuid4()))
        match headers.get("x-amz-invocation-type", "RequestResponse"):
            case "DryRun":
                await send_response(send, 204, b"", [request])
            case "Event":
                self.invoke_async(pool, body)
                await send_response(send, 202, b"", [request])
            case _:
                result = await pool.invoke(body, headers.get("x-amz-client-context"))
                error = [("x-amz-function-error", result.error)] if result.error else []
                version = ("x-amz-executed-version", "$LATEST")
                await send_response(send, 200, result.payload, [request, version, *error])

    def invoke_async(self, pool: WorkerPool, body: bytes) -> None:
        """Invoke asynchronously: discard the response, retry failures."""
        task = asyncio.create_task(self._invoke_with_retries(pool, body))
        self._async_tasks.add(task)
        task.add_done_callback(self._async_tasks.discard)

    async def _invoke_with_retries(self, pool: WorkerPool, body: bytes) -> None:
        result = InvocationResult(b"")
        for _ in range(1 + pool.function.asynchronous_retries):
            result = await pool.invoke(body)
            if result.error is None:
                return
            await asyncio.sleep(_RETRY_SECONDS)
        self._log.write_line(
            pool.function.logical_id, f"asynchronous invocation failed: {result.payload!r}"
        )

    def _find_pool(self, name: str) -> WorkerPool | None:
        if name.startswith("arn:"):
            name = name.split(":", 6)[6]
        return self._pools.get(name.partition(":")[0])


async def _send_error(send: Send, status: int, error_type: str, message: str) -> None:
    body = json.dumps({"Type": "User", "Message": message}).encode()
    await send_response(
        send, status, body, [("content-type", "application/json"), ("x-amzn-errortype", error_type)]
    )
