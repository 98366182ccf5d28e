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

from waypost.client.batches import (
    RecipientBatch,
    RecipientBatcher,
    build_failure,
    build_size_problem,
)
from waypost.client.progress import ProgressBar
from waypost.client.types import Message, Recipient
from waypost.errors import InvalidRequest, TooLarge

if TYPE_CHECKING:
    from waypost.rewrite.diagnostics import LinkEntry
    from waypost.rewrite.schemas import Delivery, DeliveryFailure
    from waypost.rewrite.service import RewriteResponse
    from waypost.rewrite.sms_segments import SmsSegmentCounts


MAX_WARNINGS = 200

# The figures of a warning are one batch's; the number of a link is not.
_FIGURE = re.compile(r"(?<!link )(?<![\d,])\d[\d,]*")


class MessageSummary(TypedDict):
    """The part of an answer that is about the message, not about its recipients."""

    links: list[LinkEntry]
    warnings: list[str]
    segments: NotRequired[SmsSegmentCounts]


class SummaryCollector:
    """What was told so far. ``room`` bounds the links, in bytes of their JSON; ``left_off`` says
    whether some had none.
    """

    def __init__(self, link_bytes: int | None = None, *, is_truncated: bool = False) -> None:
        self.warnings: list[str] = []
        self.segments: SmsSegmentCounts | None = None
        self.is_truncated = is_truncated
        self._free_bytes = link_bytes
        self._links: dict[tuple[object, ...], LinkEntry] = {}

    @property
    def links(self) -> list[LinkEntry]:
        """What became of each link, in the order of appearance."""
        return list(self._links.values())

    def add(self, summary: MessageSummary) -> None:
        """Note what one answer says. Of a link, and of a kind of warning, the first to be told
        stays, unless a link turns out not to lead where it should.
        """
        known = set(map(_warning_key, self.warnings))
        new = [each for each in summary["warnings"] if _warning_key(each) not in known]
        self.warnings = [*self.warnings, *new][:MAX_WARNINGS]
        for link in summary["links"]:
            self._add_link(link)
        if (segments := summary.get("segments")) is not None:
            self.segments = _merge_segments(self.segments, segments)

    def get_summary(self) -> MessageSummary:
        """All of it."""
        told: MessageSummary = {"links": self.links, "warnings": self.warnings}
        if self.segments is not None:
            told["segments"] = self.segments
        return told

    def _add_link(self, link: LinkEntry) -> None:
        what = (link["link"], link["url"], link["position"], link["tracked"], link["reason"])
        known = self._links.get(what)
        if known is not None:
            if known["destination"] is None or link["round_trip"] is False:
                self._links[what] = link
        elif self._has_room(link):
            self._links[what] = link

    def _has_room(self, link: LinkEntry) -> bool:
        if self._free_bytes is None:
            return True
        size = len(json.dumps(link))
        if size > self._free_bytes:
            self.is_truncated = True
            return False
        self._free_bytes -= size
        return True


def _warning_key(warning: str) -> str:
    return _FIGURE.sub("#", warning)


def _merge_segments(one: SmsSegmentCounts | None, other: SmsSegmentCounts) -> SmsSegmentCounts:
    if one is None:
        return other
    return {
        "encoding": "ucs-2" if "ucs-2" in {one["encoding"], other["encoding"]} else "gsm-7",
        "before": max(one["before"], other["before"]),
        "after": max(one["after"], other["after"]),
    }


RewriteCall = Callable[[bytes, Sequence[int]], "RewriteResponse"]


class RewriteResults(Iterator["Delivery"]):
    """Deliveries, each ready to be sent; and what was told along with those handed over so far."""

    def __init__(
        self, message: Message, recipients: Iterable[Recipient], call: RewriteCall, bar: ProgressBar
    ) -> None:
        self.failed: list[DeliveryFailure] = []
        """Recipients whose message could not be made, or who were refused, in their order."""
        self._summary = SummaryCollector()
        self._message = message
        self._run_key = message.get("idempotency_key") or uuid.uuid4().hex
        self._batcher = RecipientBatcher(message)
        self._call = call
        self._deliveries = self._iter_deliveries(recipients, bar)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Delivery:
        return next(self._deliveries)

    @property
    def links(self) -> list[LinkEntry]:
        """What became of each link, once for all batches."""
        return self._summary.links

    @property
    def warnings(self) -> list[str]:
        """What to know before sending, each once for all batches."""
        return self._summary.warnings

    @property
    def segments(self) -> SmsSegmentCounts | None:
        """Of a text message, what the longest takes."""
        return self._summary.segments

    def _iter_deliveries(
        self, recipients: Iterable[Recipient], bar: ProgressBar
    ) -> Iterator[Delivery]:
        with bar:
            for number, batch in enumerate(self._batcher.split_recipients(recipients)):
                if number:
                    bar.show()
                for answer in self._rewrite_batch(batch):
                    self.failed += answer["failed"]
                    self._summary.add(answer)
                    bar.advance(len(answer["failed"]))
                    for delivery in answer["deliveries"]:
                        yield delivery
                        bar.advance()

    def _rewrite_batch(self, batch: RecipientBatch) -> Iterator[RewriteResponse]:
        """A batch's answer, without the recipients that are refused, or those of its halves where
        it would be too large.
        """
        if not batch.encoded:
            yield _merge_failures(batch, _EMPTY_RESPONSE)
            return
        try:
            answer = self._call(batch.build_payload(self._message, self._run_key), batch.indexes)
        except InvalidRequest as error:
            fewer = batch.exclude_failures(error.problems)
            if fewer is None:
                raise
            yield from self._rewrite_batch(fewer)
        except TooLarge as error:
            yield from self._split_batch(batch, error)
        else:
            yield _merge_failures(batch, answer)

    def _split_batch(self, batch: RecipientBatch, error: TooLarge) -> Iterator[RewriteResponse]:
        """What is left to do where an answer had no room."""
        if error.field != "deliveries":
            raise error
        if len(batch.encoded) == 1:
            failed = build_failure(batch.deliveries[0], build_size_problem(error))
            yield _merge_failures(batch, {**_EMPTY_RESPONSE, "failed": [failed]})
            return
        self._batcher.max_recipients = max(
            1, min(self._batcher.max_recipients, len(batch.encoded) // 2)
        )
        for half in batch.split():
            yield from self._rewrite_batch(half)


_EMPTY_RESPONSE: RewriteResponse = {"deliveries": [], "failed": [], "links": [], "warnings": []}


def _merge_failures(batch: RecipientBatch, response: RewriteResponse) -> RewriteResponse:
    """What the function told, and the recipients that were refused, in the order of recipients."""
    places = dict(zip(batch.deliveries, batch.indexes, strict=True))
    failed = {places[each["delivery"]]: each for each in response["failed"]} | batch.failures
    return {**response, "failed": [failed[place] for place in sorted(failed)]}
