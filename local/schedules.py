"""Schedules of the template: a timer for each rate, and invocation on request.

Supported are events of type ``Schedule`` with a rate in minutes or hours, as in template.yaml. Cron
expressions and all other properties are refused.
"""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from local.account import ACCOUNT_ID, REGION
from local.errors import TemplateError
from local.functions import LambdaFunction, Trigger, list_triggers
from local.invocations import InvocationResult

SCHEDULE_TYPE: Final = "Schedule"
_PROPERTIES: Final = frozenset({"Description", "Input", "Schedule"})
_RATE: Final = re.compile(r"rate\((\d+) (minute|hour)s?\)")


@dataclass(frozen=True, slots=True)
class Schedule:
    """A rate and the function that it invokes; ``input`` is the event as JSON, if given."""

    name: str
    function_id: str
    interval: timedelta
    input: str | None

    def build_event(self) -> dict[str, Any]:
        """Build the function's event: the template's input, otherwise a scheduled event."""
        if self.input is not None:
            event: dict[str, Any] = json.loads(self.input)
            return event
        return {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": ACCOUNT_ID,
            "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": REGION,
            "resources": [f"arn:aws:events:{REGION}:{ACCOUNT_ID}:{self.name}"],
            "detail": {},
        }


def load_schedules(functions: Sequence[LambdaFunction]) -> list[Schedule]:
    """Return the schedules of the template. Raises TemplateError for unsupported ones."""
    return [
        _load_schedule(function, trigger)
        for function, trigger in list_triggers(functions, SCHEDULE_TYPE)
    ]


def _load_schedule(function: LambdaFunction, trigger: Trigger) -> Schedule:
    trigger.reject_unknown_properties(_PROPERTIES)
    event = trigger.properties.get("Input")
    return Schedule(
        name=trigger.name,
        function_id=function.logical_id,
        interval=_parse_rate(str(trigger.properties.get("Schedule")), trigger.where),
        input=None if event is None else str(event),
    )


def _parse_rate(expression: str, where: str) -> timedelta:
    match = _RATE.fullmatch(expression)
    if match is None:
        raise TemplateError(
            where, f"schedule {expression} is not emulated; use a rate in minutes or hours"
        )
    return timedelta(**{f"{match[2]}s": int(match[1])})


class Scheduler:
    """Timers of schedules on the event loop; ``invoke`` takes a logical id and a payload."""

    def __init__(
        self,
        schedules: Sequence[Schedule],
        invoke: Callable[[str, bytes], Awaitable[InvocationResult]],
    ) -> None:
        self._schedules = schedules
        self._invoke = invoke
        self._timers: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start a timer for each schedule; the timers end with the loop."""
        self._timers += [asyncio.create_task(self._repeat(each)) for each in self._schedules]

    async def run_schedule(self, name: str) -> Mapping[str, InvocationResult]:
        """Run the schedule with this name, or all of the function with this id, now.

        Returns the results by the name of the schedule.
        """
        chosen = [each for each in self._schedules if name in (each.name, each.function_id)]
        return {schedule.name: await self._run_once(schedule) for schedule in chosen}

    async def _repeat(self, schedule: Schedule) -> None:
        while True:
            await asyncio.sleep(schedule.interval.total_seconds())
            await self._run_once(schedule)

    async def _run_once(self, schedule: Schedule) -> InvocationResult:
        return await self._invoke(schedule.function_id, json.dumps(schedule.build_event()).encode())
