"""A message on its way through the rewrite function, batch by batch: deliveries in the order of
recipients, everything else collected.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Self

from waypost.client.batches import Batch, Cutter
from waypost.client.collecting import Collected
from waypost.client.messages import Message, Recipient
from waypost.client.progress import Bar
from waypost.errors import TooLarge

if TYPE_CHECKING:
    from waypost.rewriting.report.entries import LinkEntry
    from waypost.rewriting.report.segment_counts import SegmentCounts
    from waypost.sending.answering import Answer
    from waypost.sending.outcomes import Delivery, Failure

Call = Callable[[bytes, int], "Answer"]


class Rewriting(Iterator["Delivery"]):
    """Deliveries, each ready to be sent; and what was told along with those handed over so far."""

    def __init__(
        self, message: Message, recipients: Iterable[Recipient], call: Call, bar: Bar
    ) -> None:
        self.failed: list[Failure] = []
        """Recipients whose message could not be made."""
        self._told = Collected()
        self._message = message
        self._run = message.get("idempotency_key") or uuid.uuid4().hex
        self._cutter = Cutter(message)
        self._call = call
        self._deliveries = self._all(recipients, bar)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Delivery:
        return next(self._deliveries)

    @property
    def links(self) -> list[LinkEntry]:
        """What became of each link, once for all batches."""
        return self._told.links

    @property
    def warnings(self) -> list[str]:
        """What to know before sending, each once for all batches."""
        return self._told.warnings

    @property
    def segments(self) -> SegmentCounts | None:
        """Of a text message, what the longest takes."""
        return self._told.segments

    def _all(self, recipients: Iterable[Recipient], bar: Bar) -> Iterator[Delivery]:
        with bar:
            for batch in self._cutter.batches(recipients):
                if batch.start:
                    bar.show()
                for answer in self._answers(batch):
                    self.failed += answer["failed"]
                    self._told.add(answer)
                    bar.advance(len(answer["failed"]))
                    for delivery in answer["deliveries"]:
                        yield delivery
                        bar.advance()

    def _answers(self, batch: Batch) -> Iterator[Answer]:
        """A batch's answer, or those of its halves where it would be too large."""
        try:
            if batch.size() > self._cutter.room:
                raise TooLarge("data", batch.size(), self._cutter.room)
            answer = self._call(batch.payload(self._message, self._run), batch.start)
        except TooLarge as error:
            if error.field not in {"deliveries", "data"}:
                raise
            if len(batch.written) == 1:
                yield _failed(batch, error)
                return
        else:
            yield answer
            return
        self._cutter.most = max(1, min(self._cutter.most, len(batch.written) // 2))
        for half in batch.halves():
            yield from self._answers(half)


def _failed(batch: Batch, error: TooLarge) -> Answer:
    """What is told of a recipient whose message has no room in any answer."""
    reason = str(error).removeprefix(f"{error.field} ")
    failure: Failure = {"delivery": batch.deliveries[0], "field": error.field, "reason": reason}
    return {"deliveries": [], "failed": [failure], "links": [], "warnings": []}
