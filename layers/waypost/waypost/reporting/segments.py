"""The people of a link as a file: CSV (RFC 4180) or newline-delimited JSON.

A file is written page by page and holds whole segments of some 50,000 people. A larger one comes in
parts, each with the cursor of the next, since an answer of a function is bounded in size and time.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias

from waypost.reporting.visitors import People, PersonClicks
from waypost.reports.people import MOST_PEOPLE

Format: TypeAlias = Literal["csv", "ndjson"]

PART_BYTES: Final = 4_000_000
"""As JSON, in which a function answers: 6 MB at most, and a page comes on top."""
PART_SECONDS: Final = 15

TYPES: Final[Mapping[Format, str]] = {
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson",
}
_COLUMNS: Final = tuple(PersonClicks.model_fields)


@dataclass(frozen=True, slots=True)
class Part:
    """A file, or a part of it. ``cursor`` asks for the next one, None at the end."""

    text: str
    cursor: str | None


class Listed(Protocol):
    """Who clicked a link, page by page (``waypost.reporting.people``)."""

    def of_link(self, workspace: str, link: str, cursor: str | None, limit: int) -> People: ...


@dataclass(frozen=True, slots=True)
class Segments:
    """``now`` is a monotonic clock in seconds."""

    people: Listed
    now: Callable[[], float]

    def part(self, workspace: str, link: str, written: Format, cursor: str | None) -> Part:
        """The file from a cursor on. Raises NotFound, InvalidRequest."""
        deadline = self.now() + PART_SECONDS
        texts = [_csv([_COLUMNS])] if written == "csv" and cursor is None else []
        size = 0
        while True:
            page = self.people.of_link(workspace, link, cursor, MOST_PEOPLE)
            texts.append(_written(page.people, written))
            size += len(json.dumps(texts[-1], ensure_ascii=False).encode())
            cursor = page.cursor
            if cursor is None or size >= PART_BYTES or self.now() >= deadline:
                return Part("".join(texts), cursor)


def _written(people: Iterable[PersonClicks], written: Format) -> str:
    if written == "csv":
        return _csv(person.model_dump().values() for person in people)
    return "".join(f"{person.model_dump_json()}\n" for person in people)


def _csv(rows: Iterable[Iterable[object]]) -> str:
    file = io.StringIO(newline="")
    csv.writer(file).writerows(rows)
    return file.getvalue()
