"""Finds the links of a raw message (RFC 5322) and says how each is written back.

Its text parts (``parts``) are decoded to find their links; what changes is written in the part's
own transfer encoding, and every other character of the message stays (``transfer``).

Text that has links and a PGP block cannot be changed: such a message is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from waypost.errors import InvalidRequest
from waypost.rewrite.links.extractor import (
    HTML_LINKS,
    TEXT_LINKS,
    TEXT_TAGS,
    Markup,
    find_places,
    with_opt_outs,
)
from waypost.rewrite.links.mime import Block, Decoded, decoded_part
from waypost.rewrite.links.occurrence import Place
from waypost.rewriting.links.parts import Part, parts_of
from waypost.rewriting.links.pixel import with_pixel

_INLINE_PGP = re.compile(r"^-----BEGIN PGP (?:SIGNED )?MESSAGE-----", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Mime:
    """A message with the bodies of base64 parts decoded, its links, and those parts' spans."""

    text: str
    places: list[Place]
    blocks: list[Block]


def read(raw: str, field: str, *, track_text: bool) -> Mime:
    """Find the links of a message's text parts.

    :raises InvalidRequest: when a part is signed or encrypted, or the message is no message.
    """
    parts = [
        (markup, decoded_part(raw, part.start, part.end, part.headers))
        for part in parts_of(raw, field)
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


def _markup(part: Part, *, track_text: bool) -> Markup | None:
    if part.headers.get_content_disposition() == "attachment":
        return None
    kind = part.headers.get_content_type()
    if kind == "text/html":
        return HTML_LINKS
    if kind == "text/plain":
        return TEXT_LINKS if track_text else TEXT_TAGS
    return None
