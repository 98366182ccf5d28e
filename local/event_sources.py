"""All event source mappings of a template, and waiting until they have delivered everything.

Each one works under the role of its function, as on Lambda.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from local.account import format_function_arn
from local.asgi import Application, Receive, Scope, Send
from local.cloud import MotoCloud
from local.dynamodb_streams import FailureDestination, StreamPoller
from local.functions import LambdaFunction, list_triggers
from local.invocations import InvocationResult
from local.poller import Invoke, Poller
from local.processes import StackLog
from local.sqs_queues import QueueMapping, QueuePoller
from local.stream_mapping import StreamMapping

EVENT_SOURCE_TYPES: Final = ("DynamoDB", "SQS")

InvokeFunction: TypeAlias = Callable[[str, Mapping[str, Any]], InvocationResult]


def build_pollers(
    functions: Sequence[LambdaFunction], cloud: MotoCloud, invoke: InvokeFunction, log: StackLog
) -> Iterator[Poller]:
    """Build a poller for each event source, without starting it; ``invoke`` takes logical ids."""

    def invoker(function: LambdaFunction) -> Invoke:
        return lambda payload: invoke(function.logical_id, payload)

    for function, trigger in list_triggers(functions, *EVENT_SOURCE_TYPES):
        if trigger.type == "SQS":
            yield QueuePoller(
                QueueMapping.from_trigger(trigger), cloud, invoker(function), function.role, log
            )
        else:
            mapping = StreamMapping.from_trigger(trigger)
            destination = FailureDestination(
                mapping, cloud, format_function_arn(function.name), function.role, log
            )
            yield StreamPoller(mapping, cloud, invoker(function), destination, function.role, log)


def wake_after_requests(application: Application, pollers: Sequence[Poller]) -> Application:
    """Wrap an application so that the pollers look for its writes after each request."""

    async def serve_and_wake(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await application(scope, receive, send)
        finally:
            wake_pollers(pollers)

    return serve_and_wake


def wake_pollers(pollers: Sequence[Poller]) -> None:
    """Make all pollers poll soon, because something may have been written."""
    for poller in pollers:
        poller.wake()


def wait_until_delivered(pollers: Sequence[Poller], timeout: float) -> bool:
    """Wait until everything written before this call is delivered; False after ``timeout`` seconds.

    Queues come first: their messages become writes, and writes go into streams.
    """
    deadline = time.monotonic() + timeout
    queues = [poller for poller in pollers if isinstance(poller, QueuePoller)]
    others = [poller for poller in pollers if poller not in queues]
    results = [poller.wait_until_idle(deadline) for poller in (*queues, *others)]
    return all(results)
