"""Mask a text for the HTML parser without moving any offset.

The parser gets a copy of the same length, whose offsets are valid in the source. The parser counts
characters after newline normalization, so carriage returns become whitespace. Quotes and angle
brackets of Liquid mean nothing in HTML, so Liquid becomes characters of the private use area.

A numbered placeholder identifies a piece of the source in the parser's tree: two digits in base
4,096, then a marker, which is filler wherever else it is in the source.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

PLACEHOLDER_LENGTH: Final = 3
_FILLER: Final = "\ue000"
_FIRST_DIGIT: Final = 0xE000
_RADIX: Final = 4096
COMMENT_MARKER: Final = "\uf000"
"""Marks the placeholder of a conditional comment."""
LIQUID_MARKER: Final = "\uf001"
"""Marks the placeholder of a piece of Liquid."""
# In rendered content, text that looks like Liquid belongs to a later system. It may hide quotes and
# ``>``, but no tag, because browsers see tags.
_LIQUID_LOOKALIKE = re.compile(r"\{\{[^<{}]*\}\}|\{%[^<{}]*%\}")


def mask_newlines(text: str) -> str:
    """Replace carriage returns and keep the offset of every other character."""
    if "\r" not in text:
        return text
    return text.replace("\r\n", " \n").replace("\r", "\n")


def mask_liquid(text: str) -> str:
    """Replace everything that looks like Liquid with filler of the same length."""
    if "{" not in text:
        return text
    return _LIQUID_LOOKALIKE.sub(lambda match: _FILLER * len(match[0]), text)


def mask_spans(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """Replace spans with filler of the same length. They are in order and do not overlap."""
    return replace_spans(text, ((start, end, "") for start, end in spans))


def replace_spans(text: str, spans: Iterable[tuple[int, int, str]]) -> str:
    """Replace spans with their placeholder, filled up to the same length."""
    pieces: list[str] = []
    position = 0
    for start, end, placeholder in spans:
        pieces += text[position:start], placeholder.ljust(end - start, _FILLER)
        position = end
    pieces.append(text[position:])
    return "".join(pieces)


def mask_marker(text: str, marker: str) -> str:
    """Replace a marker that is in the text already with filler."""
    return text.replace(marker, _FILLER)


def encode_placeholder(number: int, marker: str) -> str:
    """Return a number below 4,096² as a placeholder."""
    high, low = divmod(number, _RADIX)
    return chr(_FIRST_DIGIT + high) + chr(_FIRST_DIGIT + low) + marker


def decode_placeholder(digits: str) -> int:
    """Return the number of a placeholder from its two digits."""
    high, low = (ord(digit) - _FIRST_DIGIT for digit in digits)
    return high * _RADIX + low
