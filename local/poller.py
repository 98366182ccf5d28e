"""Parts that event source mappings share: polling, batch failures, waiting for delivery."""

from __future__ import annotations

import json
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from local.invocations import InvocationResult
from local.processes import StackLog
from local.template import Properties

Record: TypeAlias = Mapping[str, Any]  # as passed to the function; JSON of any shape
Invoke: TypeAlias = Callable[[Mapping[str, Any]], InvocationResult]

POLL_SECONDS: Final = 0.25
_IDLE_SECONDS: Final = 3.0
_PAUSE_FACTOR: Final = 2  # growth of the pause after each empty poll
PARTIAL_RESPONSES: Final = "ReportBatchItemFailures"


@dataclass(frozen=True, slots=True)
class BatchFailures:
    """The records of a batch that failed: all of them, or those in ``record_ids``."""

    is_whole_batch: bool
    record_ids: frozenset[str] = frozenset()
    error: str | None = None

    def __bool__(self) -> bool:
        return self.is_whole_batch or bool(self.record_ids)


def parse_failures(
    result: InvocationResult, record_ids: Sequence[str], partial_responses: bool
) -> BatchFailures:
    """Parse a function's partial batch response.

    An unknown, empty or missing identifier fails the whole batch, an empty response no record
    (AWS Lambda developer guide, "Implementing partial batch responses").
    """
    if result.error is not None:
        return BatchFailures(is_whole_batch=True, error=result.error)
    if not partial_responses:
        return BatchFailures(is_whole_batch=False)
    try:
        response = json.loads(result.payload or b"null")
        items = (response or {}).get("batchItemFailures") or []
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


class Poller(ABC):
    """A thread that polls a source until it is stopped.

    While polls return nothing, the pause between them grows up to ``_IDLE_SECONDS``; a record, a
    call of ``wake`` and a waiter end it. A failed poll is logged and repeated, so that a source
    that was down delivers later.
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
        """Ask the thread to end after the current delivery."""
        self.stop_event.set()
        self._interrupt_pause()

    def join(self) -> None:
        self._thread.join()

    def wake(self) -> None:
        """Poll soon, and frequently for a while, because something may have been written."""
        self._poll_soon.set()

    def wait_until_idle(self, deadline: float) -> bool:
        """Wait until a poll that began after this call finds nothing and no delivery is running.

        ``deadline`` is on time.monotonic's clock. Returns False if it passed first.
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
        """True while a thread waits until everything is delivered."""
        return self._waiter_count > 0

    @abstractmethod
    def poll(self) -> bool:
        """Fetch and deliver; return True if there was nothing and no delivery is running."""

    def _interrupt_pause(self) -> None:
        """End the pause between two polls."""
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
            is_idle = self._poll()
            with self._progress:
                self._last_idle_poll = current if is_idle else self._last_idle_poll
                self._progress.notify_all()
            pause = min(_PAUSE_FACTOR * pause, _IDLE_SECONDS) if is_idle else POLL_SECONDS
            if self._poll_now.wait(POLL_SECONDS) or self._poll_soon.wait(pause - POLL_SECONDS):
                pause = POLL_SECONDS
        with self._progress:
            self._progress.notify_all()

    def _poll(self) -> bool:
        try:
            return self.poll()
        except Exception as error:  # the source may answer the next poll
            if not self.stop_event.is_set():
                self._log.write_line(self._name, f"poll failed: {type(error).__name__}: {error}")
            return False
