"""Batches of a stream: collected in a window, delivered in order, retried until processed.

A failed batch is retried, bisected, or cut at its first failed record; it is discarded when its
retries or its records' age reach the limit. Meanwhile the batches behind it wait.
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

_BACKOFF_SECONDS: Final = (0.1, 0.2, 0.4, 0.8, 1.6, 3.0)  # Lambda's are longer and undocumented

DiscardBatch: TypeAlias = Callable[[Sequence[Record], str, int, BatchFailures], None]
_QUEUE_SIZE: Final = 10_000  # records in a batcher before polling waits for it
_IDLE_SECONDS: Final = 0.2


class BatchDelivery:
    """Delivery of batches to a function, with retries."""

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
        """Deliver until every record is processed or discarded, or the stack stops."""
        pending = [(batch, 0)]
        while pending and not self._stop_event.is_set():
            records, retries = pending.pop()
            failures = self._invoke_batch(records)
            if not failures or self._stop_event.is_set():
                continue
            first = self._find_first_failure(records, failures)
            rest = records[first:]
            if reason := self._find_discard_reason(rest, retries, has_progress=first > 0):
                self._discard(rest, reason, retries + 1, failures)
            elif self._mapping.bisects_batches and first == 0 and len(rest) > 1:
                middle = len(rest) // 2
                pending += [(rest[middle:], retries), (rest[:middle], retries)]
            else:
                # Splitting, in the middle or at the first failed record, does not count as a retry.
                retry = retries if self._mapping.bisects_batches and first > 0 else retries + 1
                self._stop_event.wait(_BACKOFF_SECONDS[min(retry, len(_BACKOFF_SECONDS)) - 1])
                pending.append((rest, retry))

    def _invoke_batch(self, records: Sequence[Record]) -> BatchFailures:
        return parse_failures(
            self._invoke({"Records": records}),
            [get_sequence_number(record) for record in records],
            self._mapping.partial_responses,
        )

    @staticmethod
    def _find_first_failure(records: Sequence[Record], failures: BatchFailures) -> int:
        """Find the first failed record: the stream resumes there."""
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


class StreamBatcher(threading.Thread):
    """A thread that collects records of some partition keys into batches and delivers them."""

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
        except Exception as error:  # a bug of the stack must not stop the thread
            self._log.write_line(
                self.name, f"batch lost: {type(error).__name__}: {error} ({len(batch)} records)"
            )

    @property
    def is_idle(self) -> bool:
        return self.records.unfinished_tasks == 0

    def flush(self) -> None:
        """End the window of the current batch."""
        with contextlib.suppress(queue.Full):  # a full queue fills the batch without waiting
            self.records.put_nowait(None)

    def _collect_batch(self) -> Iterator[Record]:
        """Collect the records of the window after the first one, up to the batch size."""
        deadline = time.monotonic() + _IDLE_SECONDS
        for number in range(self._mapping.batch_size):
            record = self._next_record(deadline)
            if record is None:
                return
            yield record
            if number == 0:
                deadline = time.monotonic() + self._mapping.batching_seconds

    def _next_record(self, deadline: float) -> Record | None:
        """Return a record, or None when the window ends."""
        try:
            record = self.records.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            return None
        if record is None:
            self.records.task_done()
        return record
