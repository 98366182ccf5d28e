"""A message on its way through the rewrite function, batch by batch: deliveries in the order of
recipients, everything else collected.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import TYPE_CHECKING, Final, Self, cast

from waypost.client.batches import Batch, Cutter
from waypost.client.calling import Invoker, called
from waypost.client.messages import Message, Recipient
from waypost.client.progress import Bar
from waypost.errors import TooLarge

if TYPE_CHECKING:
    from waypost.rewriting.report import LinkEntry
    from waypost.rewriting.segment_report import SegmentCounts
    from waypost.sending.batches import Answer
    from waypost.sending.mailing import Delivery, Failure

READ_SECONDS: Final = 120
"""How long an answer is waited for; a batch takes seconds."""

Call = Callable[[bytes, int], "Answer"]


class Client:
    """Calls one rewrite function, by name or ARN, best with its alias: ``waypost-us-rewrite:live``.

    ``invoker`` is a Lambda client of boto3; without one, one is made from the usual settings.
    Several threads may use one client. ``sleep`` is called between attempts, with seconds.
    """

    def __init__(
        self,
        function: str,
        invoker: Invoker | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._function = function
        self._invoker = invoker or _lambda_client()
        self._sleep = sleep

    def rewrite(
        self, message: Message, recipients: Iterable[Recipient], *, progress: bool = True
    ) -> Rewriting:
        """Rewrite a message for any number of recipients; nothing is called before the answer
        is iterated over. Deliveries must differ: the function only sees those of one batch.

        With an ``idempotency_key``, the same call made again counts no delivery twice.

        :raises TooLarge: when the message leaves no room in a payload; while iterating, when the
            function finds it too large.
        :raises InvalidRequest: while iterating, with each field and reason.
        :raises CallFailed: while iterating, when the function cannot be reached or gives up.
        """
        total = len(recipients) if isinstance(recipients, Sized) else None
        return Rewriting(message, recipients, self._call, Bar(total, wanted=progress))

    def _call(self, payload: bytes, start: int) -> Answer:
        return called(self._invoker, self._function, payload, start, self._sleep)


class Rewriting(Iterator["Delivery"]):
    """Deliveries, each ready to be sent; and what was told along with those handed over so far."""

    def __init__(
        self, message: Message, recipients: Iterable[Recipient], call: Call, bar: Bar
    ) -> None:
        self.failed: list[Failure] = []
        """Recipients whose message could not be made."""
        self.warnings: list[str] = []
        self.segments: SegmentCounts | None = None
        """Of a text message, what the longest takes."""
        self._links: dict[tuple[object, ...], LinkEntry] = {}
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
        return list(self._links.values())

    def _all(self, recipients: Iterable[Recipient], bar: Bar) -> Iterator[Delivery]:
        with bar:
            for batch in self._cutter.batches(recipients):
                if batch.start:
                    bar.show()
                for answer in self._answers(batch):
                    self._note(answer)
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

    def _note(self, answer: Answer) -> None:
        self.failed += answer["failed"]
        self.warnings += [each for each in answer["warnings"] if each not in self.warnings]
        for link in answer["links"]:
            what = (link["link"], link["url"], link["position"], link["tracked"], link["reason"])
            self._links.setdefault(what, link)
        if (segments := answer.get("segments")) is not None:
            self.segments = _longest(self.segments, segments)


def _failed(batch: Batch, error: TooLarge) -> Answer:
    """What is told of a recipient whose message has no room in any answer."""
    reason = str(error).removeprefix(f"{error.field} ")
    failure: Failure = {"delivery": batch.deliveries[0], "field": error.field, "reason": reason}
    return {"deliveries": [], "failed": [failure], "links": [], "warnings": []}


def _longest(one: SegmentCounts | None, other: SegmentCounts) -> SegmentCounts:
    if one is None:
        return other
    return {
        "encoding": "ucs-2" if "ucs-2" in {one["encoding"], other["encoding"]} else "gsm-7",
        "before": max(one["before"], other["before"]),
        "after": max(one["after"], other["after"]),
    }


def _lambda_client() -> Invoker:
    import boto3
    from botocore.config import Config

    # One attempt here: what is tried again, and how often, is decided in ``calling``.
    config = Config(read_timeout=READ_SECONDS, retries={"total_max_attempts": 1})
    return cast("Invoker", boto3.client("lambda", config=config))
