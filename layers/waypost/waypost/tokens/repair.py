"""What a link was before a mail client wrapped, encoded or decorated it.

Only what can be taken back exactly is taken back: percent- and quoted-printable encoding, breaks
where a line was wrapped, and what stands after the signature, whose length is fixed. Nothing is
guessed, since whatever comes out must be signed to lead anywhere. A lower-cased or cut link stays
lost: its characters are gone.
"""

from __future__ import annotations

import re
from binascii import a2b_qp
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

from waypost.tokens import APP_PATH, CLICK_PATH, PIXEL_PATH

_MAX_PERCENT_DECODINGS: Final = 3
"""How often a path may have been percent-encoded on its way."""
_MAX_TOKEN_CHARACTERS: Final = 10_240
"""Characters; API Gateway takes no longer request line."""
_TOKEN_PATTERN: Final = re.compile(r"/*([A-Za-z0-9_-]+)/([A-Za-z0-9_-]{22})(?![A-Za-z0-9])")
_LINE_WRAP_PATTERN: Final = re.compile("=?[ \t\r\n]+|[\u00ad\u200b-\u200d\u2060\ufeff]")
_PATH_PREFIX_PATTERN: Final = re.compile(f"(?:{APP_PATH})?(?:{CLICK_PATH}|{PIXEL_PATH})")


def is_pixel_path(path: str) -> bool:
    """Whether a path, which may be encoded, is one of pixels."""
    return _decode_percent(path).startswith(PIXEL_PATH)


def extract_token(path: str) -> str:
    """What follows ``/e/c/`` or ``/e/o/`` in a path that may be encoded; else nothing."""
    plain = _decode_percent(path)
    found = _PATH_PREFIX_PATTERN.match(plain)
    return plain[found.end() :] if found else ""


def iter_repairs(text: str) -> Iterator[str]:
    """Other readings of a ``payload/signature`` that does not open as it is: three at most, each
    in the shape of a token and different from the text.
    """
    if len(text) > _MAX_TOKEN_CHARACTERS:
        return
    plain = _decode_percent(text)
    tried = {text}
    for reading in (plain, undo_line_wrapping(text), _decode_qp(plain)):
        found = _TOKEN_PATTERN.match(reading)
        if found and (token := f"{found[1]}/{found[2]}") not in tried:
            tried.add(token)
            yield token


def undo_line_wrapping(text: str) -> str:
    """The text with percent-encoding, and breaks where a line was wrapped, taken back."""
    return _LINE_WRAP_PATTERN.sub("", _decode_percent(text))


def _decode_percent(text: str) -> str:
    """Percent-encoding taken back; where a break made it unreadable, as much as can be read."""
    for _ in range(_MAX_PERCENT_DECODINGS):
        plain = unquote(text)
        if plain == text:
            break
        text = plain
    return text


def _decode_qp(text: str) -> str:
    """Quoted-printable taken back: ``=2D`` for ``-``, and ``=`` before a line's end."""
    decoded = a2b_qp(text.encode()).decode("utf-8", "replace")
    return _LINE_WRAP_PATTERN.sub("", decoded)
