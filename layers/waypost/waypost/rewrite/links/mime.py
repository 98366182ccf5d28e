"""Find the links of a raw message (RFC 5322), whose every other character stays unchanged.

The message is cut into parts at its boundaries. The standard library parses the headers; nothing
writes them. Text parts are decoded to find their links, and a changed value is written in its
part's own transfer encoding:

- 7bit and 8bit: as it is, because tracking links are ASCII
- quoted-printable: between two soft line breaks
- base64: the whole part is encoded again, in lines as long as before, unless nothing changed
- any other encoding: the part stays unchanged, because mail programs do not show it (RFC 2045, 6.4)

In quoted-printable, and in a charset that switches between alphabets, a character can take several
characters of the source. These parts are decoded to bytes and then by their charset, and the source
offset at which each character ends is recorded.

A part that is signed or encrypted (S/MIME, PGP) cannot change, so the message is refused. Text with
an inline PGP block is refused only if it has links.
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
    FLOWED_TEXT_LINKS,
    HTML_LINKS,
    TEXT_LINKS,
    TEXT_TAGS,
    Markup,
    apply_anchor_options,
    scan_links,
)
from waypost.rewrite.links.html import add_pixel
from waypost.rewrite.links.occurrence import (
    EncodedBlock,
    LinkOccurrence,
    RenderedText,
    TextTransform,
    pass_through,
)

_MAX_DEPTH: Final = 20
_MAX_PARTS: Final = 500
"""Parts of one multipart."""
_MAX_HEADER_PARAMETERS: Final = 100
"""Semicolons in a header; a boundary, a charset and a name have three."""
_SEALED_TYPES = {
    "multipart/signed": "signed",
    "multipart/encrypted": "encrypted",
    "application/pkcs7-mime": "signed or encrypted (S/MIME)",
    "application/x-pkcs7-mime": "signed or encrypted (S/MIME)",
    "application/pgp-encrypted": "encrypted (PGP)",
}
_INLINE_PGP = re.compile(r"^-----BEGIN PGP (?:SIGNED )?MESSAGE-----", re.MULTILINE)
_HEADER_PARSER: Final = HeaderParser()
_END_OF_HEADERS = re.compile(r"\A(?=\r?\n)|\r?\n(?=\r?\n)")
_NEWLINE = re.compile(r"\r?\n")
_DELIMITER_LINE_END = re.compile(r"(--)?[ \t]*(?:\r?\n|\Z)")
_TOKEN = re.compile(r"[\w\-]+")
_IDENTITY_ENCODINGS = ("7bit", "8bit", "binary")
_BASE64_LINE_LENGTH: Final = 76
_QUOTED_LINE_LENGTH: Final = 75
"""RFC 2045 allows 76, including the soft line break's ``=``."""
_QUOTED_ESCAPE = re.compile(rb"=([0-9A-Fa-f]{2})|=[ \t]*\r?\n")
_DEFAULT_CHARSET: Final = "us-ascii"
_STATEFUL_CHARSETS = (
    *("iso-2022", "iso2022", "hz", "utf-7", "utf7"),
    *("utf-16", "utf16", "utf-32", "utf32"),
)
"""Prefixes of charsets in which bytes of the ASCII range are not always ASCII."""
_UNUSABLE_CODECS = ("idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape")
# The decoder returns the characters of a run in base64 all at once, after its end.
_UTF_7_RUN = re.compile(rb"\+[A-Za-z0-9+/]*.?|[^+]", re.DOTALL)


def parse_mime(
    raw: str, field: str, *, track_text: bool, interpret_tags: bool = True
) -> RenderedText:
    """Find the links of a message's text parts.

    The text is the message with the bodies of base64 parts decoded; the blocks are these bodies.

    :raises InvalidRequest: if a part is signed or encrypted, or the parts are too many or too deep.
    """
    leaves = [
        (markup, leaf)
        for leaf in _iter_leaf_parts(raw, 0, len(raw), field)
        if (markup := _select_markup(leaf.headers, track_text=track_text))
    ]
    parts: list[_PartLinks] = []
    warnings: list[str] = []
    for markup, leaf in leaves:
        decoded = _decode_part(raw, leaf)
        scan = scan_links(markup, decoded.text, interpret_tags=interpret_tags)
        occurrences = _add_part_pixel(markup, decoded, scan.occurrences)
        parts.append(_PartLinks(markup, decoded, occurrences))
        warnings += scan.list_warnings(f"{field} ({leaf.headers.get_content_type()})")
    anchors = [link for part in parts if part.markup is HTML_LINKS for link in part.occurrences]
    for part in parts:
        if part.markup in (TEXT_LINKS, FLOWED_TEXT_LINKS):
            part.occurrences = apply_anchor_options(part.occurrences, anchors)
    return replace(_assemble_text(raw, parts, field), warnings=warnings)


