"""All of it together: an embedded stack that is started, used and stopped from Python.

    with EmbeddedStack() as stack:
        stack.invoke("RewriteFunction", {...})
        urllib.request.urlopen(stack.url + "/e/c/...")
        stack.wait_until_counted()

The front and the functions' Runtime APIs run on one event loop in a thread of their own; event
sources poll in threads; moto and the functions are processes. All of them end with the stack and,
if this process dies, with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from local import blueprint
from local.account import REGION
from local.asgi import Server, listen
from local.clock import Clock
from local.cloud import Cloud
from local.doors import Doors
from local.event_sources import pollers, settle, wake, waking
from local.fleet import Fleet
from local.front import Front
from local.invocations import Outcome
from local.invoke_api import InvokeApi
from local.loop import Loop
from local.processes import Log, fork_server
from local.schedules import Scheduler
from local.sources import Poller

TEMPLATE: Final = Path(__file__).parents[1] / "template.yaml"
_SETTLE_SECONDS: Final = 30.0


class EmbeddedStack:
    """A stack made from a template. A context manager; ``start`` and ``close`` do the same.

    ``url`` is where it is served, ``cloud`` the services behind it; both exist once it is started.
    ``clock`` tells when requests arrive, and can be put forward.
    """

    def __init__(
        self,
        template: Path = TEMPLATE,
        *,
        parameters: Mapping[str, str] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        processes: Mapping[str, int] | None = None,
        log: IO[bytes] | None = None,
        preload: bool = True,
    ) -> None:
        """``parameters`` override the template's defaults; port 0 takes any free one.

        ``processes`` limits those of a function, by logical id (by default 2 behind a public route,
        else 1). ``log`` gets what functions print; without it, ``log_text`` has it. Processes
        of functions start with libraries imported, but where ``preload`` is False. Nothing runs
        before ``start``.
        """
        self._template = template
        self._parameters = dict(parameters or {})
        self._host = host
        self._port = port
        self.clock = Clock()
        self._processes = dict(processes or {})
        self._log_file = log
        self._preload = preload
        self._closing = contextlib.ExitStack()
        self._pollers: list[Poller] = []

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> Self:
        """Returns once everything answers. Raises StackError, with nothing left running."""
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        """Ends everything that was started. Safe to call twice."""
        self._closing.close()

    def ref(self, logical_id: str) -> str:
        """What ``Ref`` gives: a table's name, a queue's URL, a secret's ARN."""
        return self._blueprint.resources.ref(logical_id)

    def log_text(self) -> str:
        """What functions have printed so far, if no log was given."""
        return self.log.text()

    def invoke(self, function: str, payload: object) -> Outcome:
        """Invokes a function, by logical id, and waits for its answer."""
        outcome = self._loop.call(self._fleet.invoke(function, json.dumps(payload).encode()))
        wake(self._pollers)
        return outcome

    def recycle(self, function: str) -> None:
        """Ends a function's processes, as Lambda does now and then; others start when needed."""
        self._loop.call(self._fleet.pools[function].recycle())

    def run_schedule(self, name: str) -> Mapping[str, Outcome]:
        """Runs a schedule now (``Function.Event``), or all of a function's; outcomes by name."""
        return self._loop.call(self._scheduler.run(name))

    def wait_until_counted(self, timeout: float = _SETTLE_SECONDS) -> bool:
        """Waits until queues and streams have delivered what was written before this call.

        False when that took too long. What a function failed, and what waits for its queue's
        visibility timeout therefore, is not waited for.
        """
        return settle(self._pollers, timeout)

    def wait_for_interrupt(self) -> None:
        """Returns on SIGINT or SIGTERM. To be called from the main thread."""
        interrupted = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: interrupted.set())
        interrupted.wait()

    def _start(self) -> None:
        door = listen(self._host, self._port)
        self._closing.callback(door.close)
        self.url = f"http://{self._host}:{door.getsockname()[1]}"
        self.log = self._open_log()
        fork_server(preload=self._preload).prepare()
        self.cloud = Cloud(self.log.file)
        self._closing.callback(self.cloud.close)
        self._blueprint = blueprint.read(
            self._template, self._parameters, self.cloud, address=self.url
        )
        self._loop = Loop()
        self._closing.callback(self._loop.close)
        # A poller that waits for a function is freed by its end, and so is joined after it.
        self._closing.callback(self._join_pollers)
        self._fleet = Fleet(
            self._blueprint, self._processes, self.cloud, self.log, preload=self._preload
        )
        self._fleet.start(self._loop, self._closing)
        self._start_event_sources()
        self._start_front(door)

    def _open_log(self) -> Log:
        file = self._log_file
        if file is None:
            file = tempfile.TemporaryFile("a+b")  # noqa: SIM115  closed with the stack
            self._closing.callback(file.close)
        return Log(file)

    def _start_event_sources(self) -> None:
        self._pollers += pollers(self._blueprint.functions, self.cloud, self.invoke, self.log)
        for poller in self._pollers:
            self._closing.callback(poller.stop)
            poller.start()

    def _join_pollers(self) -> None:
        for poller in self._pollers:
            poller.join()

    def _start_front(self, door: socket.socket) -> None:
        plan = self._blueprint
        pools = self._fleet.pools
        self._scheduler = Scheduler(plan.schedules, self._fleet.invoke)
        doors = Doors(self._describe, self._scheduler.run, self._settle)
        invoke_api = InvokeApi(pools, self.log)
        front = Front(
            plan.routes, plan.distributions, pools, invoke_api, doors, self.log, self.clock
        )
        server = Server(waking(front, self._pollers), [door])
        self._loop.call(server.start())
        self._closing.callback(lambda: self._loop.call(server.stop()))
        self._loop.call(self._scheduler.start())

    async def _settle(self) -> bool:
        return await asyncio.to_thread(self.wait_until_counted)

    def _describe(self) -> dict[str, object]:
        plan = self._blueprint
        return {
            "url": self.url,
            "aws": self.cloud.url,
            "region": REGION,
            "resources": plan.resources.refs(),
            "functions": {each.logical_id: each.name for each in plan.functions},
            "routes": [f"{route.api}: {route.key} → {route.function}" for route in plan.routes],
            "schedules": [schedule.name for schedule in plan.schedules],
        }
