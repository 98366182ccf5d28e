"""The people of a link as a file: CSV (RFC 4180) or newline-delimited JSON.

A file is written page by page and holds whole segments of some 50,000 people. A larger one comes in
parts, each with the cursor of the next, since an answer of a function is bounded in size and time.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias

from waypost.reporting.people import MOST_PEOPLE
from waypost.reporting.visitors import People, PersonClicks

Format: TypeAlias = Literal["csv", "ndjson"]

PART_BYTES: Final = 4_000_000
"""An answer over HTTP is at most 6 MB, and text grows a little as JSON."""
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
        file = io.StringIO(newline="")
        if written == "csv" and cursor is None:
            csv.writer(file).writerow(_COLUMNS)
        while True:
            page = self.people.of_link(workspace, link, cursor, MOST_PEOPLE)
            _write(file, page.people, written)
            cursor = page.cursor
            if cursor is None or file.tell() >= PART_BYTES or self.now() >= deadline:
                return Part(file.getvalue(), cursor)


def _write(file: io.StringIO, people: list[PersonClicks], written: Format) -> None:
    if written == "csv":
        csv.writer(file).writerows(person.model_dump().values() for person in people)
    else:
        file.writelines(f"{person.model_dump_json()}\n" for person in people)