def extract_html_part(raw: str, field: str) -> str | None:
    """Extract the first HTML part of a message; None if it has none.

    :raises InvalidRequest: like ``parse_mime``, or if the part cannot be decoded.
    """
    for leaf in _iter_leaf_parts(raw, 0, len(raw), field):
        if _select_markup(leaf.headers, track_text=False) is HTML_LINKS:
            text = _decode_part(raw, leaf).text
            if not text and raw[leaf.start : leaf.end].strip():
                raise InvalidRequest.from_field(field, "has an HTML part that cannot be decoded")
            return text
    return None


def has_dkim_signature(raw: str) -> bool:
    """Return True if the message carries a DKIM signature, which rewriting breaks."""
    headers, _ = _read_headers(raw, 0, len(raw))
    return "dkim-signature" in headers


@dataclass(slots=True)
class _PartLinks:
    """A decoded part and its links, at offsets in the part's text."""

    markup: Markup
    part: _DecodedPart
    occurrences: list[LinkOccurrence]


@dataclass(frozen=True, slots=True)
class _LeafPart:
    """A part that is not a multipart: its headers and the span of its body."""

    headers: Headers
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _DecodedPart:
    """The text of the part at ``start`` to ``end`` of the raw message."""

    text: str
    start: int
    end: int
    character_ends: Sequence[int] | None = None
    """The end of each character in the raw message; None if the text is unchanged there."""
    encode_transfer: TextTransform = pass_through
    """Encodes one value."""
    encode_block: TextTransform | None = None
    """Encodes the whole body."""

    def locate_raw_span(self, start: int, end: int) -> tuple[int, int]:
        """Convert a span of the text to a span of the raw message."""
        if self.character_ends is None:
            return self.start + start, self.start + end
        return self._locate_end(start - 1), self._locate_end(end - 1)

    def _locate_end(self, character: int) -> int:
        if not self.character_ends or character < 0:
            return self.start
        return self.character_ends[character]


def _select_markup(headers: Headers, *, track_text: bool) -> Markup | None:
    if headers.get_content_disposition() == "attachment":
        return None
    match headers.get_content_type():
        case "text/html":
            return HTML_LINKS
        case "text/plain":
            if not track_text:
                return TEXT_TAGS
            return FLOWED_TEXT_LINKS if _has_soft_breaks(headers) else TEXT_LINKS
        case _:
            return None


def _has_soft_breaks(headers: Headers) -> bool:
    """Return whether lines that end with a space go on without it (RFC 3676, DelSp)."""
    parameters = (headers.get_param("format", ""), headers.get_param("delsp", ""))
    return [str(value).lower() for value in parameters] == ["flowed", "yes"]


def _add_part_pixel(
    markup: Markup, part: _DecodedPart, occurrences: list[LinkOccurrence]
) -> list[LinkOccurrence]:
    # A part that was not decoded has no text, and cannot be encoded with a pixel either.
    return add_pixel(occurrences, part.text) if markup is HTML_LINKS and part.text else occurrences


def _assemble_text(raw: str, parts: list[_PartLinks], field: str) -> RenderedText:
    """Replace base64 bodies that have links by their text, and shift all links accordingly."""
    pieces: list[str] = []
    occurrences: list[LinkOccurrence] = []
    blocks: list[EncodedBlock] = []
    position = length = 0  # in the raw message and in the pieces
    for part_links in parts:
        part, links = part_links.part, part_links.occurrences
        if links and _INLINE_PGP.search(part.text):
            if any(not link.find_pixel for link in links):
                raise InvalidRequest.from_field(
                    field, "has a part that is signed or encrypted (PGP) and cannot be rewritten"
                )
            continue
        if part.encode_block is None:
            shift = length - position
            occurrences += (_shift_occurrence(link, part, shift) for link in links)
        elif links:
            pieces += raw[position : part.start], part.text
            length += part.start - position
            occurrences += (
                replace(link, start=link.start + length, end=link.end + length) for link in links
            )
            end = length + len(part.text)
            blocks.append(EncodedBlock(length, end, raw[part.start : part.end], part.encode_block))
            position, length = part.end, end
    pieces.append(raw[position:])
    return RenderedText("".join(pieces), occurrences, blocks)


def _shift_occurrence(link: LinkOccurrence, part: _DecodedPart, shift: int) -> LinkOccurrence:
    start, end = part.locate_raw_span(link.start, link.end)
    return replace(link, start=start + shift, end=end + shift, encode_transfer=part.encode_transfer)


