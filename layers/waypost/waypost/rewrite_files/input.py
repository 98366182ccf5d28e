"""The lines of the input, and the recipients that they are."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypedDict, final

from waypost.errors import InvalidRequest
from waypost.rewrite.schemas import RewriteRecipient
from waypost.validation import parse_json

MAX_LINE_BYTES: Final = 6 * 1024 * 1024
"""Bytes of a line: as many as an invocation could carry."""


@final
class InvalidLine(TypedDict):
    """A line of the input that is no recipient. Lines count from 1, as in an editor."""

    line: int
    delivery: None
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class InputLine:
    """A line of the input, and the offset of what follows it. ``text`` is None where the line is
    too long to be kept.
    """

    text: bytes | None
    end: int


def split_lines(chunks: Iterable[bytes], start: int) -> Iterator[InputLine]:
    """The lines of what begins at an offset, however it is cut, without the mark that some programs
    begin a file with. Keeps no line that is too long.
    """
    lines = _iter_lines(chunks, start)
    if start == 0 and (head := next(lines, None)) is not None:
        text = head.text
        yield InputLine(text and text.removeprefix(BOM_UTF8), head.end)
    yield from lines


def _iter_lines(chunks: Iterable[bytes], start: int) -> Iterator[InputLine]:
    pieces, end = _LineBuffer(), start
    for chunk in chunks:
        *whole, rest = chunk.split(b"\n")
        for piece in whole:
            pieces.add(piece)
            end += pieces.size + 1
            yield InputLine(pieces.join(), end)
            pieces = _LineBuffer()
        pieces.add(rest)
    if pieces.size:
        yield InputLine(pieces.join(), end + pieces.size)


class _LineBuffer:
    """A line while it is read."""

    def __init__(self) -> None:
        self.size = 0
        self._pieces: list[bytes] = []

    def add(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.size > MAX_LINE_BYTES:
            self._pieces.clear()
        else:
            self._pieces.append(piece)

    def join(self) -> bytes | None:
        return None if self.size > MAX_LINE_BYTES else b"".join(self._pieces)


def parse_recipients(
    lines: Iterable[InputLine], first_number: int
) -> Iterator[RewriteRecipient | InvalidLine]:
    """What stands on lines; nothing on empty ones. ``first``: the number of the first line."""
    for number, line in enumerate(lines, first_number):
        if line.text is None:
            reason = f"is over {MAX_LINE_BYTES:,} bytes"
            yield InvalidLine(line=number, delivery=None, field="body", reason=reason)
        elif line.text.strip():
            yield _parse_recipient(line.text, number)


def _parse_recipient(text: bytes, number: int) -> RewriteRecipient | InvalidLine:
    try:
        return parse_json(RewriteRecipient, text)
    except InvalidRequest as error:
        problem = error.problems[0]
        return InvalidLine(line=number, delivery=None, field=problem.field, reason=problem.reason)
