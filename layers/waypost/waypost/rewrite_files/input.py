"""The lines of the input, and the recipients that they are."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypedDict, final

from waypost.errors import InvalidRequest
from waypost.rewrite.schemas import Recipient
from waypost.validation import parsed

LONGEST_LINE: Final = 6 * 1024 * 1024
"""Bytes of a line: as many as an invocation could carry."""


@final
class BadLine(TypedDict):
    """A line of the input that is no recipient. Lines count from 1, as in an editor."""

    line: int
    delivery: None
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the input, and the offset of what follows it. ``text`` is None where the line is
    too long to be kept.
    """

    text: bytes | None
    end: int


def split(chunks: Iterable[bytes], start: int) -> Iterator[Line]:
    """The lines of what begins at an offset, however it is cut, without the mark that some programs
    begin a file with. Keeps no line that is too long.
    """
    lines = _lines(chunks, start)
    if start == 0 and (head := next(lines, None)) is not None:
        text = head.text
        yield Line(text and text.removeprefix(BOM_UTF8), head.end)
    yield from lines


def _lines(chunks: Iterable[bytes], start: int) -> Iterator[Line]:
    pieces, end = _Pieces(), start
    for chunk in chunks:
        *whole, rest = chunk.split(b"\n")
        for piece in whole:
            pieces.add(piece)
            end += pieces.size + 1
            yield Line(pieces.joined(), end)
            pieces = _Pieces()
        pieces.add(rest)
    if pieces.size:
        yield Line(pieces.joined(), end + pieces.size)


class _Pieces:
    """A line while it is read."""

    def __init__(self) -> None:
        self.size = 0
        self._kept: list[bytes] = []

    def add(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.size > LONGEST_LINE:
            self._kept.clear()
        else:
            self._kept.append(piece)

    def joined(self) -> bytes | None:
        return None if self.size > LONGEST_LINE else b"".join(self._kept)


def recipients(lines: Iterable[Line], first: int) -> Iterator[Recipient | BadLine]:
    """What stands on lines; nothing on empty ones. ``first``: the number of the first line."""
    for number, line in enumerate(lines, first):
        if line.text is None:
            reason = f"is over {LONGEST_LINE:,} bytes"
            yield BadLine(line=number, delivery=None, field="body", reason=reason)
        elif line.text.strip():
            yield _recipient(line.text, number)


def _recipient(text: bytes, number: int) -> Recipient | BadLine:
    try:
        return parsed(Recipient, text)
    except InvalidRequest as error:
        problem = error.problems[0]
        return BadLine(line=number, delivery=None, field=problem.field, reason=problem.reason)
