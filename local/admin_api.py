"""Doors that only the embedded stack has, for people and tests.

- ``GET  /_local``                   what runs: functions, routes, resources, moto's address
- ``POST /_local/schedules/{name}``  runs a schedule now; a function's id runs all of its own
- ``POST /_local/settle``            answers once everything written so far has been delivered
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from local.asgi import Receive, Scope, Send, send_response
from local.invocations import InvocationResult

_SCHEDULES_PREFIX: Final = "/_local/schedules/"


class AdminApi:
    """An ASGI application over what the stack can do."""

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
                settled = await self._wait_until_delivered()
                await _send_json(send, 200 if settled else 504, {"settled": settled})
            case "POST", _ if path.startswith(_SCHEDULES_PREFIX):
                outcomes = await self._run_schedule(path.removeprefix(_SCHEDULES_PREFIX))
                errors = {name: out.payload.decode() for name, out in outcomes.items() if out.error}
                status = 404 if not outcomes else 500 if errors else 200
                await _send_json(send, status, {"ran": sorted(outcomes), "errors": errors})
            case _:
                await _send_json(send, 404, {"message": "Not Found"})


async def _send_json(send: Send, status: int, body: Mapping[str, object]) -> None:
    await send_response(send, status, json.dumps(body).encode())
