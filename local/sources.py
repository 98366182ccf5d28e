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
from local.functions import Event
from local.invocations import Outcome
from local.processes import Log
from local.template import Properties

Record: TypeAlias = Mapping[str, Any]  # as the function gets it; JSON of any shape
Invoke: TypeAlias = Callable[[Mapping[str, Any]], Outcome]

POLL_SECONDS: Final = 0.25
_IDLE_SECONDS: Final = 3.0
_SLOWER: Final = 2  # each pause after nothing was found is so many times the one before
PARTIAL: Final = "ReportBatchItemFailures"


@dataclass(frozen=True, slots=True)
class Failures:
    """Which records of a batch were not processed: everything, or those identified."""

    everything: bool
    identifiers: frozenset[str] = frozenset()
    error: str | None = None

    def __bool__(self) -> bool:
        return self.everything or bool(self.identifiers)


def failures(outcome: Outcome, identifiers: Sequence[str], partial: bool) -> Failures:
    """What a function's answer says about its batch.

    An unknown, empty or missing identifier makes the whole batch fail, an empty answer none, as the
    developer guide has it ("Implementing partial batch responses").
    """
    if outcome.error is not None:
        return Failures(everything=True, error=outcome.error)
    if not partial:
        return Failures(everything=False)
    try:
        answer = json.loads(outcome.payload or b"null")
        items = (answer or {}).get("batchItemFailures") or []
        failed = frozenset(item["itemIdentifier"] for item in items)
    except (ValueError, AttributeError, TypeError, KeyError):
        return Failures(everything=True)
    if not failed <= set(identifiers):
        return Failures(everything=True)
    return Failures(everything=False, identifiers=failed)


def number(properties: Properties, name: str, default: int) -> int:
    return int(str(properties.get(name, default)))


def reports_partial_failures(properties: Properties) -> bool:
    types = properties.get("FunctionResponseTypes")
    return isinstance(types, list) and PARTIAL in types


def refuse_unknown(event: Event, known: frozenset[str]) -> None:
    """Raises TemplateError for a property that changes what is delivered and is not emulated."""
    for name in event.properties:
        if name not in known:
            raise TemplateError(event.where, f"{name} is not emulated")


class Poller(ABC):
    """A thread that polls a source until it is stopped, and can tell when everything has been
    delivered.

    A source that has nothing is asked less and less often, up to once in ``_IDLE_SECONDS``, until
    it has something, it is woken or somebody waits for it. A poll that fails is logged and tried
    again: a source that is down for a while delivers later.
    """

    def __init__(self, name: str, log: Log) -> None:
        self._name = name
        self._log = log
        self.stopping = threading.Event()
        self._due = threading.Event()
        self._awake = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._progress = threading.Condition()
        self._polls = 0
        self._quiet = 0
        self._waiting = 0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Asks the thread to end; it finishes what it delivers."""
        self.stopping.set()
        self._ask()

    def join(self) -> None:
        self._thread.join()

    def wake(self) -> None:
        """Something may have been written: it is looked for soon, and often for a while."""
        self._awake.set()

    def settle(self, deadline: float) -> bool:
        """Waits until a poll that began after this call found nothing and nothing is under way.

        ``deadline`` is on time.monotonic's clock; False when it passed first.
        """
        with self._progress:
            since = self._polls
            self._waiting += 1
            self._ask()
            try:
                self._progress.wait_for(
                    lambda: self._quiet > since or self.stopping.is_set(),
                    deadline - time.monotonic(),
                )
                return self._quiet > since
            finally:
                self._waiting -= 1

    @property
    def awaited(self) -> bool:
        """Whether somebody waits until everything is delivered."""
        return self._waiting > 0

    @abstractmethod
    def poll(self) -> bool:
        """Fetches and delivers; True when there was nothing and nothing is under way."""

    def _ask(self) -> None:
        """Ends the pause between two polls."""
        self._due.set()
        self._awake.set()

    def _run(self) -> None:
        pause = POLL_SECONDS
        while not self.stopping.is_set():
            self._due.clear()
            self._awake.clear()
            with self._progress:
                self._polls += 1
                current = self._polls
            quiet = self._poll()
            with self._progress:
                self._quiet = current if quiet else self._quiet
                self._progress.notify_all()
            pause = min(_SLOWER * pause, _IDLE_SECONDS) if quiet else POLL_SECONDS
            if self._due.wait(POLL_SECONDS) or self._awake.wait(pause - POLL_SECONDS):
                pause = POLL_SECONDS
        with self._progress:
            self._progress.notify_all()

    def _poll(self) -> bool:
        try:
            return self.poll()
        except Exception as error:  # the source may be back at the next poll
            if not self.stopping.is_set():
                self._log.line(self._name, f"poll failed: {type(error).__name__}: {error}")
            return False