def _iter_leaf_parts(
    raw: str, start: int, end: int, field: str, depth: int = 0
) -> Iterator[_LeafPart]:
    headers, body = _read_headers(raw, start, end)
    _check_parameter_count(headers, field)
    content_type = headers.get_content_type()
    if content_type in _SEALED_TYPES:
        seal = _SEALED_TYPES[content_type]
        raise InvalidRequest.from_field(
            field, f"has a part that is {seal} and cannot be rewritten ({content_type})"
        )
    boundary = _read_parameter(headers.get_boundary)
    if headers.get_content_maintype() != "multipart" or not boundary:
        yield _LeafPart(headers, body, end)
        return
    if depth == _MAX_DEPTH:
        raise InvalidRequest.from_field(field, f"nests parts more than {_MAX_DEPTH} deep")
    for index, (first, last) in enumerate(_split_multipart(raw, body, end, boundary)):
        if index == _MAX_PARTS:
            raise InvalidRequest.from_field(
                field, f"has a multipart of more than {_MAX_PARTS} parts"
            )
        yield from _iter_leaf_parts(raw, first, last, field, depth + 1)


def _check_parameter_count(headers: Headers, field: str) -> None:
    """Refuse a header on which the standard library takes quadratic time."""
    for name in ("content-type", "content-disposition"):
        count = str(headers.get(name, "")).count(";")
        if count > _MAX_HEADER_PARAMETERS:
            raise InvalidRequest.from_field(
                field, f"has a {name} of more than {_MAX_HEADER_PARAMETERS} parameters ({count:,})"
            )


def _split_multipart(raw: str, start: int, end: int, boundary: str) -> Iterator[tuple[int, int]]:
    """Find a multipart's parts; the newline before a delimiter belongs to it (RFC 2046, 5.1.1)."""
    first: int | None = None
    for delimiter, line_end in _iter_delimiters(raw, start, end, f"--{boundary}"):
        if first is not None:
            yield first, max(first, _find_newline_start(raw, delimiter))
        if line_end[1]:
            return
        first = line_end.end()
    if first is not None:
        yield first, end


def _iter_delimiters(
    raw: str, start: int, end: int, delimiter: str
) -> Iterator[tuple[int, re.Match[str]]]:
    """Find the lines that consist of a delimiter, each with the match of its rest."""
    position = raw.find(delimiter, start, end)
    while position >= 0:
        after = position + 1
        if position == 0 or raw[position - 1] == "\n":
            line_end = _DELIMITER_LINE_END.match(raw, position + len(delimiter), end)
            if line_end is not None:
                yield position, line_end
                after = line_end.end()
        position = raw.find(delimiter, after, end)


def _find_newline_start(raw: str, offset: int) -> int:
    if raw[offset - 2 : offset] == "\r\n":
        return offset - 2
    return offset - 1 if raw[offset - 1 : offset] == "\n" else offset


def _read_headers(raw: str, start: int, end: int) -> tuple[Headers, int]:
    """Parse the headers of a part and locate its body."""
    blank_line = _END_OF_HEADERS.search(raw[start:end])
    if blank_line is None:
        return _HEADER_PARSER.parsestr(raw[start:end]), end
    newline = _NEWLINE.match(raw, start + blank_line.end(), end)
    body = newline.end() if newline else end
    return _HEADER_PARSER.parsestr(raw[start:body]), body


def _read_parameter(read: Callable[[], object]) -> str | None:
    """Read a header's parameter; None if it is missing, empty or malformed.

    For some malformed parameters (RFC 2231) the standard library raises one of these errors. The
    default applies then, as in mail programs.
    """
    try:
        value = read()
    except (TypeError, ValueError, LookupError):
        return None
    return str(value) if value else None


def _read_transfer_encoding(headers: Headers) -> str:
    """Read the name of the transfer encoding, without the text that may follow it."""
    name = _TOKEN.search(str(headers.get("content-transfer-encoding", "")))
    return name[0].lower() if name else "7bit"


def _decode_part(raw: str, leaf: _LeafPart) -> _DecodedPart:
    encoding = _read_transfer_encoding(leaf.headers)
    charset = _read_parameter(leaf.headers.get_content_charset) or _DEFAULT_CHARSET
    body = raw[leaf.start : leaf.end]
    if encoding == "base64":
        return _decode_base64(body, leaf, charset)
    if encoding == "quoted-printable":
        data, ends = _decode_quoted_printable(body)
    elif encoding not in _IDENTITY_ENCODINGS:
        return _DecodedPart("", leaf.start, leaf.end)
    elif charset.startswith(_STATEFUL_CHARSETS):
        data, ends = body.encode(), _locate_byte_ends(body)
    else:
        return _DecodedPart(body, leaf.start, leaf.end)
    text, codec = _decode_charset(data, charset)
    if encoding == "quoted-printable":
        newline = _detect_newline(body)
        encode = partial(_encode_quoted_printable, codec=codec, newline=newline)
    else:
        encode = partial(_encode_unescaped, codec=codec)
    return _DecodedPart(
        text,
        leaf.start,
        leaf.end,
        character_ends=[
            leaf.start + ends[byte - 1] for byte in _locate_character_ends(data, text, codec)
        ],
        encode_transfer=encode,
    )


