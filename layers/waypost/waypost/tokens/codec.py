"""How the fields of a token are laid out in bytes, version by version.

Version 1 (big-endian; varint as in ``packing``):

    1    version              0x01
    1    forms                delivery's form << 3 | person's form
    4    time of sending      seconds since 1970, UTC
    ·    delivery, person     packed
    13   link                 workspace, campaign and link code (``waypost.ids``)
    ·    position × 4 + how   varint; how a destination is held: 0 plain, 1 deflated, 2 stored
    ·    destination          the rest: UTF-8, raw deflate with the dictionary, or a digest

What the recipient owns comes first and what the link owns last, so that a message's links are
packed once and only joined to each recipient. The recipient's own identifier in the destination
(``_cio_id=p1``) is held as one mark and comes back from the person field, which makes the packed
destination the same for everybody.

The preset dictionary of version 1: what destinations in messages have in common.

Deflate copies from it, so that ``https://www.`` or a campaign's parameters cost a few bits
instead of characters; the likelier a piece, the nearer it stands to the end, where distances are
short. A version's dictionary NEVER changes, or every link sent under it dies: a better one is a
new token version.

How a token holds a destination: the recipient's own parameter as one mark, and deflated.

What is written here is in links that were sent: a version's dictionary, and what the mark stands
for, never change.

How an identifier becomes few bytes: UUIDs, ULIDs, hex and integers as numbers, all else as
UTF-8.

The caller's identifiers come back exactly as they were given, so a form is only used where it
reverses: canonical lower-case UUIDs, canonical upper-case ULIDs, lower-case hex of even length,
and decimal integers without leading zeros. A packed identifier does not say its form; the form
travels beside it in three bits.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import Final, NamedTuple, NewType
from urllib.parse import quote_plus
from uuid import UUID

from waypost.errors import MalformedToken, UnknownVersion
from waypost.ids import LINK_ID_BYTES, LinkId

DICTIONARY_V1: Final = (
    b"application/json.aspx.html.php.pdf.png.jpg.ics.xml#section=true&enabled=false&null"
    b"appointments/booking/calendar/schedule/webinar/events/register/session/tickets/"
    b"subscription/subscribe/unsubscribe/preferences/manage-preferences/email-preferences/"
    b"notifications/settings/account/profile/password/verify-email/confirm/activate/invite/"
    b"dashboard/projects/workspace/teams/users/members/organizations/documents/download/"
    b"invoices/invoice/receipt/billing/payment/checkout/cart/orders/order/tracking/shipping/"
    b"returns/products/product/collections/categories/category/shop/store/sale/new-arrivals/"
    b"discount/coupon/code=promo=offer=gift-cards/reviews/feedback/survey/support/help-center/"
    b"articles/contact-us/about-us/careers/privacy-policy/terms-of-service/legal/"
    b"news/newsletter/blog/posts/stories/2024/2025/2026/guides/getting-started/docs/learn/features/"
    b"pricing/customers/integrations/community/forum/watch?v=playlist/video/photo/image/share?url="
    b"apps.apple.com/us/app/id play.google.com/store/apps/details?id=com."
    b"https://www.linkedin.com/company/https://www.instagram.com/https://www.youtube.com/channel/"
    b"https://www.facebook.com/https://twitter.com/https://x.com/https://github.com/"
    b"https://www.pinterest.com/https://www.tiktok.com/@https://medium.com/@"
    b"https://www.google.com/maps/search/?api=1&query=https://goo.gl/https://bit.ly/"
    b"http://localhost:mailto:info@hello@support@?subject=&body=tel:+1800sms:"
    b".co.uk/.de/.fr/.es/.it/.nl/.eu/.ca/.com.au/.com.br/.dev/.app/.ai/.info/.me/.shop/"
    b"https://app.https://store.https://shop.https://help.https://my.https://blog.https://docs."
    b"https://support.https://account.https://go.https://links.https://click.https://email."
    b"&token=&id=&uid=&user_id=&customer_id=&email=&ref=email&source=&lang=en&locale=en-US"
    b"&page=1&q=&sort=&size=&color=&variant=&sku=&redirect_to=https%3A%2F%2F&next=%2F&return_url="
    b"&fbclid=&gclid=&mc_cid=&mc_eid=&_hsenc=&_hsmi=&ajs_uid=cio_&ajs_event=&vero_id=&trk="
    b"utm_id=&utm_source_platform=&utm_creative_format=&utm_marketing_tactic="
    b"&utm_source=mailchimp&utm_source=sendgrid&utm_source=transactional&utm_source=broadcast"
    b"&utm_medium=sms&utm_medium=push&utm_campaign=welcome&utm_campaign=spring-sale"
    b"&utm_campaign=black-friday&utm_campaign=abandoned_cart&utm_campaign=weekly-digest"
    b"&utm_content=header&utm_content=footer&utm_content=button&utm_content=hero&utm_content=cta"
    b"&utm_term=&utm_content=&utm_campaign="
    b"?utm_source=newsletter&utm_medium=email&utm_campaign=newsletter&utm_content="
    b"?utm_source=customer.io&utm_medium=email&utm_campaign="
    b"&utm_source=email&utm_medium=email&utm_campaign=&utm_content=\x01&utm_source="
    b"?\x01&utm_source=newsletter&utm_medium=email&utm_campaign="
    b".org/.net/.io/.com/index.html?http://www.http://example.com/https://example.com/https://www."
)


MAX_INFLATED_BYTES: Final = 64 * 1024
"""Bytes of a destination after inflating; a token cannot make a reader unpack more."""

PERSON_PLACEHOLDER: Final = "\x01"
"""Stands for ``_cio_id=<person>`` in a packed destination; control characters never occur in a
safe one.
"""

_WINDOW_BITS: Final = -12  # 4 KiB: the dictionary and an ordinary destination
_MEMORY_LEVEL: Final = 5
# Has the dictionary already; copied for every destination, which takes half the time of making one.
_COMPRESSOR: Final = zlib.compressobj(
    9, zlib.DEFLATED, _WINDOW_BITS, _MEMORY_LEVEL, zlib.Z_DEFAULT_STRATEGY, DICTIONARY_V1
)


def build_person_parameter(person: str) -> str:
    """The parameter that tells a destination who came, as it stands in its query."""
    return "_cio_id=" + quote_plus(person)


def fill_person(href: str, person: str | None) -> str:
    """A destination with the recipient's own parameter where their mark stands.

    Raises ValueError where there is a mark and nobody to fill it.
    """
    if PERSON_PLACEHOLDER not in href:
        return href
    if person is None:
        raise ValueError("a person's mark without a person")
    return href.replace(PERSON_PLACEHOLDER, build_person_parameter(person))


def deflate_destination(data: bytes) -> bytes:
    """A destination made small; one without anything to save may become longer by it."""
    packer = _COMPRESSOR.copy()
    return packer.compress(data) + packer.flush()


def inflate_destination(data: bytes) -> bytes:
    """Read what ``deflated`` gave. Raises ValueError or zlib.error."""
    unpacker = zlib.decompressobj(_WINDOW_BITS, DICTIONARY_V1)
    plain = unpacker.decompress(data, MAX_INFLATED_BYTES)
    if not unpacker.eof or unpacker.unused_data:
        raise ValueError("destination over the limit, cut, or with a tail")
    return plain


ABSENT_FORM: Final = 0
TEXT_FORM: Final = 1
UUID_FORM: Final = 2
ULID_FORM: Final = 3
HEX_FORM: Final = 4
INTEGER_FORM: Final = 5

_UUID_PATTERN = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ULID_PATTERN = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
_HEX_PATTERN = re.compile(r"(?:[0-9a-f]{2}){4,}")
_INTEGER_PATTERN = re.compile(r"0|[1-9][0-9]{0,18}")

_CROCKFORD_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CROCKFORD_VALUES: Final = {character: value for value, character in enumerate(_CROCKFORD_ALPHABET)}


class PackedIdentifier(NamedTuple):
    """A form and the bytes that hold the identifier in it."""

    form: int
    data: bytes


def pack_identifier(identifier: str | None) -> PackedIdentifier:
    """The smallest reversible form of an identifier."""
    if identifier is None:
        return PackedIdentifier(ABSENT_FORM, b"")
    if _INTEGER_PATTERN.fullmatch(identifier):
        return PackedIdentifier(INTEGER_FORM, encode_varint(int(identifier)))
    if _UUID_PATTERN.fullmatch(identifier):
        return PackedIdentifier(UUID_FORM, UUID(identifier).bytes)
    if _ULID_PATTERN.fullmatch(identifier):
        return PackedIdentifier(ULID_FORM, _parse_ulid(identifier).to_bytes(16))
    if _HEX_PATTERN.fullmatch(identifier):
        return PackedIdentifier(
            HEX_FORM, encode_varint(len(identifier) // 2) + bytes.fromhex(identifier)
        )
    text = identifier.encode()
    return PackedIdentifier(TEXT_FORM, encode_varint(len(text)) + text)


def unpack_identifier(form: int, data: bytes, offset: int) -> tuple[str | None, int]:
    """Read an identifier of a known form; returns it and where the next field starts.

    Raises ValueError where the form is unknown or the bytes end early.
    """
    if form == ABSENT_FORM:
        return None, offset
    if form == INTEGER_FORM:
        number, offset = decode_varint(data, offset)
        return str(number), offset
    if form == UUID_FORM:
        return str(UUID(bytes=read_bytes(data, offset, 16))), offset + 16
    if form == ULID_FORM:
        return _format_ulid(int.from_bytes(read_bytes(data, offset, 16))), offset + 16
    if form not in (HEX_FORM, TEXT_FORM):
        raise ValueError(f"identifier form {form}")
    length, offset = decode_varint(data, offset)
    raw = read_bytes(data, offset, length)
    return raw.hex() if form == HEX_FORM else raw.decode(), offset + length


def encode_varint(number: int) -> bytes:
    """A non-negative integer in groups of seven bits, least significant first (LEB128)."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def decode_varint(data: bytes, offset: int) -> tuple[int, int]:
    """Read what ``varint`` wrote; returns the number and where the next field starts."""
    number = shift = 0
    while True:
        byte = read_bytes(data, offset, 1)[0]
        offset += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, offset
        shift += 7
        if shift > 63:
            raise ValueError("varint over 64 bits")


