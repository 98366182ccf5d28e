"""Find the links of a plain text where a reader sees them, in sentences, brackets and quotes.

A URL begins at ``http://`` or ``https://``. It ends at white space, or at a character that no URL
holds unescaped or that belongs to the sentence by its Unicode category: quotes, brackets and
sentence punctuation of any script, emoji, and marks of the writing direction. Then punctuation,
quotes and brackets without a partner are taken off its end. Each character is read a fixed number
of times.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from unicodedata import category

from waypost.rewrite.links.occurrence import LinkOccurrence
from waypost.rewrite.links.placeholders import mask_newlines

MAX_TEXT_URL_LENGTH: Final = 4096
"""Characters of the longest URL that is tracked in a plain text."""

_URL_START = re.compile(r"(?<![A-Za-z0-9_])https?://", re.IGNORECASE)
_NOT_IN_URLS = re.compile(r"[\x00-\x20\"<>`\x7f]|[^\x00-\x7f]")
_END_CATEGORIES: Final = frozenset(
    {"Zs", "Zl", "Zp", "Cc", "Cn", "Pi", "Pf", "Ps", "Pe", "Po", "So", "Sk"}
)
_JOINERS: Final = "\u200c\u200d"
# Within words of Catalan, Hebrew and Yiddish, between two letters.
_WORD_PUNCTUATION: Final = "\u00b7\u05f3\u05f4"
_TRAILING: Final = frozenset(".,;:!?'*|\\([{^")
_PARTNERS: Final = {")": "(", "]": "[", "}": "{"}
_HOST_CHARACTER = re.compile(r"[A-Za-z0-9\[_]|[^\x00-\x7f]")
# Letters of scripts written without spaces: Thai, Lao, Hangul, Kana, Bopomofo, Han. A sentence
# goes on with them directly after a URL.
_SPACELESS_LETTER: Final = (
    "[\u0e01-\u0eff\u1100-\u11ff\u3005-\u3007\u3040-\u30ff\u3100-\u318f\u31a0-\u31bf\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff66-\uffdc"
    "\U00020000-\U0003ffff]"
)
_FILLER: Final = "\ue000"
_LINE_BREAK = re.compile(r"(?:(?<![ \t])[ \t]+)?\r?\n[ \t]*")
_SOFT_BREAK = re.compile(r" \r?\n")
_BRACKETED_LINES = re.compile(r"[^\s<>\"]+(?:[ \t]*\n[ \t]*[^\s<>\"]+)+(?=>)")
_NEXT_WORD = re.compile(_SPACELESS_LETTER)
_QUERY_STARTS: Final = ("?", "#")
_SENTENCE_GOES_ON = re.compile(rf"[?#]|(?<=[A-Za-z0-9]){_SPACELESS_LETTER}")


def find_plain_text_links(text: str, masked_text: str) -> list[LinkOccurrence]:
    """Find the http(s) URLs. ``masked_text`` is a copy of the same length with Liquid masked.

    A URL in angle brackets may go on in the next line (RFC 3986, appendix C).
    """
    return [
        _build_occurrence(text, start, end, _LINE_BREAK)
        for start, end in _iter_url_spans(mask_newlines(masked_text))
    ]


def find_links_across_soft_breaks(text: str, masked_text: str) -> list[LinkOccurrence]:
    """Find the URLs of ``format=flowed; delsp=yes``, where a space ends a line that goes on.

    Source: RFC 3676, 4.1: the space and the line break are not part of the text.
    """
    flowed = _SOFT_BREAK.sub(lambda match: _FILLER * len(match[0]), masked_text)
    return [
        _build_occurrence(text, start, end, _SOFT_BREAK)
        for start, end in _iter_url_spans(mask_newlines(flowed))
    ]


def _build_occurrence(
    text: str, start: int, end: int, line_break: re.Pattern[str]
) -> LinkOccurrence:
    url = line_break.sub("", text[start:end])
    next_letter = _NEXT_WORD.match(text, end)
    warning = f"it ends before {next_letter[0]}, without a space" if next_letter else None
    return LinkOccurrence(start=start, end=end, href=url, url=url, warning=warning)


def _iter_url_spans(text: str) -> Iterator[tuple[int, int]]:
    position = run_end = 0
    goes_on = -1
    while scheme := _URL_START.search(text, position):
        position = scheme.end()
        if text[scheme.start() - 1 : scheme.start()] == "<" and (
            lines := _BRACKETED_LINES.match(text, position, position + MAX_TEXT_URL_LENGTH)
        ):
            position = lines.end()
            yield scheme.start(), position
            continue
        if run_end < position:
            run_end = _find_run_end(text, position)
        if run_end - position > MAX_TEXT_URL_LENGTH or not _HOST_CHARACTER.match(text, position):
            continue
        if goes_on < position:
            goes_on = _find_sentence(text, position, run_end)
        url_end = run_end if text[goes_on : goes_on + 1] in _QUERY_STARTS else goes_on
        end = position + len(_trim_url(text[position:url_end]))
        if end > position:
            position = end
            yield scheme.start(), end


def _find_run_end(text: str, start: int) -> int:
    """Find the first character from ``start`` on that ends a URL wherever it stands."""
    position = start
    while match := _NOT_IN_URLS.search(text, position):
        position = match.start()
        if not _is_in_url(text, position):
            return position
        position += 1
    return len(text)


def _is_in_url(text: str, position: int) -> bool:
    character = text[position]
    if character.isascii():
        return False
    if character in _WORD_PUNCTUATION:
        return text[position - 1].isalpha() and text[position + 1 : position + 2].isalpha()
    kind = category(character)
    return character in _JOINERS if kind == "Cf" else kind not in _END_CATEGORIES


def _find_sentence(text: str, start: int, end: int) -> int:
    """Find the letter with which a sentence goes on, or a query before it; else return the end."""
    goes_on = _SENTENCE_GOES_ON.search(text, start, end)
    return goes_on.start() if goes_on else end


def _trim_url(url: str) -> str:
    """Take off what belongs to the sentence around a URL, given without its scheme."""
    return _strip_punctuation(_cut_at_lone_bracket(url))


def _cut_at_lone_bracket(url: str) -> str:
    """Cut a URL at the first closing bracket whose opening bracket is not part of it."""
    open_brackets = dict.fromkeys("([{", 0)
    for position, character in enumerate(url):
        if character in open_brackets:
            open_brackets[character] += 1
        elif partner := _PARTNERS.get(character):
            if not open_brackets[partner]:
                return url[:position]
            open_brackets[partner] -= 1
    return url


def _strip_punctuation(url: str) -> str:
    """Strip punctuation and opening brackets, but an apostrophe only if it has no partner."""
    apostrophes = url.count("'")
    end = len(url)
    while end and (last := url[end - 1]) in _TRAILING:
        if last == "'":
            if apostrophes % 2 == 0:
                break
            apostrophes -= 1
        end -= 1
    return url[:end]
