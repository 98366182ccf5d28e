"""What event source mappings have in common: invoking, filtering, partial failures, and knowing
when all is delivered.
"""

from __future__ import annotations

import json
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from local.errors import TemplateError
from local.functions import Trigger
from local.invocations import InvocationResult
from local.processes import StackLog
from local.template import Properties

Record: TypeAlias = Mapping[str, Any]  # as the function gets it; JSON of any shape
Invoke: TypeAlias = Callable[[Mapping[str, Any]], InvocationResult]

POLL_SECONDS: Final = 0.25
_IDLE_SECONDS: Final = 3.0
_PAUSE_FACTOR: Final = 2  # each pause after nothing was found is so many times the one before
PARTIAL_RESPONSES: Final = "ReportBatchItemFailures"


@dataclass(frozen=True, slots=True)
class BatchFailures:
    """Which records of a batch were not processed: everything, or those identified."""

    is_whole_batch: bool
    record_ids: frozenset[str] = frozenset()
    error: str | None = None

    def __bool__(self) -> bool:
        return self.is_whole_batch or bool(self.record_ids)


def parse_failures(
    result: InvocationResult, record_ids: Sequence[str], partial_responses: bool
) -> BatchFailures:
    """What a function's answer says about its batch.

    An unknown, empty or missing identifier makes the whole batch fail, an empty answer none, as the
    developer guide has it ("Implementing partial batch responses").
    """
    if result.error is not None:
        return BatchFailures(is_whole_batch=True, error=result.error)
    if not partial_responses:
        return BatchFailures(is_whole_batch=False)
    try:
        answer = json.loads(result.payload or b"null")
        items = (answer or {}).get("batchItemFailures") or []
        failed = frozenset(item["itemIdentifier"] for item in items)
    except (ValueError, AttributeError, TypeError, KeyError):
        return BatchFailures(is_whole_batch=True)
    if not failed <= set(record_ids):
        return BatchFailures(is_whole_batch=True)
    return BatchFailures(is_whole_batch=False, record_ids=failed)


def get_number(properties: Properties, name: str, default: int) -> int:
    return int(str(properties.get(name, default)))


def has_partial_responses(properties: Properties) -> bool:
    types = properties.get("FunctionResponseTypes")
    return isinstance(types, list) and PARTIAL_RESPONSES in types


def reject_unknown_properties(trigger: Trigger, supported: frozenset[str]) -> None:
    """Raises TemplateError for a property that changes what is delivered and is not emulated."""
    for name in trigger.properties:
        if name not in supported:
            raise TemplateError(trigger.where, f"{name} is not emulated")


class Poller(ABC):
    """A thread that polls a source until it is stopped, and can tell when everything has been
    delivered.

    A source that has nothing is asked less and less often, up to once in ``_IDLE_SECONDS``, until
    it has something, it is woken or somebody waits for it. A poll that fails is logged and tried
    again: a source that is down for a while delivers later.
    """

    def __init__(self, name: str, log: StackLog) -> None:
        self._name = name
        self._log = log
        self.stop_event = threading.Event()
        self._poll_now = threading.Event()
        self._poll_soon = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._progress = threading.Condition()
        self._poll_count = 0
        self._last_idle_poll = 0
        self._waiter_count = 0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Asks the thread to end; it finishes what it delivers."""
        self.stop_event.set()
        self._interrupt_pause()

    def join(self) -> None:
        self._thread.join()

    def wake(self) -> None:
        """Something may have been written: it is looked for soon, and often for a while."""
        self._poll_soon.set()

    def wait_until_idle(self, deadline: float) -> bool:
        """Waits until a poll that began after this call found nothing and nothing is under way.

        ``deadline`` is on time.monotonic's clock; False when it passed first.
        """
        with self._progress:
            since = self._poll_count
            self._waiter_count += 1
            self._interrupt_pause()
            try:
                self._progress.wait_for(
                    lambda: self._last_idle_poll > since or self.stop_event.is_set(),
                    deadline - time.monotonic(),
                )
                return self._last_idle_poll > since
            finally:
                self._waiter_count -= 1

    @property
    def has_waiters(self) -> bool:
        """Whether somebody waits until everything is delivered."""
        return self._waiter_count > 0

    @abstractmethod
    def poll(self) -> bool:
        """Fetches and delivers; True when there was nothing and nothing is under way."""

    def _interrupt_pause(self) -> None:
        """Ends the pause between two polls."""
        self._poll_now.set()
        self._poll_soon.set()

    def _run(self) -> None:
        pause = POLL_SECONDS
        while not self.stop_event.is_set():
            self._poll_now.clear()
            self._poll_soon.clear()
            with self._progress:
                self._poll_count += 1
                current = self._poll_count
            quiet = self._poll()
            with self._progress:
                self._last_idle_poll = current if quiet else self._last_idle_poll
                self._progress.notify_all()
            pause = min(_PAUSE_FACTOR * pause, _IDLE_SECONDS) if quiet else POLL_SECONDS
            if self._poll_now.wait(POLL_SECONDS) or self._poll_soon.wait(pause - POLL_SECONDS):
                pause = POLL_SECONDS
        with self._progress:
            self._progress.notify_all()

    def _poll(self) -> bool:
        try:
            return self.poll()
        except Exception as error:  # the source may be back at the next poll
            if not self.stop_event.is_set():
                self._log.write_line(self._name, f"poll failed: {type(error).__name__}: {error}")
            return False
