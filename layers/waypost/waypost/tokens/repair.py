"""Undo the changes that mail clients make to a link: wrapping, encoding, added characters.

Only changes that can be undone exactly are undone: percent-encoding, quoted-printable, line breaks
of wrapped lines, and characters after the signature, whose length is fixed. The signature of a
repaired token is verified like any other, so a wrong repair never redirects. A link in lower case
or a cut link cannot be repaired: its characters are lost.
"""

from __future__ import annotations

import re
from binascii import a2b_qp
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

from waypost.tokens import APP_PATH, CLICK_PATH, PIXEL_PATH

_MAX_PERCENT_DECODINGS: Final = 3
"""Number of times that mail clients may percent-encode a path."""
_MAX_TOKEN_CHARACTERS: Final = 10_240
"""Longest request line that API Gateway accepts."""
_TOKEN_PATTERN: Final = re.compile(r"/*([A-Za-z0-9_-]+)/([A-Za-z0-9_-]{22})(?![A-Za-z0-9])")
_LINE_WRAP_PATTERN: Final = re.compile("=?[ \t\r\n]+|[\u00ad\u200b-\u200d\u2060\ufeff]")
_PATH_PREFIX_PATTERN: Final = re.compile(f"(?:{APP_PATH})?(?:{CLICK_PATH}|{PIXEL_PATH})")


def is_pixel_path(path: str) -> bool:
    """Return True for the path of a pixel, percent-encoded or not."""
    return _decode_percent(path).startswith(PIXEL_PATH)


def extract_token(path: str) -> str:
    """Return the text after ``/e/c/`` or ``/e/o/`` in a path, encoded or not; else ``""``."""
    plain = _decode_percent(path)
    prefix = _PATH_PREFIX_PATTERN.match(plain)
    return plain[prefix.end() :] if prefix else ""


def iter_repairs(text: str) -> Iterator[str]:
    """Yield possible originals of a ``payload/signature`` that is not valid.

    At most three, each of the form of a token and different from the text and from the others.
    """
    if len(text) > _MAX_TOKEN_CHARACTERS:
        return
    plain = _decode_percent(text)
    tried = {text}
    for candidate in (plain, undo_line_wrapping(text), _decode_quoted_printable(plain)):
        match = _TOKEN_PATTERN.match(candidate)
        if match and (token := f"{match[1]}/{match[2]}") not in tried:
            tried.add(token)
            yield token


def undo_line_wrapping(text: str) -> str:
    """Remove percent-encoding and the line breaks of wrapped lines."""
    return _LINE_WRAP_PATTERN.sub("", _decode_percent(text))


def _decode_percent(text: str) -> str:
    for _ in range(_MAX_PERCENT_DECODINGS):
        plain = unquote(text)
        if plain == text:
            break
        text = plain
    return text


def _decode_quoted_printable(text: str) -> str:
    """Decode ``=2D`` to ``-``, and remove ``=`` before the end of a line."""
    decoded = a2b_qp(text.encode()).decode("utf-8", "replace")
    return _LINE_WRAP_PATTERN.sub("", decoded)
