"""A message on its way through the rewrite function, batch by batch: deliveries in the order of
recipients, everything else collected.

What several answers tell together: each link, each warning once, and the longest message.

The parts of a file's report are put together in the same way (``waypost.rewrite_files``).
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NotRequired, Self, TypedDict

from waypost.client.batches import Batch, Cutter, failure, too_large
from waypost.client.progress import Bar
from waypost.client.types import Message, Recipient
from waypost.errors import InvalidRequest, TooLarge

if TYPE_CHECKING:
    from waypost.rewrite.diagnostics import LinkEntry
    from waypost.rewrite.schemas import Delivery, Failure
    from waypost.rewrite.service import Answer
    from waypost.rewrite.sms_segments import SegmentCounts


MOST_WARNINGS = 200

# The figures of a warning are one batch's; the number of a link is not.
_FIGURE = re.compile(r"(?<!link )(?<![\d,])\d[\d,]*")


class Told(TypedDict):
    """The part of an answer that is about the message, not about its recipients."""

    links: list[LinkEntry]
    warnings: list[str]
    segments: NotRequired[SegmentCounts]


class Collected:
    """What was told so far. ``room`` bounds the links, in bytes of their JSON; ``left_off`` says
    whether some had none.
    """

    def __init__(self, room: int | None = None, *, left_off: bool = False) -> None:
        self.warnings: list[str] = []
        self.segments: SegmentCounts | None = None
        self.left_off = left_off
        self._room = room
        self._links: dict[tuple[object, ...], LinkEntry] = {}

    @property
    def links(self) -> list[LinkEntry]:
        """What became of each link, in the order of appearance."""
        return list(self._links.values())

    def add(self, told: Told) -> None:
        """Note what one answer says. Of a link, and of a kind of warning, the first to be told
        stays, unless a link turns out not to lead where it should.
        """
        known = set(map(_kind, self.warnings))
        new = [each for each in told["warnings"] if _kind(each) not in known]
        self.warnings = [*self.warnings, *new][:MOST_WARNINGS]
        for link in told["links"]:
            self._add(link)
        if (segments := told.get("segments")) is not None:
            self.segments = _longest(self.segments, segments)

    def told(self) -> Told:
        """All of it."""
        told: Told = {"links": self.links, "warnings": self.warnings}
        if self.segments is not None:
            told["segments"] = self.segments
        return told

    def _add(self, link: LinkEntry) -> None:
        what = (link["link"], link["url"], link["position"], link["tracked"], link["reason"])
        known = self._links.get(what)
        if known is not None:
            if known["destination"] is None or link["round_trip"] is False:
                self._links[what] = link
        elif self._has_room(link):
            self._links[what] = link

    def _has_room(self, link: LinkEntry) -> bool:
        if self._room is None:
            return True
        size = len(json.dumps(link))
        if size > self._room:
            self.left_off = True
            return False
        self._room -= size
        return True


def _kind(warning: str) -> str:
    return _FIGURE.sub("#", warning)


def _longest(one: SegmentCounts | None, other: SegmentCounts) -> SegmentCounts:
    if one is None:
        return other
    return {
        "encoding": "ucs-2" if "ucs-2" in {one["encoding"], other["encoding"]} else "gsm-7",
        "before": max(one["before"], other["before"]),
        "after": max(one["after"], other["after"]),
    }


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
