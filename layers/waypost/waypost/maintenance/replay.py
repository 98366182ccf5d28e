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

from waypost.clicks.fallback_queue import LOG_KEY
from waypost.errors import MalformedItem, StoreError
from waypost.models.click import Click
from waypost.tally.service import Counted

BATCH: Final = 500


class Ledger(Protocol):
    """The one call of the ledger that is needed."""

    def record(self, click: Click) -> bool: ...


class Counts(Protocol):
    """Counts clicks (``waypost.tally.service``)."""

    def count(self, clicks: Iterable[Click]) -> Counted: ...


@dataclass(slots=True)
class Replayed:
    """What a replay did. ``found`` clicks in the file, of which ``recorded`` and ``counted`` were
    not yet, and ``failed`` are to be replayed again. ``unreadable`` ones cannot be.
    """

    found: int = 0
    recorded: int = 0
    counted: int = 0
    failed: int = 0
    unreadable: int = 0


def replay(text: str, ledger: Ledger, tally: Counts) -> Replayed:
    """Bring home every click of a file; only those that could not be count as failed."""
    done = Replayed()
    clicks: list[Click] = []
    for stored in stored_clicks(text):
        try:
            clicks.append(_read(stored))
        except MalformedItem:
            done.unreadable += 1
    done.found = len(clicks)
    for start in range(0, len(clicks), BATCH):
        _bring_home(clicks[start : start + BATCH], ledger, tally, done)
    return done


def stored_clicks(text: str) -> Iterator[Mapping[str, object]]:
    """What looks like a click, as plain values or as an item, anywhere in a file."""
    try:
        documents = [json.loads(text)]
    except ValueError:
        documents = [document for line in text.splitlines() if (document := _document(line))]
    for document in documents:
        yield from _within(document)


def _bring_home(batch: Sequence[Click], ledger: Ledger, tally: Counts, done: Replayed) -> None:
    there = []
    for click in batch:
        try:
            done.recorded += ledger.record(click)
            there.append(click)
        except StoreError:
            done.failed += 1
    try:
        counted = tally.count(there)
    except StoreError:
        done.failed += len(there)
        return
    done.counted += counted.fresh
    done.failed += len(counted.failed)


def _read(stored: Mapping[str, object]) -> Click:
    if isinstance(stored.get("id"), Mapping):  # an item's typed attributes
        return Click.from_item(stored)  # type: ignore[arg-type]
    return Click.from_stored(stored)


def _document(line: str) -> object:
    """The JSON of a line, behind whatever stands before it; None where there is none."""
    start = line.find("{")
    try:
        return json.loads(line[start:]) if start >= 0 else None
    except ValueError:
        return None


def _within(document: object) -> Iterator[Mapping[str, object]]:
    if isinstance(document, list):
        for part in document:
            yield from _within(part)
    if not isinstance(document, dict):
        return
    if "link" in document and "delivery" in document:
        yield document
        return
    for key in (LOG_KEY, "NewImage", "dynamodb", "Records", "events", "Messages"):
        yield from _within(document.get(key))
    for key in ("payload", "message", "body", "Body"):
        nested = document.get(key)
        yield from _within(_document(nested) if isinstance(nested, str) else nested)
