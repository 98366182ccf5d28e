"""Bringing a batch of a stream to a function, whatever it takes; knows nothing of where it is from.

A batch is retried, bisected, or cut at its first failed record, until it is done, or its retries or
its records' age run out and it is given up.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from local.poller import BatchFailures, Invoke, Record, parse_failures
from local.stream_mapping import StreamMapping, get_sequence_number

_BACKOFF_SECONDS: Final = (0.1, 0.2, 0.4, 0.8, 1.6, 3.0)  # Lambda's own are longer, and not told

DiscardBatch: TypeAlias = Callable[[Sequence[Record], str, int, BatchFailures], None]


class BatchDelivery:
    """Brings batches to a function, whatever it takes; knows nothing of where records come from."""

    def __init__(
        self,
        mapping: StreamMapping,
        invoke: Invoke,
        discard: DiscardBatch,
        stop_event: threading.Event,
    ) -> None:
        self._mapping = mapping
        self._invoke = invoke
        self._discard = discard
        self._stop_event = stop_event

    def deliver(self, batch: Sequence[Record]) -> None:
        """Returns once every record is processed or given up, or the stack stops."""
        waiting = [(batch, 0)]
        while waiting and not self._stop_event.is_set():
            records, retries = waiting.pop()
            failed = self._invoke_batch(records)
            if not failed or self._stop_event.is_set():
                continue
            first = self._find_first_failure(records, failed)
            rest = records[first:]
            if reason := self._find_discard_reason(rest, retries, has_progress=first > 0):
                self._discard(rest, reason, retries + 1, failed)
            elif self._mapping.bisects_batches and first == 0 and len(rest) > 1:
                middle = len(rest) // 2
                waiting += [(rest[middle:], retries), (rest[:middle], retries)]
            else:
                # Splitting, at the middle or at the first failed record, is no retry.
                used = retries if self._mapping.bisects_batches and first > 0 else retries + 1
                self._stop_event.wait(_BACKOFF_SECONDS[min(used, len(_BACKOFF_SECONDS)) - 1])
                waiting.append((rest, used))

    def _invoke_batch(self, records: Sequence[Record]) -> BatchFailures:
        outcome = self._invoke({"Records": records})
        return parse_failures(
            outcome,
            [get_sequence_number(record) for record in records],
            self._mapping.partial_responses,
        )

    @staticmethod
    def _find_first_failure(records: Sequence[Record], failures: BatchFailures) -> int:
        """A stream is resumed at its first failed record; what follows is delivered again."""
        if failures.is_whole_batch:
            return 0
        return min(
            i
            for i, record in enumerate(records)
            if get_sequence_number(record) in failures.record_ids
        )

    def _find_discard_reason(
        self, records: Sequence[Record], retries: int, *, has_progress: bool
    ) -> str | None:
        mapping = self._mapping
        oldest = records[0]["dynamodb"]["ApproximateCreationDateTime"]
        if mapping.max_age_seconds is not None and time.time() - oldest > mapping.max_age_seconds:
            return "MaximumRecordAgeExceeded"
        splits = mapping.bisects_batches and (has_progress or len(records) > 1)
        if mapping.max_retries is not None and retries >= mapping.max_retries and not splits:
            return "RetryAttemptsExhausted"
        return None
