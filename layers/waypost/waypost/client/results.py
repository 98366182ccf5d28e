"""Collect the results of a message from the function's responses, batch by batch.

``SummaryCollector`` also merges the parts of a file's report (``waypost.rewrite_files``).
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, NotRequired, Self, TypedDict

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

MAX_WARNINGS: Final = 200

# Figures in a warning differ by batch, except the number of a link.
_FIGURE = re.compile(r"(?<!link )(?<![\d,])\d[\d,]*")


class MessageSummary(TypedDict):
    """The part of a response that describes the message, not its recipients."""

    links: list[LinkEntry]
    warnings: list[str]
    segments: NotRequired[SmsSegmentCounts]


class SummaryCollector:
    """Merges summaries: each link and each warning once, and the largest segment counts.

    ``link_bytes`` limits the links, in bytes of JSON; ``is_truncated`` is set if it dropped any.
    """

    def __init__(self, link_bytes: int | None = None, *, is_truncated: bool = False) -> None:
        self.warnings: list[str] = []
        self.segments: SmsSegmentCounts | None = None
        self.is_truncated = is_truncated
        self._free_bytes = link_bytes
        self._links: dict[tuple[object, ...], LinkEntry] = {}

    @property
    def links(self) -> list[LinkEntry]:
        """The links, in the order of appearance."""
        return list(self._links.values())

    def add(self, summary: MessageSummary) -> None:
        """Add the summary of a response.

        The first entry of a link stays, unless a later one has a destination or reports a wrong
        one. The first warning of a kind stays.
        """
        known = set(map(_warning_key, self.warnings))
        new = [warning for warning in summary["warnings"] if _warning_key(warning) not in known]
        self.warnings = [*self.warnings, *new][:MAX_WARNINGS]
        for link in summary["links"]:
            self._add_link(link)
        if (segments := summary.get("segments")) is not None:
            self.segments = _merge_segments(self.segments, segments)

    def get_summary(self) -> MessageSummary:
        """Return the merged summary."""
        summary: MessageSummary = {"links": self.links, "warnings": self.warnings}
        if self.segments is not None:
            summary["segments"] = self.segments
        return summary

    def _add_link(self, link: LinkEntry) -> None:
        key = (link["link"], link["url"], link["position"], link["tracked"], link["reason"])
        known = self._links.get(key)
        if known is not None:
            if known["destination"] is None or link["round_trip"] is False:
                self._links[key] = link
        elif self._take_bytes(link):
            self._links[key] = link

    def _take_bytes(self, link: LinkEntry) -> bool:
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


def _merge_segments(known: SmsSegmentCounts | None, segments: SmsSegmentCounts) -> SmsSegmentCounts:
    if known is None:
        return segments
    return {
        "encoding": "ucs-2" if "ucs-2" in {known["encoding"], segments["encoding"]} else "gsm-7",
        "before": max(known["before"], segments["before"]),
        "after": max(known["after"], segments["after"]),
    }


RewriteCall = Callable[[bytes, Sequence[int]], "RewriteResponse"]
"""Calls the function with a batch's payload and its recipients' indexes."""


class RewriteResults(Iterator["Delivery"]):
    """Iterates over deliveries in the order of recipients; each is ready to be sent.

    The other attributes cover the batches up to the current delivery.
    """

    def __init__(
        self, message: Message, recipients: Iterable[Recipient], call: RewriteCall, bar: ProgressBar
    ) -> None:
        self.failed: list[DeliveryFailure] = []
        """Recipients whose message could not be rendered or who were refused, in their order."""
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
        """The links of the message, each once."""
        return self._summary.links

    @property
    def warnings(self) -> list[str]:
        """Warnings to read before sending, each once."""
        return self._summary.warnings

    @property
    def segments(self) -> SmsSegmentCounts | None:
        """The most segments of any text message; None for other channels."""
        return self._summary.segments

    def _iter_deliveries(
        self, recipients: Iterable[Recipient], bar: ProgressBar
    ) -> Iterator[Delivery]:
        with bar:
            for number, batch in enumerate(self._batcher.split_recipients(recipients)):
                if number:
                    bar.show()
                for response in self._rewrite_batch(batch):
                    self.failed += response["failed"]
                    self._summary.add(response)
                    bar.advance(len(response["failed"]))
                    for delivery in response["deliveries"]:
                        yield delivery
                        bar.advance()

    def _rewrite_batch(self, batch: RecipientBatch) -> Iterator[RewriteResponse]:
        """Rewrite a batch without refused recipients, or in halves if its response is too large."""
        if not batch.encoded:
            yield _merge_failures(batch, _EMPTY_RESPONSE)
            return
        try:
            response = self._call(batch.build_payload(self._message, self._run_key), batch.indexes)
        except InvalidRequest as error:
            smaller = batch.exclude_failures(error.problems)
            if smaller is None:
                raise
            yield from self._rewrite_batch(smaller)
        except TooLarge as error:
            yield from self._split_batch(batch, error)
        else:
            yield _merge_failures(batch, response)

    def _split_batch(self, batch: RecipientBatch, error: TooLarge) -> Iterator[RewriteResponse]:
        """Rewrite a batch in halves after its response was too large."""
        if error.field != "deliveries":
            raise error
        if len(batch.encoded) == 1:
            failure = build_failure(batch.deliveries[0], build_size_problem(error))
            yield _merge_failures(batch, {**_EMPTY_RESPONSE, "failed": [failure]})
            return
        self._batcher.max_recipients = max(
            1, min(self._batcher.max_recipients, len(batch.encoded) // 2)
        )
        for half in batch.split():
            yield from self._rewrite_batch(half)


_EMPTY_RESPONSE: RewriteResponse = {"deliveries": [], "failed": [], "links": [], "warnings": []}


def _merge_failures(batch: RecipientBatch, response: RewriteResponse) -> RewriteResponse:
    """Add the refused recipients to the response's failures, in the order of recipients."""
    indexes = dict(zip(batch.deliveries, batch.indexes, strict=True))
    failures = {indexes[each["delivery"]]: each for each in response["failed"]} | batch.failures
    return {**response, "failed": [failures[index] for index in sorted(failures)]}
