"""Finds the links of a plain text as people write them, in sentences, brackets and quotes.

Where a URL ends is linkify-it's decision (trailing punctuation, balanced brackets, IDN); this
module decides where one may begin, and never shows it more of a text than one URL can be: its
expressions are slow on long runs of quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

from linkify_it import LinkifyIt

from waypost.rewrite.links.occurrence import Place, newlines_masked

LONGEST: Final = 4096
"""Characters of the longest URL that is looked for."""

_LINKIFIER = LinkifyIt({}, {"fuzzy_link": False, "fuzzy_email": False, "fuzzy_ip": False})
# Every further one of these doubles back over the rest: hostile texts have thousands.
_COSTLY = re.compile(r"'|://")
_MOST_COSTLY: Final = 8
_START = re.compile(r"(?<![A-Za-z0-9_])(https?):(?=//)", re.IGNORECASE)
# What no URL holds unescaped, the closing punctuation of scripts that use no spaces, and what texts
# carry unseen around a URL: widthless spaces, and marks of the direction of writing.
_END = re.compile(
    r"[\s\"<>«»“”„…。，、！？；：（）「」『』【】《》〈〉"
    r"\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff]"
)


def find_in_masked(text: str, masked: str) -> list[Place]:
    """The http(s) URLs of a text, found in a copy of the same length in which Liquid is masked."""
    return [
        Place(start=start, end=end, href=text[start:end], url=text[start:end])
        for start, end in _spans(newlines_masked(masked))
    ]


def _spans(text: str) -> Iterator[tuple[int, int]]:
    at = end = 0
    while found := _START.search(text, at):
        at = found.end()
        if end < at:
            end = _end_of_run(text, at)
        if end - at > LONGEST:
            continue
        length = _LINKIFIER.test_schema_at(_affordable(text[at:end]), "http:", 0)
        if length:
            at += length
            yield found.start(), at


def _end_of_run(text: str, start: int) -> int:
    end = _END.search(text, start)
    return end.start() if end else len(text)


def _affordable(tail: str) -> str:
    costly = next(islice(_COSTLY.finditer(tail), _MOST_COSTLY, None), None)
    return tail[: costly.start()] if costly else tail
