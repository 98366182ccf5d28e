"""A message on its way through the rewrite function, batch by batch: deliveries in the order of
recipients, everything else collected.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Self

from waypost.client.batches import Batch, Cutter, failure, too_large
from waypost.client.collecting import Collected
from waypost.client.progress import Bar
from waypost.client.types import Message, Recipient
from waypost.errors import InvalidRequest, TooLarge

if TYPE_CHECKING:
    from waypost.rewriting.report.entries import LinkEntry
    from waypost.rewriting.report.segment_counts import SegmentCounts
    from waypost.sending.answering import Answer
    from waypost.sending.outcomes import Delivery, Failure

Call = Callable[[bytes, Sequence[int]], "Answer"]


class Rewriting(Iterator["Delivery"]):
    """Deliveries, each ready to be sent; and what was told along with those handed over so far."""

    def __init__(
        self, message: Message, recipients: Iterable[Recipient], call: Call, bar: Bar
    ) -> None:
        self.failed: list[Failure] = []
        """Recipients whose message could not be made, or who were refused, in their order."""
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
            for number, batch in enumerate(self._cutter.batches(recipients)):
                if number:
                    bar.show()
                for answer in self._answers(batch):
                    self.failed += answer["failed"]
                    self._told.add(answer)
                    bar.advance(len(answer["failed"]))
                    for delivery in answer["deliveries"]:
                        yield delivery
                        bar.advance()

    def _answers(self, batch: Batch) -> Iterator[Answer]:
        """A batch's answer, without the recipients that are refused, or those of its halves where
        it would be too large.
        """
        if not batch.written:
            yield _answer(batch, _NOTHING)
            return
        try:
            answer = self._call(batch.payload(self._message, self._run), batch.places)
        except InvalidRequest as error:
            fewer = batch.without(error.problems)
            if fewer is None:
                raise
            yield from self._answers(fewer)
        except TooLarge as error:
            yield from self._smaller(batch, error)
        else:
            yield _answer(batch, answer)

    def _smaller(self, batch: Batch, error: TooLarge) -> Iterator[Answer]:
        """What is left to do where an answer had no room."""
        if error.field != "deliveries":
            raise error
        if len(batch.written) == 1:
            failed = failure(batch.deliveries[0], too_large(error))
            yield _answer(batch, {**_NOTHING, "failed": [failed]})
            return
        self._cutter.most = max(1, min(self._cutter.most, len(batch.written) // 2))
        for half in batch.halves():
            yield from self._answers(half)


_NOTHING: Answer = {"deliveries": [], "failed": [], "links": [], "warnings": []}


def _answer(batch: Batch, told: Answer) -> Answer:
    """What the function told, and the recipients that were refused, in the order of recipients."""
    places = dict(zip(batch.deliveries, batch.places, strict=True))
    failed = {places[each["delivery"]]: each for each in told["failed"]} | batch.refused
    return {**told, "failed": [failed[place] for place in sorted(failed)]}
