"""Finds clicks in files, wherever they were left, and brings them home: recorded and counted.

A file holds JSON, a line each or one document:

    log lines of the redirect, with the click under ``unrecorded_click``; also behind a time, or as
        the ``message`` of an exported log event
    parked messages, as the queue or its dead letters have them
    batches that the stream's failure destination keeps (``Records`` or, as text, ``payload``)

Anything may be given again: a click that is recorded or counted already stays as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from waypost.clicks.fallback_queue import UNRECORDED_CLICK_LOG_KEY
from waypost.errors import CorruptItem, StoreError
from waypost.models.click import Click
from waypost.tally.service import TallyResult

REPLAY_BATCH: Final = 500


class ReplayClickWriter(Protocol):
    """The one call of the ledger that is needed."""

    def record(self, click: Click) -> bool: ...


class ReplayTally(Protocol):
    """Counts clicks (``waypost.tally.service``)."""

    def count_clicks(self, clicks: Iterable[Click]) -> TallyResult: ...


@dataclass(slots=True)
class ReplayResult:
    """What a replay did. ``found`` clicks in the file, of which ``recorded`` and ``counted`` were
    not yet, and ``failed`` are to be replayed again. ``unreadable`` ones cannot be.
    """

    total: int = 0
    recorded: int = 0
    counted: int = 0
    failed: int = 0
    unreadable: int = 0


def replay_clicks(text: str, repository: ReplayClickWriter, tally: ReplayTally) -> ReplayResult:
    """Bring home every click of a file; only those that could not be count as failed."""
    done = ReplayResult()
    clicks: list[Click] = []
    for stored in extract_clicks(text):
        try:
            clicks.append(_parse_click(stored))
        except CorruptItem:
            done.unreadable += 1
    done.total = len(clicks)
    for start in range(0, len(clicks), REPLAY_BATCH):
        _replay_batch(clicks[start : start + REPLAY_BATCH], repository, tally, done)
    return done


def extract_clicks(text: str) -> Iterator[Mapping[str, object]]:
    """What looks like a click, as plain values or as an item, anywhere in a file."""
    try:
        documents = [json.loads(text)]
    except ValueError:
        documents = [document for line in text.splitlines() if (document := _parse_line(line))]
    for document in documents:
        yield from _find_clicks(document)


def _replay_batch(
    batch: Sequence[Click], repository: ReplayClickWriter, tally: ReplayTally, result: ReplayResult
) -> None:
    there = []
    for click in batch:
        try:
            result.recorded += repository.record(click)
            there.append(click)
        except StoreError:
            result.failed += 1
    try:
        counted = tally.count_clicks(there)
    except StoreError:
        result.failed += len(there)
        return
    result.counted += counted.new_count
    result.failed += len(counted.failed_ids)


def _parse_click(value: Mapping[str, object]) -> Click:
    if isinstance(value.get("id"), Mapping):  # an item's typed attributes
        return Click.from_item(value)  # type: ignore[arg-type]
    return Click.from_dict(value)


def _parse_line(line: str) -> object:
    """The JSON of a line, behind whatever stands before it; None where there is none."""
    start = line.find("{")
    try:
        return json.loads(line[start:]) if start >= 0 else None
    except ValueError:
        return None


def _find_clicks(document: object) -> Iterator[Mapping[str, object]]:
    if isinstance(document, list):
        for part in document:
            yield from _find_clicks(part)
    if not isinstance(document, dict):
        return
    if "link" in document and "delivery" in document:
        yield document
        return
    for key in (UNRECORDED_CLICK_LOG_KEY, "NewImage", "dynamodb", "Records", "events", "Messages"):
        yield from _find_clicks(document.get(key))
    for key in ("payload", "message", "body", "Body"):
        nested = document.get(key)
        yield from _find_clicks(_parse_line(nested) if isinstance(nested, str) else nested)
