"""Doors that only the embedded stack has, for people and tests.

- ``GET  /_local``                   what runs: functions, routes, resources, moto's address
- ``POST /_local/schedules/{name}``  runs a schedule now; a function's id runs all of its own
- ``POST /_local/settle``            answers once everything written so far has been delivered
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from local.asgi import Receive, Scope, Send, answer
from local.invocations import Outcome

_SCHEDULES: Final = "/_local/schedules/"


class Doors:
    """An ASGI application over what the stack can do."""

    def __init__(
        self,
        describe: Callable[[], Mapping[str, object]],
        run_schedule: Callable[[str], Awaitable[Mapping[str, Outcome]]],
        settle: Callable[[], Awaitable[bool]],
    ) -> None:
        self._describe = describe
        self._run_schedule = run_schedule
        self._settle = settle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        path = scope["path"]
        match scope["method"], path:
            case "GET", "/_local":
                await _json(send, 200, self._describe())
            case "POST", "/_local/settle":
                settled = await self._settle()
                await _json(send, 200 if settled else 504, {"settled": settled})
            case "POST", _ if path.startswith(_SCHEDULES):
                outcomes = await self._run_schedule(path.removeprefix(_SCHEDULES))
                errors = {name: out.payload.decode() for name, out in outcomes.items() if out.error}
                status = 404 if not outcomes else 500 if errors else 200
                await _json(send, status, {"ran": sorted(outcomes), "errors": errors})
            case _:
                await _json(send, 404, {"message": "Not Found"})


async def _json(send: Send, status: int, body: Mapping[str, object]) -> None:
    await answer(send, status, json.dumps(body).encode())
