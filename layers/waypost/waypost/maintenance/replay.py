"""Replay lost clicks from files: store them in the ledger and count them.

A file has JSON, as one document or one for each line:

    log lines of the redirect with ``unrecorded_click``, also after a timestamp, or as the
        ``message`` of an exported log event
    messages of the fallback queue or its dead-letter queue
    batches of the stream's failure destination (``Records``, or as text ``payload``)

A replay is idempotent: clicks that are stored or counted already do not change. Clicks of people
who opted out or were erased meanwhile are stored and counted without identity.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from waypost.clicks.fallback_queue import UNRECORDED_CLICK_LOG_KEY
from waypost.errors import CorruptItem, StoreError
from waypost.models.click import Click
from waypost.tally.service import LateClickRecorder, TallyService

REPLAY_BATCH: Final = 500
_JSON_ERRORS: Final = (ValueError, RecursionError)
"""JSON that nests too deeply is no click either."""


@dataclass(slots=True)
class ReplayResult:
    """The result of a replay: ``total`` readable clicks in the file, ``recorded`` and ``counted``
    for the first time, ``failed`` ones to replay again, and ``unreadable`` ones.
    """

    total: int = 0
    recorded: int = 0
    counted: int = 0
    failed: int = 0
    unreadable: int = 0


def replay_clicks(text: str, recorder: LateClickRecorder, tally: TallyService) -> ReplayResult:
    """Store and count every click of a file. Clicks that fail do not stop the others."""
    result = ReplayResult()
    clicks: list[Click] = []
    for value in extract_clicks(text):
        try:
            clicks.append(_parse_click(value))
        except CorruptItem:
            result.unreadable += 1
    result.total = len(clicks)
    for start in range(0, len(clicks), REPLAY_BATCH):
        _replay_batch(clicks[start : start + REPLAY_BATCH], recorder, tally, result)
    return result


def extract_clicks(text: str) -> Iterator[Mapping[str, object]]:
    """Yield anything with the form of a click, as plain values or as an item."""
    try:
        documents = [json.loads(text)]
    except _JSON_ERRORS:
        documents = [document for line in text.splitlines() if (document := _parse_line(line))]
    for document in documents:
        yield from _find_clicks(document)


def _replay_batch(
    batch: Sequence[Click], recorder: LateClickRecorder, tally: TallyService, result: ReplayResult
) -> None:
    recorded = recorder.record_clicks(batch)
    result.recorded += recorded.new_count
    result.failed += len(recorded.failure_reasons)
    try:
        counted = tally.count_clicks(recorded.clicks)
    except StoreError:
        result.failed += len(recorded.clicks)
        return
    result.counted += counted.new_count
    result.failed += len(counted.failed_ids)


def _parse_click(value: Mapping[str, object]) -> Click:
    if isinstance(value.get("id"), Mapping):  # an item's typed attributes
        return Click.from_item(value)  # type: ignore[arg-type]
    return Click.from_dict(value)


def _parse_line(line: str) -> object:
    """Parse the JSON of a line, after any text before it; None without JSON."""
    start = line.find("{")
    try:
        return json.loads(line[start:]) if start >= 0 else None
    except _JSON_ERRORS:
        return None


def _find_clicks(document: object) -> Iterator[Mapping[str, object]]:
    pending = [document]
    while pending:
        part = pending.pop()
        if isinstance(part, str):
            part = _parse_line(part)
        if isinstance(part, list):
            pending += [each for each in reversed(part) if isinstance(each, list | dict)]
        elif isinstance(part, dict) and "link" in part and "delivery" in part:
            yield part
        elif isinstance(part, dict):
            pending += reversed(list(_iter_parts(part)))


def _iter_parts(document: Mapping[str, object]) -> Iterator[object]:
    """Iterate over the values that may contain clicks, some of them as text."""
    for key in (UNRECORDED_CLICK_LOG_KEY, "NewImage", "dynamodb", "Records", "events", "Messages"):
        if isinstance(document.get(key), list | dict):
            yield document[key]
    for key in ("payload", "message", "body", "Body"):
        yield document.get(key)
