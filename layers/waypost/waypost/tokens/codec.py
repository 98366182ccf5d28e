"""How the fields of a token are laid out in bytes, version by version.

Version 1 (big-endian; varint as in ``packing``):

    1    version              0x01
    1    forms                delivery's form << 3 | person's form
    4    time of sending      seconds since 1970, UTC
    ·    delivery, person     packed
    13   link                 workspace, campaign and link code (``waypost.codes``)
    ·    position × 4 + how   varint; how a destination is held: 0 plain, 1 deflated, 2 stored
    ·    destination          the rest: UTF-8, raw deflate with the dictionary, or a digest

What the recipient owns comes first and what the link owns last, so that a message's links are
packed once and only joined to each recipient. The recipient's own identifier in the destination
(``_cio_id=p1``) is held as one mark and comes back from the person field, which makes the packed
destination the same for everybody.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final, NewType

from waypost.errors import MalformedToken, UnknownVersion
from waypost.ids import LINK_BYTES, LinkCode
from waypost.tokens.destination import deflated, inflated, with_person
from waypost.tokens.packing import ABSENT, pack, read_varint, take, unpack, varint

VERSION: Final = 1

PLAIN: Final = 0
DEFLATED: Final = 1
STORED: Final = 2
DIGEST_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class ClickToken:
    """What a click link carries. ``sent`` is in seconds since 1970, UTC.

    ``stored`` is the digest under which the destination is stored where it was too long for a
    link; then ``href`` is empty.
    """

    link: LinkCode
    delivery: str
    person: str | None
    position: int
    sent: int
    href: str
    stored: str | None = None


PreparedLink = NewType("PreparedLink", bytes)
"""A link of a message, packed as far as it is the same for every recipient."""


def prepare_link(link: LinkCode, position: int, href: str) -> PreparedLink:
    """Pack a link. ``href`` may hold ``PERSON_MARK`` where each recipient's own parameter belongs.

    The caller has checked the destination (``waypost.urls.check_destination``).
    """
    plain = href.encode()
    packed = deflated(plain)
    if len(packed) < len(plain):
        return _prepared(link, position, DEFLATED, packed)
    return _prepared(link, position, PLAIN, plain)


def prepare_stored(link: LinkCode, position: int, digest: str) -> PreparedLink:
    """Pack a link whose destination is stored under a digest (hex, 16 bytes)."""
    return _prepared(link, position, STORED, bytes.fromhex(digest))


def recipient_part(delivery: str, person: str | None, sent: int) -> bytes:
    """The bytes that a token begins with, the same for all links of one delivery."""
    packed_delivery, packed_person = pack(delivery), pack(person)
    forms = packed_delivery.form << 3 | packed_person.form
    return b"".join(
        (bytes((VERSION, forms)), sent.to_bytes(4), packed_delivery.data, packed_person.data)
    )


def read_recipient(data: bytes) -> tuple[str, str | None, int, int]:
    """Delivery, person and time of sending that a token begins with, and where the rest starts.

    Raises ValueError where they do not hold together.
    """
    forms = take(data, 1, 1)[0]
    sent = int.from_bytes(take(data, 2, 4))
    delivery, at = unpack(forms >> 3, data, 6)
    person, at = unpack(forms & 7, data, at)
    if delivery is None:
        raise ValueError(f"delivery has form {ABSENT}")
    return delivery, person, sent, at


def decode(data: bytes) -> ClickToken:
    """Read the bytes of a token of any version.

    Raises UnknownVersion, or MalformedToken where the fields do not hold together.
    """
    if not data:
        raise MalformedToken("empty payload")
    if data[0] != VERSION:
        raise UnknownVersion(data[0])
    try:
        return _decode_v1(data)
    except (ValueError, zlib.error, IndexError) as e:
        raise MalformedToken("the fields do not hold together") from e


def _decode_v1(data: bytes) -> ClickToken:
    delivery, person, sent, at = read_recipient(data)
    link = LinkCode(take(data, at, LINK_BYTES).hex())
    tail, at = read_varint(data, at + LINK_BYTES)
    position, how, destination = tail >> 2, tail & 3, data[at:]
    if how == STORED and len(destination) == DIGEST_BYTES:
        return ClickToken(link, delivery, person, position, sent, "", destination.hex())
    if how not in (PLAIN, DEFLATED):
        raise ValueError("a destination held as version 1 holds none")
    href = inflated(destination).decode() if how == DEFLATED else destination.decode()
    return ClickToken(link, delivery, person, position, sent, with_person(href, person))


def _prepared(link: LinkCode, position: int, how: int, destination: bytes) -> PreparedLink:
    return PreparedLink(bytes.fromhex(link) + varint(position << 2 | how) + destination)
