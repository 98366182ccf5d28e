"""How the text of a MIME part is read from its transfer encoding, and changes are written back.

- 7bit and 8bit: the part as it stands; tracking links are ASCII
- quoted-printable: each changed value between two soft line breaks, all else as it was
- base64: the part is encoded anew, in lines as long as they were, unless nothing changed
- any other: the part is left alone, as mail programs show nothing of it (RFC 2045, 6.4)

Only two encodings move characters: a part in one of them is decoded to bytes, the bytes by their
charset (``charsets``), and every character knows where in the raw text it ended.

Which text the bytes of a part are, and which bytes a value becomes in it.

What the headers of a part say of it, where the standard library can read that.

Its parser gives up on some parameters of hostile or broken messages (RFC 2231), each time with
another of Python's errors; they say nothing then, and mail programs go by the defaults, too.

The parts of a raw message (RFC 5322), as spans of its text: it is cut at its boundaries, headers
are read by the standard library and never written.

A signed or encrypted part (S/MIME, PGP) cannot be changed: such a message is refused.

Finds the links of a raw message (RFC 5322) and says how each is written back.

Its text parts (``parts``) are decoded to find their links; what changes is written in the part's
own transfer encoding, and every other character of the message stays (``transfer``).

Text that has links and a PGP block cannot be changed: such a message is refused.
"""

from __future__ import annotations

import codecs
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from email.message import Message as Headers
from email.parser import HeaderParser
from functools import partial
from typing import Final

from waypost.errors import InvalidRequest
from waypost.rewrite.links.extractor import (
    HTML_LINKS,
    TEXT_LINKS,
    TEXT_TAGS,
    Markup,
    apply_anchor_options,
    find_links,
)
from waypost.rewrite.links.html import add_pixel
from waypost.rewrite.links.occurrence import LinkOccurrence, TextTransform, pass_through

_STATEFUL_CHARSETS = (
    "iso-2022",
    "iso2022",
    "hz",
    "utf-7",
    "utf-16",
    "utf-32",
    "utf16",
    "utf32",
    "utf7",
)


def is_stateful_charset(charset: str) -> bool:
    """Whether bytes of the ASCII range are not always ASCII in it."""
    return charset.startswith(_STATEFUL_CHARSETS)


def decode_bytes(data: bytes, charset: str) -> tuple[str, str]:
    """The text of bytes, and the codec by which it becomes the same bytes again. Where the declared
    charset cannot, most mail programs take UTF-8, and Latin-1 for what is none.
    """
    for codec in (charset, "utf-8"):
        try:
            text = data.decode(codec)
            if text.encode(codec) == data:
                return text, codec
        except (LookupError, ValueError):  # no charset, not in it, or a name that holds a zero
            continue
    return data.decode("latin-1"), "latin-1"


def encode_fragment(value: str, codec: str) -> bytes:
    """A value as it stands inside of a text: without the mark that a codec begins a text with."""
    return value.encode(codec).removeprefix("".encode(codec))


def locate_character_ends(data: bytes, text: str, codec: str) -> list[int]:
    """For every character of the text of bytes the number of bytes up to its end."""
    if len(text) == len(data):
        return list(range(1, len(data) + 1))
    decoder = codecs.getincrementaldecoder(codec)()
    ends: list[int] = []
    for at in range(len(data)):
        ends += [at + 1] * len(decoder.decode(data[at : at + 1]))
    return ends


US_ASCII: Final = "us-ascii"


def read_charset(headers: Headers) -> str:
    """The charset that a part says it is in."""
    return _read_parameter(headers.get_content_charset) or US_ASCII


def read_boundary(headers: Headers) -> str | None:
    """What stands between the parts of a multipart; None where it does not say."""
    return _read_parameter(headers.get_boundary)


def read_transfer_encoding(headers: Headers) -> str:
    """The transfer encoding that a part says it is in, without what may stand behind its name."""
    named = re.search(r"[\w\-]+", str(headers.get("content-transfer-encoding", "")))
    return named[0].lower() if named else "7bit"


