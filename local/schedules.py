"""Scheduled invocations: those with a rate by their own timer, every one of them whenever asked."""

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

SCHEDULE_TYPES: Final = ("Schedule", "ScheduleV2")
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_SOURCES: Final = {"Schedule": "aws.events", "ScheduleV2": "aws.scheduler"}


@dataclass(frozen=True, slots=True)
class Schedule:
    """``every`` is None for cron and one-time expressions, which run here only when asked, and for
    disabled ones.
    """

    name: str
    function_id: str
    source: str
    interval: timedelta | None
    input: str | None

    def build_event(self) -> dict[str, Any]:
        """What the function gets: the template's own input, or a scheduled event."""
        if self.input is not None:
            given: dict[str, Any] = json.loads(self.input)
            return given
        return {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Scheduled Event",
            "source": self.source,
            "account": ACCOUNT_ID,
            "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": REGION,
            "resources": [
                f"arn:aws:{self.source.removeprefix('aws.')}:{REGION}:{ACCOUNT_ID}:{self.name}"
            ],
            "detail": {},
        }


def load_schedules(functions: Sequence[LambdaFunction]) -> list[Schedule]:
    """The schedules of the template."""
    return [
        _load_schedule(function, event)
        for function, event in list_triggers(functions, *SCHEDULE_TYPES)
    ]


def _load_schedule(function: LambdaFunction, event: Trigger) -> Schedule:
    properties = event.properties
    expression = str(properties.get("Schedule", properties.get("ScheduleExpression")))
    if not expression.startswith(("rate(", "cron(", "at(")):
        raise TemplateError(event.where, f"{expression} is no schedule")
    enabled = properties.get("Enabled") is not False and properties.get("State") != "DISABLED"
    given = properties.get("Input")
    return Schedule(
        name=event.name,
        function_id=function.logical_id,
        source=_SOURCES[event.type],
        interval=_parse_interval(expression, event.where) if enabled else None,
        input=None if given is None else str(given),
    )


def _parse_interval(expression: str, where: str) -> timedelta | None:
    if not expression.startswith("rate("):
        return None
    match = _RATE.fullmatch(expression)
    if match is None:
        raise TemplateError(where, f"{expression} is no rate")
    return timedelta(**{f"{match[2]}s": int(match[1])})


class Scheduler:
    """Runs schedules on the event loop; ``invoke`` takes a logical id and a payload."""

    def __init__(
        self,
        schedules: Sequence[Schedule],
        invoke: Callable[[str, bytes], Awaitable[InvocationResult]],
    ) -> None:
        self._schedules = schedules
        self._invoke = invoke
        self._timers: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Starts the timers of schedules that have a rate; they end with the loop."""
        for schedule in self._schedules:
            if schedule.interval is not None:
                self._timers.append(asyncio.create_task(self._repeat(schedule, schedule.interval)))

    async def run_schedule(self, name: str) -> Mapping[str, InvocationResult]:
        """Runs a schedule now, by name, or all of a function's; their outcomes by name."""
        wanted = [one for one in self._schedules if name in (one.name, one.function_id)]
        return {schedule.name: await self._run_once(schedule) for schedule in wanted}

    async def _repeat(self, schedule: Schedule, interval: timedelta) -> None:
        while True:
            await asyncio.sleep(interval.total_seconds())
            await self._run_once(schedule)

    async def _run_once(self, schedule: Schedule) -> InvocationResult:
        return await self._invoke(schedule.function_id, json.dumps(schedule.build_event()).encode())