def read_bytes(data: bytes, offset: int, length: int) -> bytes:
    """Exactly ``length`` bytes, or ValueError."""
    piece = data[offset : offset + length]
    if len(piece) != length:
        raise ValueError("payload ends early")
    return piece


def _parse_ulid(text: str) -> int:
    number = 0
    for character in text:
        number = number << 5 | _CROCKFORD_VALUES[character]
    return number


def _format_ulid(number: int) -> str:
    return "".join(_CROCKFORD_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


TOKEN_VERSION: Final = 1

PLAIN_ENCODING: Final = 0
DEFLATE_ENCODING: Final = 1
DIGEST_ENCODING: Final = 2
DESTINATION_DIGEST_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class ClickToken:
    """What a click link carries. ``sent`` is in seconds since 1970, UTC.

    ``stored`` is the digest under which the destination is stored where it was too long for a
    link; then ``href`` is empty.
    """

    link: LinkId
    delivery: str
    person: str | None
    position: int
    sent: int
    href: str
    stored_digest: str | None = None


PreparedLink = NewType("PreparedLink", bytes)
"""A link of a message, packed as far as it is the same for every recipient."""


def prepare_link(link: LinkId, position: int, href: str) -> PreparedLink:
    """Pack a link. ``href`` may hold ``PERSON_MARK`` where each recipient's own parameter belongs.

    The caller has checked the destination (``waypost.urls.check_destination``).
    """
    plain = href.encode()
    packed = deflate_destination(plain)
    if len(packed) < len(plain):
        return _encode_link(link, position, DEFLATE_ENCODING, packed)
    return _encode_link(link, position, PLAIN_ENCODING, plain)


def prepare_link_by_digest(link: LinkId, position: int, digest: str) -> PreparedLink:
    """Pack a link whose destination is stored under a digest (hex, 16 bytes)."""
    return _encode_link(link, position, DIGEST_ENCODING, bytes.fromhex(digest))


def pack_recipient(delivery: str, person: str | None, sent: int) -> bytes:
    """The bytes that a token begins with, the same for all links of one delivery."""
    packed_delivery, packed_person = pack_identifier(delivery), pack_identifier(person)
    forms = packed_delivery.form << 3 | packed_person.form
    return b"".join(
        (bytes((TOKEN_VERSION, forms)), sent.to_bytes(4), packed_delivery.data, packed_person.data)
    )


def unpack_recipient(data: bytes) -> tuple[str, str | None, int, int]:
    """Delivery, person and time of sending that a token begins with, and where the rest starts.

    Raises ValueError where they do not hold together.
    """
    forms = read_bytes(data, 1, 1)[0]
    sent = int.from_bytes(read_bytes(data, 2, 4))
    delivery, at = unpack_identifier(forms >> 3, data, 6)
    person, at = unpack_identifier(forms & 7, data, at)
    if delivery is None:
        raise ValueError(f"delivery has form {ABSENT_FORM}")
    return delivery, person, sent, at


def decode_click_token(data: bytes) -> ClickToken:
    """Read the bytes of a token of any version.

    Raises UnknownVersion, or MalformedToken where the fields do not hold together.
    """
    if not data:
        raise MalformedToken("empty payload")
    if data[0] != TOKEN_VERSION:
        raise UnknownVersion(data[0])
    try:
        return _decode_v1(data)
    except (ValueError, zlib.error, IndexError) as e:
        raise MalformedToken("the fields do not hold together") from e


def _decode_v1(data: bytes) -> ClickToken:
    delivery, person, sent, at = unpack_recipient(data)
    link = LinkId(read_bytes(data, at, LINK_ID_BYTES).hex())
    tail, at = decode_varint(data, at + LINK_ID_BYTES)
    position, how, destination = tail >> 2, tail & 3, data[at:]
    if how == DIGEST_ENCODING and len(destination) == DESTINATION_DIGEST_BYTES:
        return ClickToken(link, delivery, person, position, sent, "", destination.hex())
    if how not in (PLAIN_ENCODING, DEFLATE_ENCODING):
        raise ValueError("a destination held as version 1 holds none")
    href = (
        inflate_destination(destination).decode()
        if how == DEFLATE_ENCODING
        else destination.decode()
    )
    return ClickToken(link, delivery, person, position, sent, fill_person(href, person))


def _encode_link(link: LinkId, position: int, encoding: int, destination: bytes) -> PreparedLink:
    return PreparedLink(bytes.fromhex(link) + encode_varint(position << 2 | encoding) + destination)
