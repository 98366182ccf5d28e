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

from waypost.rewrite.links.occurrence import LinkOccurrence, mask_newlines

MAX_TEXT_URL_LENGTH: Final = 4096
"""Characters of the longest URL that is looked for."""

_LINKIFIER = LinkifyIt({}, {"fuzzy_link": False, "fuzzy_email": False, "fuzzy_ip": False})
# Every further one of these doubles back over the rest: hostile texts have thousands.
_SLOW_TOKEN = re.compile(r"'|://")
_MAX_SLOW_TOKENS: Final = 8
_URL_START = re.compile(r"(?<![A-Za-z0-9_])(https?):(?=//)", re.IGNORECASE)
# What no URL holds unescaped, the closing punctuation of scripts that use no spaces, and what texts
# carry unseen around a URL: widthless spaces, and marks of the direction of writing.
_URL_END = re.compile(
    r"[\s\"<>«»“”„…。，、！？；：（）「」『』【】《》〈〉"
    r"\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff]"
)


def find_plain_text_links(text: str, masked_text: str) -> list[LinkOccurrence]:
    """The http(s) URLs of a text, found in a copy of the same length in which Liquid is masked."""
    return [
        LinkOccurrence(start=start, end=end, href=text[start:end], url=text[start:end])
        for start, end in _iter_url_spans(mask_newlines(masked_text))
    ]


def _iter_url_spans(text: str) -> Iterator[tuple[int, int]]:
    at = end = 0
    while found := _URL_START.search(text, at):
        at = found.end()
        if end < at:
            end = _find_run_end(text, at)
        if end - at > MAX_TEXT_URL_LENGTH:
            continue
        length = _LINKIFIER.test_schema_at(_limit_slow_tokens(text[at:end]), "http:", 0)
        if length:
            at += length
            yield found.start(), at


def _find_run_end(text: str, start: int) -> int:
    end = _URL_END.search(text, start)
    return end.start() if end else len(text)


def _limit_slow_tokens(tail: str) -> str:
    costly = next(islice(_SLOW_TOKEN.finditer(tail), _MAX_SLOW_TOKENS, None), None)
    return tail[: costly.start()] if costly else tail
