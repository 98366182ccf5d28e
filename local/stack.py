"""All of it together: an embedded stack that is started, used and stopped from Python.

    with EmbeddedStack() as stack:
        stack.invoke("RewriteFunction", {...})
        urllib.request.urlopen(stack.url + "/e/c/...")
        stack.wait_until_counted()

The front and the functions' Runtime APIs run on one event loop in a thread of their own; event sources poll in
threads; moto and the functions are processes. All of them end with the stack and, if this process dies, with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Self

from local.asgi import Server, listen
from local.cloud import Cloud
from local.cloudfront import distributions
from local.doors import Doors
from local.errors import TemplateError
from local.front import Front
from local.functions import Function, events_of, functions
from local.http_api import Route, routes
from local.intrinsics import Resolver
from local.invoke_api import InvokeApi
from local.lambdas import Outcome, Pool
from local.loop import Loop
from local.processes import Log
from local.queues import QueueMapping, QueuePoller
from local.resources import CloudResources
from local.runtime import RuntimeApi
from local.schedules import TYPES, Schedule, schedules
from local.streams import StreamMapping, StreamPoller
from local.template import load

if TYPE_CHECKING:
    import socket
    from types import TracebackType

    from local.sources import Invoke, Poller

TEMPLATE: Final = Path(__file__).parents[1] / "template.yaml"
NAME: Final = "waypost-local"
_PLAYED: Final = frozenset({"HttpApi", "DynamoDB", "SQS", *TYPES})
_SETTLE_SECONDS: Final = 30.0


class EmbeddedStack:
    """A stack made from a template, on this machine. A context manager; ``start`` and ``close`` do the same.

    ``url`` is where it is served, ``cloud`` the services behind it; both exist once it is started.
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
    ) -> None:
        """``parameters`` override the template's defaults; port 0 takes any free one.

        ``processes`` limits those of a function, by logical id (by default 2 behind a public route, else 1).
        ``log`` gets what functions print; without it, ``log_text`` has it. Nothing runs before ``start``.
        """
        self._template_path = template
        self._parameters = dict(parameters or {})
        self._host = host
        self._port = port
        self._processes = dict(processes or {})
        self._log_file = log
        self._closing = contextlib.ExitStack()
        self._pools: dict[str, Pool] = {}
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
        return self._resources.ref(logical_id)

    def log_text(self) -> str:
        """What functions have printed so far, if no log was given."""
        self.log.file.seek(0)
        return self.log.file.read().decode("utf-8", "replace")

    def invoke(self, function: str, payload: object) -> Outcome:
        """Invokes a function, by logical id, and waits for its answer."""
        return self._loop.call(self._pools[function].invoke(json.dumps(payload).encode()))

    def run_schedule(self, name: str) -> Mapping[str, Outcome]:
        """Runs a schedule now, by its ``Function.Event`` name, or all of a function's; their outcomes by name."""
        return self._loop.call(self._run_schedules(name))

    def wait_until_counted(self, timeout: float = _SETTLE_SECONDS) -> bool:
        """Waits until whatever was written before this call has been delivered; False when that took too long.

        Queues first: what they hold becomes writes. Messages that a function failed, and that wait for their
        visibility timeout, are not waited for.
        """
        deadline = time.monotonic() + timeout
        ordered = sorted(self._pollers, key=lambda poller: isinstance(poller, StreamPoller))
        return all([poller.settle(deadline) for poller in ordered])

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
        self.cloud = Cloud(self.log.file)
        self._closing.callback(self.cloud.close)
        self._read_template()
        self._loop = Loop()
        self._closing.callback(self._loop.close)
        self._start_functions()
        self._start_event_sources()
        self._start_front(door)

    def _open_log(self) -> Log:
        file = self._log_file
        if file is None:
            file = self._closing.enter_context(tempfile.TemporaryFile("a+b"))
        return Log(file)

    def _read_template(self) -> None:
        self._template = load(self._template_path)
        self._resources = CloudResources(self._template, NAME, self.cloud, self.url)
        self._resolver = Resolver(self._template, NAME, self._parameters, self._resources)
        self._resources.resolver = self._resolver
        self._functions = [
            replace(function, environment=self._at_home(function.environment))
            for function in functions(self._template, self._resolver, NAME)
        ]
        _refuse_unplayed(self._functions)
        self._resources.make_all()
        self._routes = routes(self._template, self._resolver, self._functions)
        self._schedules = schedules(self._functions)

    def _at_home(self, environment: Mapping[str, str]) -> dict[str, str]:
        return {
            name: self._resources.at_home(self._resources.secret_values(value))
            for name, value in environment.items()
        }

    def _start_functions(self) -> None:
        sockets: list[socket.socket] = []
        for function in self._functions:
            own = [listen("127.0.0.1", 0) for _ in range(self._process_count(function))]
            environment = {
                "AWS_ENDPOINT_URL": self.cloud.url,
                **self.cloud.credentials(function.role),
            }
            self._pools[function.logical_id] = Pool(function, own, environment, self.log)
            sockets += own
        runtime = Server(RuntimeApi(self._pools.values()), sockets)
        self._closing.callback(lambda: self._loop.call(runtime.stop()))
        self._loop.call(runtime.start())
        self._closing.callback(lambda: [poller.join() for poller in self._pollers])
        self._closing.callback(lambda: self._loop.call(self._close_pools()))
        self._loop.call(self._warm())

    def _process_count(self, function: Function) -> int:
        public = any(
            route.function == function.logical_id and not route.iam for route in self._routes
        )
        return self._processes.get(function.logical_id, 2 if public else 1)

    async def _warm(self) -> None:
        await asyncio.gather(*(pool.warm() for pool in self._pools.values()))

    async def _close_pools(self) -> None:
        await asyncio.gather(*(pool.close() for pool in self._pools.values()))

    def _start_event_sources(self) -> None:
        self._pollers += self._event_sources()
        for poller in self._pollers:
            self._closing.callback(poller.stop)
            poller.start()

    def _event_sources(self) -> Iterator[Poller]:
        for function, event in events_of(self._functions, "DynamoDB", "SQS"):
            if event.properties.get("Enabled") is False:
                continue
            invoke = self._invoker(function.logical_id)
            if event.type == "SQS":
                yield QueuePoller(QueueMapping.of(event), self.cloud, invoke, self.log)
            else:
                arn = self._pools[function.logical_id].arn
                yield StreamPoller(StreamMapping.of(event), self.cloud, invoke, arn, self.log)

    def _invoker(self, function: str) -> Invoke:
        return lambda payload: self.invoke(function, payload)

    def _start_front(self, door: socket.socket) -> None:
        invoke_api = InvokeApi(self._pools, self.log)
        doors = Doors(self._describe, self._run_schedules, self._settle)
        edges = distributions(self._template, self._resolver, self._resources)
        front = Server(Front(self._routes, edges, self._pools, invoke_api, doors, self.log), [door])
        self._loop.call(front.start())
        self._closing.callback(lambda: self._loop.call(front.stop()))
        self._loop.call(self._start_timers())

    async def _start_timers(self) -> None:
        self._timers = [
            asyncio.create_task(self._repeat(schedule, schedule.every.total_seconds()))
            for schedule in self._schedules
            if schedule.every is not None
        ]

    async def _repeat(self, schedule: Schedule, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            await self._run(schedule)

    async def _run(self, schedule: Schedule) -> Outcome:
        return await self._pools[schedule.function].invoke(json.dumps(schedule.event()).encode())

    async def _run_schedules(self, name: str) -> Mapping[str, Outcome]:
        wanted = [
            schedule for schedule in self._schedules if name in (schedule.name, schedule.function)
        ]
        return {schedule.name: await self._run(schedule) for schedule in wanted}

    async def _settle(self) -> bool:
        return await asyncio.to_thread(self.wait_until_counted)

    def _describe(self) -> dict[str, object]:
        return {
            "url": self.url,
            "aws": self.cloud.url,
            "functions": {name: pool.function.name for name, pool in self._pools.items()},
            "routes": [_shown(route) for route in self._routes],
            "schedules": [schedule.name for schedule in self._schedules],
        }


def _shown(route: Route) -> str:
    return f"{route.api}: {route.key} → {route.function}"


def _refuse_unplayed(functions: list[Function]) -> None:
    for function in functions:
        for event in function.events:
            if event.type not in _PLAYED:
                raise TemplateError(event.where, f"events of type {event.type} are not emulated")
