"""Hides from the HTML parser what is not HTML, without moving a single character.

The parser counts characters after newline normalisation and knows nothing of Liquid. So it is
given a copy of the same length: carriage returns become whitespace, and Liquid, whose quotes and
angle brackets mean nothing to HTML, becomes letters of the private use area.
"""

from __future__ import annotations

import re

_FILLER = "\ue000"

# Rendered content: what looks like Liquid is left for somebody downstream. It may hide quotes and
# a ``>``, but never a tag: browsers would see that.
_LEFTOVER = re.compile(r"\{\{[^<{}]*\}\}|\{%[^<{}]*%\}")


def newlines_masked(text: str) -> str:
    """The text without carriage returns, every other character where it was."""
    if "\r" not in text:
        return text
    return text.replace("\r\n", " \n").replace("\r", "\n")


def leftovers_masked(text: str) -> str:
    """The text with everything that looks like Liquid made harmless, of the same length."""
    if "{" not in text:
        return text
    return _LEFTOVER.sub(lambda found: _FILLER * len(found[0]), text)


def spans_masked(text: str, spans: list[tuple[int, int]]) -> str:
    """The text with the given spans, in order and apart, made harmless, of the same length."""
    if not spans:
        return text
    pieces: list[str] = []
    at = 0
    for start, end in spans:
        pieces += text[at:start], _FILLER * (end - start)
        at = end
    pieces.append(text[at:])
    return "".join(pieces)
