"""Addresses that only the embedded stack has, for people and tests.

- ``GET  /_local``                   list functions, routes, resources and moto's address
- ``POST /_local/schedules/{name}``  run a schedule now; a function's id runs all its schedules
- ``POST /_local/settle``            wait until everything written so far has been delivered
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from local.asgi import Receive, Scope, Send, send_response
from local.invocations import InvocationResult

_SCHEDULES_PREFIX: Final = "/_local/schedules/"


class AdminApi:
    """An ASGI application over the stack's methods."""

    def __init__(
        self,
        describe: Callable[[], Mapping[str, object]],
        run_schedule: Callable[[str], Awaitable[Mapping[str, InvocationResult]]],
        wait_until_delivered: Callable[[], Awaitable[bool]],
    ) -> None:
        self._describe = describe
        self._run_schedule = run_schedule
        self._wait_until_delivered = wait_until_delivered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        path = scope["path"]
        match scope["method"], path:
            case "GET", "/_local":
                await _send_json(send, 200, self._describe())
            case "POST", "/_local/settle":
                is_delivered = await self._wait_until_delivered()
                await _send_json(send, 200 if is_delivered else 504, {"settled": is_delivered})
            case "POST", _ if path.startswith(_SCHEDULES_PREFIX):
                results = await self._run_schedule(path.removeprefix(_SCHEDULES_PREFIX))
                errors = {
                    name: each.payload.decode() for name, each in results.items() if each.error
                }
                status = 404 if not results else 500 if errors else 200
                await _send_json(send, status, {"ran": sorted(results), "errors": errors})
            case _:
                await _send_json(send, 404, {"message": "Not Found"})


async def _send_json(send: Send, status: int, body: Mapping[str, object]) -> None:
    await send_response(send, status, json.dumps(body).encode())
