"""Bringing a batch of a stream to a function, whatever it takes; knows nothing of where it is from.

A batch is retried, bisected, or cut at its first failed record, until it is done, or its retries or
its records' age run out and it is given up.

Records of a stream on their way to a function, gathered into batches.

Within a lane order holds: a batch that fails keeps those behind it waiting.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

from local.poller import BatchFailures, Invoke, Record, parse_failures
from local.processes import StackLog
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


_QUEUE_SIZE: Final = 10_000  # records a lane holds before polling waits for it


class StreamBatcher(threading.Thread):
    """Records of some partition keys, gathered into batches and delivered in order."""

    def __init__(
        self,
        mapping: StreamMapping,
        delivery: BatchDelivery,
        stop_event: threading.Event,
        log: StackLog,
    ) -> None:
        super().__init__(name=mapping.name, daemon=True)
        self._mapping = mapping
        self._log = log
        self._delivery = delivery
        self._stop_event = stop_event
        self.records: queue.Queue[Record | None] = queue.Queue(_QUEUE_SIZE)

    def run(self) -> None:
        while not self._stop_event.is_set():
            batch = list(self._collect_batch())
            if batch:
                self._deliver(batch)
                for _ in batch:
                    self.records.task_done()

    def _deliver(self, batch: list[Record]) -> None:
        try:
            self._delivery.deliver(batch)
        except Exception as error:  # a fault of the stack's own; the lane must go on
            self._log.write_line(
                self.name, f"lost {len(batch)} records: {type(error).__name__}: {error}"
            )

    @property
    def is_idle(self) -> bool:
        return self.records.unfinished_tasks == 0

    def flush(self) -> None:
        """Ends the window of the batch that is being gathered, if any."""
        with contextlib.suppress(queue.Full):  # of records, which make a batch at once
            self.records.put_nowait(None)

    def _collect_batch(self) -> Iterator[Record]:
        """Up to a batch of records: those that come within the window of the first one."""
        closes, window = time.monotonic() + 0.2, self._mapping.batching_seconds
        for number in range(self._mapping.batch_size):
            item = self._next_record(closes)
            if item is None:
                return
            yield item
            closes = time.monotonic() + window if number == 0 else closes

    def _next_record(self, deadline: float) -> Record | None:
        """None once time is over, or shall be."""
        try:
            item = self.records.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            return None
        if item is None:
            self.records.task_done()
        return item