def _read_parameter(parameter: Callable[[], object]) -> str | None:
    try:
        value = parameter()
    except (TypeError, ValueError, LookupError):
        return None
    return str(value) if value else None


_QP_LINE: Final = 75
_BASE64_LINE: Final = 76
_QP = re.compile(rb"=([0-9A-Fa-f]{2})|=[ \t]*\r?\n")
_IDENTITY_ENCODINGS = ("7bit", "8bit", "binary")


@dataclass(frozen=True, slots=True)
class EncodedBlock:
    """Characters ``start`` to ``end`` of an assembled text that are encoded as one.

    ``original`` is how they were encoded.
    """

    start: int
    end: int
    original: str
    encode: TextTransform


@dataclass(frozen=True, slots=True)
class DecodedPart:
    """The text of a part. ``ends``: for every character, where in the raw text it ended; None where
    the text stands there as it is. ``encode_block`` encodes a whole body, ``transfer`` one value.
    """

    text: str
    start: int
    end: int
    character_ends: Sequence[int] | None = None
    encode_transfer: TextTransform = pass_through
    encode_block: TextTransform | None = None

    def locate_raw_span(self, start: int, end: int) -> tuple[int, int]:
        """Where characters of the text stand in the raw message."""
        if self.character_ends is None:
            return self.start + start, self.start + end
        return self._locate_end(start - 1), self._locate_end(end - 1)

    def _locate_end(self, character: int) -> int:
        return (
            self.character_ends[character] if self.character_ends and character >= 0 else self.start
        )


def decode_part(raw: str, start: int, end: int, headers: Headers) -> DecodedPart:
    """Read a text part whose body stands at ``raw[start:end]``."""
    encoding = read_transfer_encoding(headers)
    charset = read_charset(headers)
    body = raw[start:end]
    if encoding == "base64":
        return _decode_base64_part(body, start, end, charset)
    if encoding == "quoted-printable":
        data, ends = _decode_qp(body)
    elif encoding not in _IDENTITY_ENCODINGS:
        return DecodedPart("", start, end)
    elif is_stateful_charset(charset):
        data, ends = body.encode(), _locate_byte_ends(body)
    else:
        return DecodedPart(body, start, end)
    text, codec = decode_bytes(data, charset)
    characters = locate_character_ends(data, text, codec)
    quoted = partial(_encode_qp, codec=codec, newline="\r\n" if "\r\n" in body else "\n")
    return DecodedPart(
        text,
        start,
        end,
        character_ends=[start + ends[byte - 1] for byte in characters],
        encode_transfer=quoted
        if encoding == "quoted-printable"
        else partial(_encode_stateful, codec=codec),
    )


def _decode_base64_part(body: str, start: int, end: int, charset: str) -> DecodedPart:
    try:
        data = b64decode("".join(body.split()).encode("ascii"), validate=True)
    except (ValueError, UnicodeEncodeError):
        # Mail programs show what they can of it; there is nothing in it that we could put back.
        return DecodedPart("", start, end)
    text, codec = decode_bytes(data, charset)
    newline = "\r\n" if "\r\n" in body else "\n"
    width = max((len(line) for line in body.splitlines()), default=0) or _BASE64_LINE
    tail = body[len(body.rstrip()) :]

    def encode(changed: str) -> str:
        whole = b64encode(changed.encode(codec)).decode("ascii")
        lines = (whole[at : at + width] for at in range(0, len(whole), width))
        return newline.join(lines) + tail

    return DecodedPart(text, start, end, encode_block=encode)


def _decode_qp(body: str) -> tuple[bytes, list[int]]:
    """The bytes of a quoted-printable body, and for every byte where in the body it ended."""
    data = bytearray()
    ends: list[int] = []
    source = body.encode()
    positions = _locate_byte_ends(body)
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


