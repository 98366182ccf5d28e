"""Finds the conditional comments that Outlook reads as HTML: ``<!--[if mso]>…<![endif]-->``.

The parser knows which comments are real (and not text in a script, or in an attribute) but not
where they stand. So every place that looks like one is numbered in the copy that the parser gets,
in the three characters ``[if``; the comments in its tree then tell which numbers were real.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from turbohtml import Comment, Document

_OPENING = "<!--[if"
_FIRST_DIGIT = 0xE000
_RADIX = 4096
_MARKS = "".join(map(chr, range(0xF000, 0xF8FF)))
_READ_BY_OUTLOOK = re.compile(r"(?<![!\w])\(?\s*(?:(?:[gl]te?)\s+)?mso\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Numbered:
    """A copy of a document, of the same length, with its conditional comments numbered."""

    text: str
    mark: str
    offsets: tuple[int, ...]
    """Where each numbered ``<!--`` stands."""


def numbered(text: str) -> Numbered | None:
    """Number what may be conditional comments; None where nothing looks like one."""
    offsets = tuple(_openings(text))
    if not offsets:
        return None
    mark = next(m for m in _MARKS if m not in text)
    pieces: list[str] = []
    at = 0
    for number, offset in enumerate(offsets):
        high, low = divmod(number, _RADIX)
        pieces += text[at : offset + 4], chr(_FIRST_DIGIT + high), chr(_FIRST_DIGIT + low), mark
        at = offset + 7
    pieces.append(text[at:])
    return Numbered("".join(pieces), mark, offsets)


def _openings(text: str) -> Iterator[int]:
    """Where comments begin that look conditional. A single character is found thirty times faster
    than several, and brackets are rare in prose.
    """
    bracket = text.find("[")
    while bracket >= 0:
        start = max(0, bracket - 4)
        if text[start : bracket + 3].lower() == _OPENING:
            yield start
        bracket = text.find("[", bracket + 1)


def outlook_spans(document: Document, copy: Numbered) -> Iterator[tuple[int, int]]:
    """The spans of HTML inside the comments that Outlook reads, in the document's order."""
    for comment in document.xpath_iter("//comment()"):
        data = comment.data if isinstance(comment, Comment) else ""
        if data[2:3] != copy.mark:
            continue
        high, low = ord(data[0]) - _FIRST_DIGIT, ord(data[1]) - _FIRST_DIGIT
        condition, closed, _ = data[3:].partition("]>")
        if closed and _READ_BY_OUTLOOK.search(condition):
            start = copy.offsets[high * _RADIX + low] + 4
            yield start + 3 + len(condition) + 2, start + len(data)
