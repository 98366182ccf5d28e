"""Records of a stream on their way to a function, gathered into batches.

Within a lane order holds: a batch that fails keeps those behind it waiting.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Iterator
from typing import Final

from local.poller import Record
from local.processes import StackLog
from local.stream_batches import BatchDelivery
from local.stream_mapping import StreamMapping

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
