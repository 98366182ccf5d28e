"""Bringing a batch of a stream to a function, whatever it takes; knows nothing of where it is from.

A batch is retried, bisected, or cut at its first failed record, until it is done, or its retries or
its records' age run out and it is given up.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from local.sources import Failures, Invoke, Record, failures
from local.stream_mapping import StreamMapping, sequence_number

_BACKOFF_SECONDS: Final = (0.1, 0.2, 0.4, 0.8, 1.6, 3.0)  # Lambda's own are longer, and not told

GiveUp: TypeAlias = Callable[[Sequence[Record], str, int, Failures], None]


class Delivery:
    """Brings batches to a function, whatever it takes; knows nothing of where records come from."""

    def __init__(
        self, mapping: StreamMapping, invoke: Invoke, give_up: GiveUp, stopping: threading.Event
    ) -> None:
        self._mapping = mapping
        self._invoke = invoke
        self._give_up = give_up
        self._stopping = stopping

    def deliver(self, batch: Sequence[Record]) -> None:
        """Returns once every record is processed or given up, or the stack stops."""
        waiting = [(batch, 0)]
        while waiting and not self._stopping.is_set():
            records, retries = waiting.pop()
            failed = self._attempt(records)
            if not failed or self._stopping.is_set():
                continue
            first = self._first_failed(records, failed)
            rest = records[first:]
            if reason := self._gives_up(rest, retries, progressed=first > 0):
                self._give_up(rest, reason, retries + 1, failed)
            elif self._mapping.bisect and first == 0 and len(rest) > 1:
                middle = len(rest) // 2
                waiting += [(rest[middle:], retries), (rest[:middle], retries)]
            else:
                # Splitting, at the middle or at the first failed record, is no retry.
                used = retries if self._mapping.bisect and first > 0 else retries + 1
                self._stopping.wait(_BACKOFF_SECONDS[min(used, len(_BACKOFF_SECONDS)) - 1])
                waiting.append((rest, used))

    def _attempt(self, records: Sequence[Record]) -> Failures:
        outcome = self._invoke({"Records": records})
        return failures(
            outcome, [sequence_number(record) for record in records], self._mapping.partial
        )

    @staticmethod
    def _first_failed(records: Sequence[Record], failed: Failures) -> int:
        """A stream is resumed at its first failed record; what follows is delivered again."""
        if failed.everything:
            return 0
        return min(
            i for i, record in enumerate(records) if sequence_number(record) in failed.identifiers
        )

    def _gives_up(self, records: Sequence[Record], retries: int, *, progressed: bool) -> str | None:
        mapping = self._mapping
        oldest = records[0]["dynamodb"]["ApproximateCreationDateTime"]
        if mapping.max_age is not None and time.time() - oldest > mapping.max_age:
            return "MaximumRecordAgeExceeded"
        splits = mapping.bisect and (progressed or len(records) > 1)
        if mapping.retries is not None and retries >= mapping.retries and not splits:
            return "RetryAttemptsExhausted"
        return None
