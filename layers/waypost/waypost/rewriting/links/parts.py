"""The parts of a raw message (RFC 5322), as spans of its text: it is cut at its boundaries, headers
are read by the standard library and never written.

A signed or encrypted part (S/MIME, PGP) cannot be changed: such a message is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message as Headers
from email.parser import HeaderParser
from typing import Final

from waypost.errors import InvalidRequest
from waypost.rewriting.links.part_headers import boundary_of

DEEPEST: Final = 20
MOST_PARTS: Final = 500
_SEALED = {
    "multipart/signed": "signed",
    "multipart/encrypted": "encrypted",
    "application/pkcs7-mime": "signed or encrypted (S/MIME)",
    "application/x-pkcs7-mime": "signed or encrypted (S/MIME)",
    "application/pgp-encrypted": "encrypted (PGP)",
}
_END_OF_HEADERS = re.compile(r"\A(?=\r?\n)|\r?\n(?=\r?\n)")
_HEADERS: Final = HeaderParser()
_NEWLINE = re.compile(r"\r?\n")


@dataclass(frozen=True, slots=True)
class Part:
    """A part that is no multipart: its headers and the span of its body."""

    headers: Headers
    start: int
    end: int


def parts_of(raw: str, field: str) -> Iterator[Part]:
    """The parts of a message that are no multiparts, in order.

    :raises InvalidRequest: when a part is sealed, or they are too many or nested too deep.
    """
    return _parts(raw, 0, len(raw), field, 0)


def is_dkim_signed(raw: str) -> bool:
    """Whether the message carries a DKIM signature, which rewriting breaks."""
    headers, _ = _headers(raw, 0, len(raw))
    return "dkim-signature" in headers


def _parts(raw: str, start: int, end: int, field: str, depth: int) -> Iterator[Part]:
    headers, body = _headers(raw, start, end)
    kind = headers.get_content_type()
    if kind in _SEALED:
        raise InvalidRequest.of(field, f"has a part that is {_SEALED[kind]}: it cannot be changed")
    boundary = boundary_of(headers)
    if headers.get_content_maintype() != "multipart" or not boundary:
        yield Part(headers, body, end)
        return
    if depth == DEEPEST:
        raise InvalidRequest.of(field, f"nests parts more than {DEEPEST} deep")
    for number, (first, last) in enumerate(_cut(raw, body, end, boundary)):
        if number == MOST_PARTS:
            raise InvalidRequest.of(field, f"has more than {MOST_PARTS} parts in one")
        yield from _parts(raw, first, last, field, depth + 1)


def _headers(raw: str, start: int, end: int) -> tuple[Headers, int]:
    """The headers, and where the body begins."""
    blank = _END_OF_HEADERS.search(raw[start:end])
    if blank is None:
        return _HEADERS.parsestr(raw[start:end]), end
    newline = _NEWLINE.match(raw, start + blank.end(), end)
    body = newline.end() if newline else end
    return _HEADERS.parsestr(raw[start:body]), body


def _cut(raw: str, start: int, end: int, boundary: str) -> Iterator[tuple[int, int]]:
    """The spans of a multipart's parts (RFC 2046, 5.1.1): a delimiter owns the newline before."""
    delimiter = re.compile(
        rf"(?:^|(?<=\n))--{re.escape(boundary)}(--)?[ \t]*(?:\r?\n|\Z)", re.MULTILINE
    )
    first: int | None = None
    for line in delimiter.finditer(raw, start, end):
        if first is not None:
            yield first, max(first, _before_newline(raw, line.start()))
        if line[1]:
            return
        first = line.end()
    if first is not None:
        yield first, end


def _before_newline(raw: str, at: int) -> int:
    if raw[at - 2 : at] == "\r\n":
        return at - 2
    return at - 1 if raw[at - 1 : at] == "\n" else at