def _locate_byte_ends(text: str) -> list[int]:
    """For every byte of a text in UTF-8, where its character ends."""
    if text.isascii():
        return list(range(1, len(text) + 1))
    return [at for at, c in enumerate(text, 1) for _ in c.encode()]


def _encode_stateful(value: str, *, codec: str) -> str:
    """A value in a charset that switches, as its bytes stand in the message."""
    return encode_fragment(value, codec).decode()


def _encode_qp(value: str, *, codec: str, newline: str) -> str:
    """A value in quoted-printable, on lines of its own: soft breaks before and after keep every
    line within 76 characters.
    """
    lines: list[str] = []
    line = ""
    for byte in encode_fragment(value, codec):
        piece = chr(byte) if 32 < byte < 127 and byte != 61 else f"={byte:02X}"
        if len(line) + len(piece) > _QP_LINE:
            lines.append(line)
            line = ""
        line += piece
    soft = "=" + newline
    return soft + soft.join([*lines, line]) + soft


MAX_PART_DEPTH: Final = 20
MAX_MIME_PARTS: Final = 500
_SEALED_TYPES = {
    "multipart/signed": "signed",
    "multipart/encrypted": "encrypted",
    "application/pkcs7-mime": "signed or encrypted (S/MIME)",
    "application/x-pkcs7-mime": "signed or encrypted (S/MIME)",
    "application/pgp-encrypted": "encrypted (PGP)",
}
_END_OF_HEADERS = re.compile(r"\A(?=\r?\n)|\r?\n(?=\r?\n)")
_HEADER_PARSER: Final = HeaderParser()
_NEWLINE = re.compile(r"\r?\n")


@dataclass(frozen=True, slots=True)
class MimePart:
    """A part that is no multipart: its headers and the span of its body."""

    headers: Headers
    start: int
    end: int


def iter_leaf_parts(raw: str, field: str) -> Iterator[MimePart]:
    """The parts of a message that are no multiparts, in order.

    :raises InvalidRequest: when a part is sealed, or they are too many or nested too deep.
    """
    return _iter_parts(raw, 0, len(raw), field, 0)


def has_dkim_signature(raw: str) -> bool:
    """Whether the message carries a DKIM signature, which rewriting breaks."""
    headers, _ = _read_headers(raw, 0, len(raw))
    return "dkim-signature" in headers


def _iter_parts(raw: str, start: int, end: int, field: str, depth: int) -> Iterator[MimePart]:
    headers, body = _read_headers(raw, start, end)
    kind = headers.get_content_type()
    if kind in _SEALED_TYPES:
        raise InvalidRequest.from_field(
            field, f"has a part that is {_SEALED_TYPES[kind]}: it cannot be changed"
        )
    boundary = read_boundary(headers)
    if headers.get_content_maintype() != "multipart" or not boundary:
        yield MimePart(headers, body, end)
        return
    if depth == MAX_PART_DEPTH:
        raise InvalidRequest.from_field(field, f"nests parts more than {MAX_PART_DEPTH} deep")
    for number, (first, last) in enumerate(_split_multipart(raw, body, end, boundary)):
        if number == MAX_MIME_PARTS:
            raise InvalidRequest.from_field(field, f"has more than {MAX_MIME_PARTS} parts in one")
        yield from _iter_parts(raw, first, last, field, depth + 1)


def _read_headers(raw: str, start: int, end: int) -> tuple[Headers, int]:
    """The headers, and where the body begins."""
    blank = _END_OF_HEADERS.search(raw[start:end])
    if blank is None:
        return _HEADER_PARSER.parsestr(raw[start:end]), end
    newline = _NEWLINE.match(raw, start + blank.end(), end)
    body = newline.end() if newline else end
    return _HEADER_PARSER.parsestr(raw[start:body]), body


