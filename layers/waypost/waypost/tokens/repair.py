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

from waypost.tokens import APP, CLICKS, PIXELS

_ENCODINGS: Final = 3
"""How often a path may have been percent-encoded on its way."""
_LONGEST: Final = 10_240
"""Characters; API Gateway takes no longer request line."""
_SHAPE: Final = re.compile(r"/*([A-Za-z0-9_-]+)/([A-Za-z0-9_-]{22})(?![A-Za-z0-9])")
_WRAPPED: Final = re.compile("=?[ \t\r\n]+|[\u00ad\u200b-\u200d\u2060\ufeff]")
_PREFIX: Final = re.compile(f"(?:{APP})?(?:{CLICKS}|{PIXELS})")


def asks_for_pixel(path: str) -> bool:
    """Whether a path, which may be encoded, is one of pixels."""
    return _decoded(path).startswith(PIXELS)


def rest_of_path(path: str) -> str:
    """What follows ``/e/c/`` or ``/e/o/`` in a path that may be encoded; else nothing."""
    plain = _decoded(path)
    found = _PREFIX.match(plain)
    return plain[found.end() :] if found else ""


def mended(text: str) -> Iterator[str]:
    """Other readings of a ``payload/signature`` that does not open as it is: three at most, each
    in the shape of a token and different from the text.
    """
    if len(text) > _LONGEST:
        return
    plain = _decoded(text)
    tried = {text}
    for reading in (plain, unwrapped(text), _unquoted(plain)):
        found = _SHAPE.match(reading)
        if found and (token := f"{found[1]}/{found[2]}") not in tried:
            tried.add(token)
            yield token


def unwrapped(text: str) -> str:
    """The text with percent-encoding, and breaks where a line was wrapped, taken back."""
    return _WRAPPED.sub("", _decoded(text))


def _decoded(text: str) -> str:
    """Percent-encoding taken back; where a break made it unreadable, as much as can be read."""
    for _ in range(_ENCODINGS):
        plain = unquote(text)
        if plain == text:
            break
        text = plain
    return text


def _unquoted(text: str) -> str:
    """Quoted-printable taken back: ``=2D`` for ``-``, and ``=`` before a line's end."""
    decoded = a2b_qp(text.encode()).decode("utf-8", "replace")
    return _WRAPPED.sub("", decoded)
