"""How an identifier becomes few bytes: UUIDs, ULIDs, hex and integers as numbers, all else as
UTF-8.

The caller's identifiers come back exactly as they were given, so a form is only used where it
reverses: canonical lower-case UUIDs, canonical upper-case ULIDs, lower-case hex of even length,
and decimal integers without leading zeros. A packed identifier does not say its form; the form
travels beside it in three bits.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from uuid import UUID

ABSENT: Final = 0
TEXT: Final = 1
UUID_FORM: Final = 2
ULID: Final = 3
HEX: Final = 4
INTEGER: Final = 5

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
_HEX = re.compile(r"(?:[0-9a-f]{2}){4,}")
_INTEGER = re.compile(r"0|[1-9][0-9]{0,18}")

_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CROCKFORD_VALUE: Final = {character: value for value, character in enumerate(_CROCKFORD)}


class Packed(NamedTuple):
    """A form and the bytes that hold the identifier in it."""

    form: int
    data: bytes


def pack(identifier: str | None) -> Packed:
    """The smallest reversible form of an identifier."""
    if identifier is None:
        return Packed(ABSENT, b"")
    if _INTEGER.fullmatch(identifier):
        return Packed(INTEGER, varint(int(identifier)))
    if _UUID.fullmatch(identifier):
        return Packed(UUID_FORM, UUID(identifier).bytes)
    if _ULID.fullmatch(identifier):
        return Packed(ULID, _ulid_number(identifier).to_bytes(16))
    if _HEX.fullmatch(identifier):
        return Packed(HEX, varint(len(identifier) // 2) + bytes.fromhex(identifier))
    text = identifier.encode()
    return Packed(TEXT, varint(len(text)) + text)


def unpack(form: int, data: bytes, at: int) -> tuple[str | None, int]:
    """Read an identifier of a known form; returns it and where the next field starts.

    Raises ValueError where the form is unknown or the bytes end early.
    """
    if form == ABSENT:
        return None, at
    if form == INTEGER:
        number, at = read_varint(data, at)
        return str(number), at
    if form == UUID_FORM:
        return str(UUID(bytes=take(data, at, 16))), at + 16
    if form == ULID:
        return _ulid_text(int.from_bytes(take(data, at, 16))), at + 16
    if form not in (HEX, TEXT):
        raise ValueError(f"identifier form {form}")
    length, at = read_varint(data, at)
    raw = take(data, at, length)
    return raw.hex() if form == HEX else raw.decode(), at + length


def varint(number: int) -> bytes:
    """A non-negative integer in groups of seven bits, least significant first (LEB128)."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Read what ``varint`` wrote; returns the number and where the next field starts."""
    number = shift = 0
    while True:
        byte = take(data, at, 1)[0]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7
        if shift > 63:
            raise ValueError("varint over 64 bits")


def take(data: bytes, at: int, length: int) -> bytes:
    """Exactly ``length`` bytes, or ValueError."""
    piece = data[at : at + length]
    if len(piece) != length:
        raise ValueError("payload ends early")
    return piece


def _ulid_number(text: str) -> int:
    number = 0
    for character in text:
        number = number << 5 | _CROCKFORD_VALUE[character]
    return number


def _ulid_text(number: int) -> str:
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))