def _decode_base64(body: str, leaf: _LeafPart, charset: str) -> _DecodedPart:
    try:
        data = b64decode("".join(body.split()).encode("ascii"), validate=True)
    except (ValueError, UnicodeEncodeError):
        # Mail programs show some of an invalid body, but no change to it could be encoded.
        return _DecodedPart("", leaf.start, leaf.end)
    text, codec = _decode_charset(data, charset)
    newline = _detect_newline(body)
    width = max((len(line) for line in body.splitlines()), default=0) or _BASE64_LINE_LENGTH
    trailing_whitespace = body[len(body.rstrip()) :]

    def encode(changed: str) -> str:
        encoded = b64encode(changed.encode(codec)).decode("ascii")
        lines = (encoded[start : start + width] for start in range(0, len(encoded), width))
        return newline.join(lines) + trailing_whitespace

    return _DecodedPart(text, leaf.start, leaf.end, encode_block=encode)


def _decode_quoted_printable(body: str) -> tuple[bytes, list[int]]:
    """Decode a body to bytes, with the offset in the body at which each byte ends."""
    data = bytearray()
    ends: list[int] = []
    source = body.encode()
    source_ends = _locate_byte_ends(body)
    position = 0
    for escape in _QUOTED_ESCAPE.finditer(source):
        data += source[position : escape.start()]
        ends += source_ends[position : escape.start()]
        if escape[1]:
            data.append(int(escape[1], 16))
            ends.append(source_ends[escape.end() - 1])
        position = escape.end()
    data += source[position:]
    ends += source_ends[position:]
    return bytes(data), ends


def _encode_quoted_printable(value: str, *, codec: str, newline: str) -> str:
    """Encode a value between two soft line breaks, which keep every line within 76 characters."""
    lines: list[str] = []
    line = ""
    for byte in _encode_charset(value, codec):
        piece = chr(byte) if 32 < byte < 127 and byte != 61 else f"={byte:02X}"
        if len(line) + len(piece) > _QUOTED_LINE_LENGTH:
            lines.append(line)
            line = ""
        line += piece
    soft_break = "=" + newline
    return soft_break + soft_break.join([*lines, line]) + soft_break


def _encode_unescaped(value: str, *, codec: str) -> str:
    return _encode_charset(value, codec).decode()


def _detect_newline(body: str) -> str:
    return "\r\n" if "\r\n" in body else "\n"


def _locate_byte_ends(text: str) -> list[int]:
    """List, for each byte of a text in UTF-8, the offset at which its character ends."""
    if text.isascii():
        return list(range(1, len(text) + 1))
    return [end for end, character in enumerate(text, 1) for _ in character.encode()]


def _decode_charset(data: bytes, charset: str) -> tuple[str, str]:
    """Decode bytes to a text, and name the codec that encodes the text to the same bytes.

    If the declared charset cannot, UTF-8 and then Latin-1 apply, as in most mail programs.
    """
    for codec in ("utf-8",) if _is_unusable_codec(charset) else (charset, "utf-8"):
        try:
            text = data.decode(codec)
            if text.encode(codec) == data:
                return text, codec
        except (LookupError, ValueError):  # unknown charset, invalid bytes, or a NUL in the name
            continue
    return data.decode("latin-1"), "latin-1"


def _is_unusable_codec(charset: str) -> bool:
    """Return True for a codec of Python that is no charset, and cannot decode byte by byte."""
    try:
        return codecs.lookup(charset).name in _UNUSABLE_CODECS
    except (LookupError, ValueError):
        return True


def _encode_charset(value: str, codec: str) -> bytes:
    """Encode a value inside a text, without the byte order mark that starts a text."""
    return value.encode(codec).removeprefix("".encode(codec))


def _locate_character_ends(data: bytes, text: str, codec: str) -> list[int]:
    """List, for each character of a text, the number of bytes up to its end."""
    if len(text) == len(data):
        return list(range(1, len(data) + 1))
    decoder = codecs.getincrementaldecoder(codec)()
    ends: list[int] = []
    end = 0
    for piece in _split_bytes(data, codec):
        end += len(piece)
        ends += [end] * len(decoder.decode(piece))
    return ends


def _split_bytes(data: bytes, codec: str) -> Iterator[bytes]:
    """Split the bytes of a text into pieces that can be decoded one after the other."""
    if codecs.lookup(codec).name == "utf-7":
        return (run[0] for run in _UTF_7_RUN.finditer(data))
    return (data[index : index + 1] for index in range(len(data)))
