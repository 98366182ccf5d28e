"""Find the links of a plain text as people write them, in sentences, brackets and quotes.

linkify-it decides where a URL ends (trailing punctuation, balanced brackets, IDN). This module
decides where one begins, and passes on at most the length of one URL, because linkify-it's
expressions are slow on long runs of quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

from linkify_it import LinkifyIt

from waypost.rewrite.links.occurrence import LinkOccurrence
from waypost.rewrite.links.placeholders import mask_newlines

MAX_TEXT_URL_LENGTH: Final = 4096
"""Characters of the longest URL that is tracked in a plain text."""

_LINKIFIER = LinkifyIt({}, {"fuzzy_link": False, "fuzzy_email": False, "fuzzy_ip": False})
# linkify-it backtracks over the rest at each of these; hostile texts have thousands.
_SLOW_TOKEN = re.compile(r"'|://")
_MAX_SLOW_TOKENS: Final = 8
_URL_START = re.compile(r"(?<![A-Za-z0-9_])(https?):(?=//)", re.IGNORECASE)
# Characters that no URL holds unescaped, the closing punctuation of scripts without spaces, and
# invisible characters around a URL: zero-width spaces and marks of the writing direction.
_URL_END = re.compile(
    r"[\s\"<>«»“”„…。，、！？；：（）「」『』【】《》〈〉"
    r"\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff]"
)


def find_plain_text_links(text: str, masked_text: str) -> list[LinkOccurrence]:
    """Find the http(s) URLs. ``masked_text`` is a copy of the same length with Liquid masked."""
    return [
        LinkOccurrence(start=start, end=end, href=text[start:end], url=text[start:end])
        for start, end in _iter_url_spans(mask_newlines(masked_text))
    ]


def _iter_url_spans(text: str) -> Iterator[tuple[int, int]]:
    position = run_end = 0
    while scheme := _URL_START.search(text, position):
        position = scheme.end()
        if run_end < position:
            run_end = _find_run_end(text, position)
        if run_end - position > MAX_TEXT_URL_LENGTH:
            continue
        tail = _limit_slow_tokens(text[position:run_end])
        length = _LINKIFIER.test_schema_at(tail, "http:", 0)
        if length:
            position += length
            yield scheme.start(), position


def _find_run_end(text: str, start: int) -> int:
    end = _URL_END.search(text, start)
    return end.start() if end else len(text)


def _limit_slow_tokens(tail: str) -> str:
    token = next(islice(_SLOW_TOKEN.finditer(tail), _MAX_SLOW_TOKENS, None), None)
    return tail[: token.start()] if token else tail
