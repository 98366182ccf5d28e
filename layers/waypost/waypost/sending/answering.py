"""What the rewrite function answers, and whether it fits into an answer of Lambda's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final, NotRequired, TypedDict

from waypost.errors import TooLarge
from waypost.rewrite.renderer import Mailing
from waypost.rewriting.report.entries import LinkEntry
from waypost.rewriting.report.segment_counts import SegmentCounts
from waypost.sending.outcomes import Delivery, Failure

ANSWER_LIMIT: Final = 6 * 1024 * 1024 - 64 * 1024
"""Bytes of an answer: Lambda's limit, less some room for what stands around it."""


class Answer(TypedDict):
    """The answer of the rewrite function."""

    deliveries: list[Delivery]
    failed: list[Failure]
    links: list[LinkEntry]
    warnings: list[str]
    segments: NotRequired[SegmentCounts]


def fitting(outcomes: Iterator[Delivery | Failure]) -> Iterator[Delivery | Failure]:
    """Stops a batch as soon as it is plain that its answer will not fit. Raises TooLarge."""
    size = 0
    for outcome in outcomes:
        if "content" in outcome:
            size += sum(len(text) for text in outcome["content"].values() if isinstance(text, str))
        if size > ANSWER_LIMIT:
            raise TooLarge("deliveries", size, ANSWER_LIMIT)
        yield outcome


def answer_of(mailing: Mailing, outcomes: list[Delivery | Failure]) -> Answer:
    answer = Answer(
        deliveries=[outcome for outcome in outcomes if "content" in outcome],
        failed=[outcome for outcome in outcomes if "reason" in outcome],
        links=mailing.links(),
        warnings=mailing.warnings(),
    )
    if segments := mailing.segments():
        answer["segments"] = segments
    return answer


def check_fits(answer: Answer, *, quoted: bool) -> None:
    """Whether the answer as a whole fits, ``quoted`` as a string in JSON. Raises TooLarge."""
    text = json.dumps(answer, ensure_ascii=False)
    size = len((json.dumps(text, ensure_ascii=False) if quoted else text).encode())
    if size > ANSWER_LIMIT:
        raise TooLarge("deliveries", size, ANSWER_LIMIT)
