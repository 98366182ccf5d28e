"""The functions of a stack while it runs: a pool of processes each, behind one Runtime API."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Mapping
from typing import Final

from local.asgi import Server, listen
from local.blueprint import Blueprint
from local.cloud import Cloud
from local.functions import Function
from local.invocations import Outcome
from local.lambdas import Pool
from local.loop import Loop
from local.processes import Log
from local.runtime import RuntimeApi

_PROCESSES: Final = 1
_PUBLIC_PROCESSES: Final = 2  # where recipients wait


class Fleet:
    """Pools by the function's logical id. Nothing runs before ``start``."""

    def __init__(
        self,
        blueprint: Blueprint,
        processes: Mapping[str, int],
        cloud: Cloud,
        log: Log,
        *,
        preload: bool,
    ) -> None:
        """``processes`` limits those of a function, by logical id; with ``preload``, they start
        with libraries imported.
        """
        self._preload = preload
        self.pools: dict[str, Pool] = {}
        self._public = [each for each in blueprint.functions if blueprint.is_public(each)]
        self._sockets: list[socket.socket] = []
        for function in blueprint.functions:
            default = _PUBLIC_PROCESSES if function in self._public else _PROCESSES
            self._add(function, processes.get(function.logical_id, default), cloud, log)

    def start(self, loop: Loop, closing: contextlib.ExitStack) -> None:
        """Starts the Runtime API and what recipients wait for; ``closing`` ends all of it."""
        runtime = Server(RuntimeApi(self.pools.values()), self._sockets)
        closing.callback(lambda: loop.call(runtime.stop()))
        loop.call(runtime.start())
        closing.callback(lambda: loop.call(self._close()))
        loop.call(self._warm())

    async def invoke(self, function: str, payload: bytes) -> Outcome:
        """Invokes a function, by logical id."""
        return await self.pools[function].invoke(payload)

    def _add(self, function: Function, count: int, cloud: Cloud, log: Log) -> None:
        own = [listen("127.0.0.1", 0) for _ in range(count)]
        environment = {"AWS_ENDPOINT_URL": cloud.url, **cloud.credentials(function.role)}
        self.pools[function.logical_id] = Pool(
            function, own, environment, log, preload=self._preload
        )
        self._sockets += own

    async def _warm(self) -> None:
        """Starts what recipients wait for; the rest starts when it is first invoked."""
        await asyncio.gather(*(self.pools[each.logical_id].warm() for each in self._public))

    async def _close(self) -> None:
        await asyncio.gather(*(pool.close() for pool in self.pools.values()))
