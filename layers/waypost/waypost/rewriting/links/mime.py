"""Finds the links of a raw message (RFC 5322) and says how each is written back.

The message is cut at its boundaries into spans of the raw text; headers are read by the standard
library and never written. Text parts are decoded to find their links; what changes is written in
the part's own transfer encoding, and every other character of the message stays (``transfer``).

A signed or encrypted part (S/MIME, PGP) cannot be changed: such a message is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from email.message import Message as Headers
from email.parser import HeaderParser
from typing import Final

from waypost.errors import InvalidRequest
from waypost.rewriting.links.finding import (
    HTML_LINKS,
    TEXT_LINKS,
    TEXT_TAGS,
    Markup,
    find_places,
    with_opt_outs,
)
from waypost.rewriting.links.parameters import boundary_of
from waypost.rewriting.links.pixel import with_pixel
from waypost.rewriting.links.place import Place
from waypost.rewriting.links.transfer import Block, Decoded, decoded_part

DEEPEST: Final = 20
MOST_PARTS: Final = 500
_SEALED = {
    "multipart/signed": "signed",
    "multipart/encrypted": "encrypted",
    "application/pkcs7-mime": "signed or encrypted (S/MIME)",
    "application/x-pkcs7-mime": "signed or encrypted (S/MIME)",
    "application/pgp-encrypted": "encrypted (PGP)",
}
_INLINE_PGP = re.compile(r"^-----BEGIN PGP (?:SIGNED )?MESSAGE-----", re.MULTILINE)
_END_OF_HEADERS = re.compile(r"\A(?=\r?\n)|\r?\n(?=\r?\n)")
_HEADERS: Final = HeaderParser()
_NEWLINE = re.compile(r"\r?\n")


@dataclass(frozen=True, slots=True)
class Mime:
    """A message with the bodies of base64 parts decoded, its links, and those parts' spans."""

    text: str
    places: list[Place]
    blocks: list[Block]


@dataclass(frozen=True, slots=True)
class _Part:
    """A part that is no multipart: its headers and the span of its body."""

    headers: Headers
    start: int
    end: int


def read(raw: str, field: str, *, track_text: bool) -> Mime:
    """Find the links of a message's text parts.

    :raises InvalidRequest: when a part is signed or encrypted, or the message is no message.
    """
    parts = [
        (markup, decoded_part(raw, part.start, part.end, part.headers))
        for part in _parts(raw, 0, len(raw), field, 0)
        if (markup := _markup(part, track_text=track_text))
    ]
    found = [_found(markup, part, field) for markup, part in parts]
    anchors = [
        place
        for (markup, _), places in zip(parts, found, strict=True)
        if markup is HTML_LINKS
        for place in places
    ]
    return _assembled(
        raw,
        [
            (part, with_opt_outs(places, anchors) if markup is TEXT_LINKS else places)
            for (markup, part), places in zip(parts, found, strict=True)
        ],
        field,
    )


def _found(markup: Markup, part: Decoded, field: str) -> list[Place]:
    places = find_places(markup, part.text, field)
    # Where nothing could be read, nothing can be put in as the part is encoded.
    return with_pixel(places, part.text) if markup is HTML_LINKS and part.text else places


def is_dkim_signed(raw: str) -> bool:
    """Whether the message carries a DKIM signature, which rewriting breaks."""
    headers, _ = _headers(raw, 0, len(raw))
    return "dkim-signature" in headers


def _assembled(raw: str, parts: list[tuple[Decoded, list[Place]]], field: str) -> Mime:
    """The message with base64 bodies decoded; places and blocks in its characters."""
    pieces: list[str] = []
    places: list[Place] = []
    blocks: list[Block] = []
    at = length = 0
    for part, found in parts:
        if found and _INLINE_PGP.search(part.text):
            if any(not place.pixel for place in found):
                raise InvalidRequest.of(field, "has a signed or encrypted (PGP) part")
            continue
        if part.encode_block is None:
            shift = length - at
            places += (_moved(place, part, shift) for place in found)
        elif found:
            pieces += raw[at : part.start], part.text
            length += part.start - at
            places += (
                replace(place, start=place.start + length, end=place.end + length)
                for place in found
            )
            end = length + len(part.text)
            blocks.append(Block(length, end, raw[part.start : part.end], part.encode_block))
            at, length = part.end, end
    pieces.append(raw[at:])
    return Mime("".join(pieces), places, blocks)


def _moved(place: Place, part: Decoded, shift: int) -> Place:
    start, end = part.raw_span(place.start, place.end)
    return replace(place, start=start + shift, end=end + shift, transfer=part.transfer)


def _parts(raw: str, start: int, end: int, field: str, depth: int) -> Iterator[_Part]:
    headers, body = _headers(raw, start, end)
    kind = headers.get_content_type()
    if kind in _SEALED:
        raise InvalidRequest.of(field, f"has a part that is {_SEALED[kind]}: it cannot be changed")
    boundary = boundary_of(headers)
    if headers.get_content_maintype() != "multipart" or not boundary:
        yield _Part(headers, body, end)
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


def _markup(part: _Part, *, track_text: bool) -> Markup | None:
    if part.headers.get_content_disposition() == "attachment":
        return None
    kind = part.headers.get_content_type()
    if kind == "text/html":
        return HTML_LINKS
    if kind == "text/plain":
        return TEXT_LINKS if track_text else TEXT_TAGS
    return None
