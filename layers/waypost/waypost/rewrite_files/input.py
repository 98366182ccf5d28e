"""Read recipients from the lines of a file."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypedDict, final

from waypost.errors import InvalidRequest
from waypost.rewrite.schemas import RewriteRecipient
from waypost.validation import parse_json

MAX_LINE_BYTES: Final = 6 * 1024 * 1024
"""Bytes of a line: Lambda's limit for the payload of an invocation."""


@final
class InvalidLine(TypedDict):
    """A line that is not a valid recipient. ``line`` counts from 1, as in an editor."""

    line: int
    delivery: None
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class InputLine:
    """A line, and the offset of the next one. Too long a line has no ``text``."""

    text: bytes | None
    end: int


def split_lines(chunks: Iterable[bytes], start: int) -> Iterator[InputLine]:
    """Split a stream that begins at an offset into lines, and drop a byte order mark.

    A line over ``MAX_LINE_BYTES`` is never held in memory.
    """
    lines = _iter_lines(chunks, start)
    if start == 0 and (first := next(lines, None)) is not None:
        text = first.text
        yield InputLine(text and text.removeprefix(BOM_UTF8), first.end)
    yield from lines


def _iter_lines(chunks: Iterable[bytes], start: int) -> Iterator[InputLine]:
    buffer, end = _LineBuffer(), start
    for chunk in chunks:
        *ends, rest = chunk.split(b"\n")
        for piece in ends:
            buffer.add(piece)
            end += buffer.size + 1
            yield InputLine(buffer.join(), end)
            buffer = _LineBuffer()
        buffer.add(rest)
    if buffer.size:
        yield InputLine(buffer.join(), end + buffer.size)


class _LineBuffer:
    """The pieces of a line that is not complete; empty once the line is too long."""

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
    """Parse the recipients of lines, which are numbered from ``first_number``; skip empty lines."""
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
