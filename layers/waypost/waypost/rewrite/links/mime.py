"""How the text of a MIME part is read from its transfer encoding, and changes are written back.

- 7bit and 8bit: the part as it stands; tracking links are ASCII
- quoted-printable: each changed value between two soft line breaks, all else as it was
- base64: the part is encoded anew, in lines as long as they were, unless nothing changed
- any other: the part is left alone, as mail programs show nothing of it (RFC 2045, 6.4)

Only two encodings move characters: a part in one of them is decoded to bytes, the bytes by their
charset (``charsets``), and every character knows where in the raw text it ended.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import Message as Headers
from functools import partial
from typing import Final

from waypost.rewrite.links.occurrence import Encode, as_is
from waypost.rewriting.links.charsets import bytes_inside, ends_of_characters, switches, text_of
from waypost.rewriting.links.part_headers import charset_of, encoding_of

_QP_LINE: Final = 75
_BASE64_LINE: Final = 76
_QP = re.compile(rb"=([0-9A-Fa-f]{2})|=[ \t]*\r?\n")
_AS_THEY_STAND = ("7bit", "8bit", "binary")


@dataclass(frozen=True, slots=True)
class Block:
    """Characters ``start`` to ``end`` of an assembled text that are encoded as one.

    ``original`` is how they were encoded.
    """

    start: int
    end: int
    original: str
    encode: Encode


@dataclass(frozen=True, slots=True)
class Decoded:
    """The text of a part. ``ends``: for every character, where in the raw text it ended; None where
    the text stands there as it is. ``encode_block`` encodes a whole body, ``transfer`` one value.
    """

    text: str
    start: int
    end: int
    ends: Sequence[int] | None = None
    transfer: Encode = as_is
    encode_block: Encode | None = None

    def raw_span(self, start: int, end: int) -> tuple[int, int]:
        """Where characters of the text stand in the raw message."""
        if self.ends is None:
            return self.start + start, self.start + end
        return self._end_of(start - 1), self._end_of(end - 1)

    def _end_of(self, character: int) -> int:
        return self.ends[character] if self.ends and character >= 0 else self.start


def decoded_part(raw: str, start: int, end: int, headers: Headers) -> Decoded:
    """Read a text part whose body stands at ``raw[start:end]``."""
    encoding = encoding_of(headers)
    charset = charset_of(headers)
    body = raw[start:end]
    if encoding == "base64":
        return _base64_part(body, start, end, charset)
    if encoding == "quoted-printable":
        data, ends = _unquoted(body)
    elif encoding not in _AS_THEY_STAND:
        return Decoded("", start, end)
    elif switches(charset):
        data, ends = body.encode(), _byte_ends(body)
    else:
        return Decoded(body, start, end)
    text, codec = text_of(data, charset)
    characters = ends_of_characters(data, text, codec)
    quoted = partial(_quoted, codec=codec, newline="\r\n" if "\r\n" in body else "\n")
    return Decoded(
        text,
        start,
        end,
        ends=[start + ends[byte - 1] for byte in characters],
        transfer=quoted if encoding == "quoted-printable" else partial(_switched, codec=codec),
    )


def _base64_part(body: str, start: int, end: int, charset: str) -> Decoded:
    try:
        data = b64decode("".join(body.split()).encode("ascii"), validate=True)
    except (ValueError, UnicodeEncodeError):
        # Mail programs show what they can of it; there is nothing in it that we could put back.
        return Decoded("", start, end)
    text, codec = text_of(data, charset)
    newline = "\r\n" if "\r\n" in body else "\n"
    width = max((len(line) for line in body.splitlines()), default=0) or _BASE64_LINE
    tail = body[len(body.rstrip()) :]

    def encode(changed: str) -> str:
        whole = b64encode(changed.encode(codec)).decode("ascii")
        lines = (whole[at : at + width] for at in range(0, len(whole), width))
        return newline.join(lines) + tail

    return Decoded(text, start, end, encode_block=encode)


def _unquoted(body: str) -> tuple[bytes, list[int]]:
    """The bytes of a quoted-printable body, and for every byte where in the body it ended."""
    data = bytearray()
    ends: list[int] = []
    source = body.encode()
    positions = _byte_ends(body)
    at = 0
    for escape in _QP.finditer(source):
        data += source[at : escape.start()]
        ends += positions[at : escape.start()]
        if escape[1]:
            data.append(int(escape[1], 16))
            ends.append(positions[escape.end() - 1])
        at = escape.end()
    data += source[at:]
    ends += positions[at:]
    return bytes(data), ends


def _byte_ends(text: str) -> list[int]:
    """For every byte of a text in UTF-8, where its character ends."""
    if text.isascii():
        return list(range(1, len(text) + 1))
    return [at for at, c in enumerate(text, 1) for _ in c.encode()]


def _switched(value: str, *, codec: str) -> str:
    """A value in a charset that switches, as its bytes stand in the message."""
    return bytes_inside(value, codec).decode()


def _quoted(value: str, *, codec: str, newline: str) -> str:
    """A value in quoted-printable, on lines of its own: soft breaks before and after keep every
    line within 76 characters.
    """
    lines: list[str] = []
    line = ""
    for byte in bytes_inside(value, codec):
        piece = chr(byte) if 32 < byte < 127 and byte != 61 else f"={byte:02X}"
        if len(line) + len(piece) > _QP_LINE:
            lines.append(line)
            line = ""
        line += piece
    soft = "=" + newline
    return soft + soft.join([*lines, line]) + soft
