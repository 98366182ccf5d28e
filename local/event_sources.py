"""The event source mappings of a template, and waiting until they have delivered everything.

They work under the role of the function that they deliver to, as Lambda's do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from local.account import function_arn
from local.asgi import Application, Receive, Scope, Send
from local.cloud import Cloud
from local.destinations import Destination
from local.functions import Function, events_of
from local.invocations import Outcome
from local.processes import Log
from local.queue_mapping import QueueMapping
from local.queues import QueuePoller
from local.sources import Invoke, Poller
from local.stream_mapping import StreamMapping
from local.streams import StreamPoller

SOURCES: Final = ("DynamoDB", "SQS")

InvokeByName: TypeAlias = Callable[[str, Mapping[str, Any]], Outcome]


def pollers(
    functions: Sequence[Function], cloud: Cloud, invoke: InvokeByName, log: Log
) -> Iterator[Poller]:
    """A poller for each enabled event source, not started; ``invoke`` takes logical ids."""

    def invoker(function: Function) -> Invoke:
        return lambda payload: invoke(function.logical_id, payload)

    for function, event in events_of(functions, *SOURCES):
        if event.properties.get("Enabled") is False:
            continue
        if event.type == "SQS":
            yield QueuePoller(QueueMapping.of(event), cloud, invoker(function), function.role, log)
        else:
            mapping = StreamMapping.of(event)
            destination = Destination(
                mapping, cloud, function_arn(function.name), function.role, log
            )
            yield StreamPoller(mapping, cloud, invoker(function), destination, function.role, log)


def waking(application: Application, pollers: Sequence[Poller]) -> Application:
    """The application; what a request has written is looked for once it is answered."""

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await application(scope, receive, send)
        finally:
            wake(pollers)

    return served


def wake(pollers: Sequence[Poller]) -> None:
    """Has all of them look soon: something may have been written."""
    for poller in pollers:
        poller.wake()


def settle(pollers: Sequence[Poller], timeout: float) -> bool:
    """Waits until all is delivered that was written before this call; False when time ran out.

    Queues first: what they hold becomes writes, and writes go into streams.
    """
    deadline = time.monotonic() + timeout
    queues = [poller for poller in pollers if isinstance(poller, QueuePoller)]
    others = [poller for poller in pollers if poller not in queues]
    settled = [poller.settle(deadline) for poller in (*queues, *others)]
    return all(settled)