def _split_multipart(raw: str, start: int, end: int, boundary: str) -> Iterator[tuple[int, int]]:
    """The spans of a multipart's parts (RFC 2046, 5.1.1): a delimiter owns the newline before."""
    delimiter = re.compile(
        rf"(?:^|(?<=\n))--{re.escape(boundary)}(--)?[ \t]*(?:\r?\n|\Z)", re.MULTILINE
    )
    first: int | None = None
    for line in delimiter.finditer(raw, start, end):
        if first is not None:
            yield first, max(first, _find_newline_start(raw, line.start()))
        if line[1]:
            return
        first = line.end()
    if first is not None:
        yield first, end


def _find_newline_start(raw: str, offset: int) -> int:
    if raw[offset - 2 : offset] == "\r\n":
        return offset - 2
    return offset - 1 if raw[offset - 1 : offset] == "\n" else offset


_INLINE_PGP = re.compile(r"^-----BEGIN PGP (?:SIGNED )?MESSAGE-----", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class MimeMessage:
    """A message with the bodies of base64 parts decoded, its links, and those parts' spans."""

    text: str
    occurrences: list[LinkOccurrence]
    blocks: list[EncodedBlock]


def parse_mime(raw: str, field: str, *, track_text: bool) -> MimeMessage:
    """Find the links of a message's text parts.

    :raises InvalidRequest: when a part is signed or encrypted, or the message is no message.
    """
    parts = [
        (markup, decode_part(raw, part.start, part.end, part.headers))
        for part in iter_leaf_parts(raw, field)
        if (markup := _select_part_markup(part, track_text=track_text))
    ]
    found = [_find_part_links(markup, part, field) for markup, part in parts]
    anchors = [
        place
        for (markup, _), places in zip(parts, found, strict=True)
        if markup is HTML_LINKS
        for place in places
    ]
    return _assemble_message(
        raw,
        [
            (part, apply_anchor_options(places, anchors) if markup is TEXT_LINKS else places)
            for (markup, part), places in zip(parts, found, strict=True)
        ],
        field,
    )


def _find_part_links(markup: Markup, part: DecodedPart, field: str) -> list[LinkOccurrence]:
    places = find_links(markup, part.text, field)
    # Where nothing could be read, nothing can be put in as the part is encoded.
    return add_pixel(places, part.text) if markup is HTML_LINKS and part.text else places


def _assemble_message(
    raw: str, parts: list[tuple[DecodedPart, list[LinkOccurrence]]], field: str
) -> MimeMessage:
    """The message with base64 bodies decoded; places and blocks in its characters."""
    pieces: list[str] = []
    places: list[LinkOccurrence] = []
    blocks: list[EncodedBlock] = []
    at = length = 0
    for part, found in parts:
        if found and _INLINE_PGP.search(part.text):
            if any(not place.find_pixel for place in found):
                raise InvalidRequest.from_field(field, "has a signed or encrypted (PGP) part")
            continue
        if part.encode_block is None:
            shift = length - at
            places += (_shift_occurrence(place, part, shift) for place in found)
        elif found:
            pieces += raw[at : part.start], part.text
            length += part.start - at
            places += (
                replace(place, start=place.start + length, end=place.end + length)
                for place in found
            )
            end = length + len(part.text)
            blocks.append(EncodedBlock(length, end, raw[part.start : part.end], part.encode_block))
            at, length = part.end, end
    pieces.append(raw[at:])
    return MimeMessage("".join(pieces), places, blocks)


def _shift_occurrence(occurrence: LinkOccurrence, part: DecodedPart, shift: int) -> LinkOccurrence:
    start, end = part.locate_raw_span(occurrence.start, occurrence.end)
    return replace(
        occurrence,
        start=start + shift,
        end=end + shift,
        encode_transfer=part.encode_transfer,
    )


def _select_part_markup(part: MimePart, *, track_text: bool) -> Markup | None:
    if part.headers.get_content_disposition() == "attachment":
        return None
    kind = part.headers.get_content_type()
    if kind == "text/html":
        return HTML_LINKS
    if kind == "text/plain":
        return TEXT_LINKS if track_text else TEXT_TAGS
    return None
