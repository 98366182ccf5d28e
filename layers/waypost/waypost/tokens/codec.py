"""Encode and decode the fields of a token, version by version.

Version 1 (big-endian; varint is LEB128):

    1    version              0x01
    1    forms                delivery's form << 3 | person's form
    4    time of sending      seconds since 1970, UTC
    ·    delivery, person     packed identifiers
    13   link                 link id, which contains workspace and campaign (``waypost.ids``)
    ·    position, encoding   varint of position × 4 + the destination's encoding: 0 plain,
                              1 deflated, 2 digest of a stored destination
    ·    destination          the rest: UTF-8, raw deflate with ``DICTIONARY_V1``, or a digest

The recipient's fields come first and the link's last, so the links of a message are packed once and
then joined to each recipient. The recipient's own identifier in a destination (``_cio_id=p1``) is
replaced by ``PERSON_PLACEHOLDER`` and restored from the person field, so the packed destination is
the same for every recipient.

Identifiers come back exactly as the caller gave them. A short form is used only if it is
reversible: canonical lower-case UUIDs, canonical upper-case ULIDs, lower-case hex of even length,
and decimal integers without leading zeros. All others are UTF-8. The form of an identifier is not
in its bytes but in three bits of the forms byte.

Sent links contain these bytes: never change a version's dictionary or placeholder. A better one
needs a new version.
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

TOKEN_VERSION: Final = 1

PLAIN_ENCODING: Final = 0
DEFLATE_ENCODING: Final = 1
DIGEST_ENCODING: Final = 2
DESTINATION_DIGEST_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class ClickToken:
    """The fields of a click link. ``sent`` is in seconds since 1970, UTC.

    ``stored_digest`` is the digest of a destination that is stored because it is too long for a
    link; ``href`` is then empty.
    """

    link: LinkId
    delivery: str
    person: str | None
    position: int
    sent: int
    href: str
    stored_digest: str | None = None


PreparedLink = NewType("PreparedLink", bytes)
"""The part of a packed link that is the same for every recipient."""


def prepare_link(link: LinkId, position: int, href: str) -> PreparedLink:
    """Pack a link. ``href`` may contain ``PERSON_PLACEHOLDER`` for the recipient's own parameter.

    The caller has checked the destination (``waypost.urls.check_destination``).
    """
    plain = href.encode()
    deflated = _deflate(plain)
    if len(deflated) < len(plain):
        return _encode_link(link, position, DEFLATE_ENCODING, deflated)
    return _encode_link(link, position, PLAIN_ENCODING, plain)


def prepare_link_by_digest(link: LinkId, position: int, digest: str) -> PreparedLink:
    """Pack a link whose destination is stored under a digest (hex, 16 bytes)."""
    return _encode_link(link, position, DIGEST_ENCODING, bytes.fromhex(digest))


def _encode_link(link: LinkId, position: int, encoding: int, destination: bytes) -> PreparedLink:
    return PreparedLink(bytes.fromhex(link) + encode_varint(position << 2 | encoding) + destination)


def pack_recipient(delivery: str, person: str | None, sent: int) -> bytes:
    """Pack the first bytes of a token, the same for all links of one delivery."""
    packed_delivery, packed_person = pack_identifier(delivery), pack_identifier(person)
    forms = packed_delivery.form << 3 | packed_person.form
    return b"".join(
        (bytes((TOKEN_VERSION, forms)), sent.to_bytes(4), packed_delivery.data, packed_person.data)
    )


def unpack_recipient(data: bytes) -> tuple[str, str | None, int, int]:
    """Return delivery, person and time of sending, and the offset of the next field.

    Raises ValueError for bytes that no recipient has.
    """
    forms = read_bytes(data, 1, 1)[0]
    sent = int.from_bytes(read_bytes(data, 2, 4))
    delivery, offset = unpack_identifier(forms >> 3, data, 6)
    person, offset = unpack_identifier(forms & 7, data, offset)
    if delivery is None:
        raise ValueError("token: no delivery")
    return delivery, person, sent, offset


def decode_click_token(data: bytes) -> ClickToken:
    """Decode the bytes of a token of any version. Raises UnknownVersion or MalformedToken."""
    if not data:
        raise MalformedToken("token: empty payload")
    if data[0] != TOKEN_VERSION:
        raise UnknownVersion(data[0])
    try:
        return _decode_v1(data)
    except (ValueError, zlib.error, IndexError) as e:
        raise MalformedToken("token: inconsistent fields") from e


def _decode_v1(data: bytes) -> ClickToken:
    delivery, person, sent, offset = unpack_recipient(data)
    link = LinkId(read_bytes(data, offset, LINK_ID_BYTES).hex())
    number, offset = decode_varint(data, offset + LINK_ID_BYTES)
    position, encoding, destination = number >> 2, number & 3, data[offset:]
    if encoding == DIGEST_ENCODING and len(destination) == DESTINATION_DIGEST_BYTES:
        return ClickToken(link, delivery, person, position, sent, "", destination.hex())
    if encoding not in (PLAIN_ENCODING, DEFLATE_ENCODING):
        raise ValueError(f"token: unknown encoding of the destination ({encoding})")
    if encoding == DEFLATE_ENCODING:
        destination = _inflate(destination)
    href = fill_person(destination.decode(), person)
    return ClickToken(link, delivery, person, position, sent, href)


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
"""Common parts of destinations in messages, as the preset dictionary of deflate.

Deflate copies from it, so ``https://www.`` or the parameters of a campaign cost a few bits. Likely
parts are near the end, where distances are short.
"""

MAX_INFLATED_BYTES: Final = 64 * 1024
"""Longest destination after inflating: protects against decompression bombs."""

PERSON_PLACEHOLDER: Final = "\x01"
"""Replaces ``_cio_id=<person>`` in a packed destination; no safe destination has this character."""

_WINDOW_BITS: Final = -12  # 4 KiB: the dictionary and an ordinary destination
_MEMORY_LEVEL: Final = 5
# Copying a compressor that has the dictionary takes half the time of creating one.
_COMPRESSOR: Final = zlib.compressobj(
    9, zlib.DEFLATED, _WINDOW_BITS, _MEMORY_LEVEL, zlib.Z_DEFAULT_STRATEGY, DICTIONARY_V1
)


def build_person_parameter(person: str) -> str:
    """Build the query parameter that identifies the recipient to the destination."""
    return "_cio_id=" + quote_plus(person)


def fill_person(href: str, person: str | None) -> str:
    """Replace the placeholder in a destination by the recipient's own parameter.

    Raises ValueError for a placeholder without a person.
    """
    if PERSON_PLACEHOLDER not in href:
        return href
    if person is None:
        raise ValueError("destination: placeholder of a person, but no person")
    return href.replace(PERSON_PLACEHOLDER, build_person_parameter(person))


_SEPARATORS: Final = ("?", "&", ";")


def remove_parameters(href: str, person: str) -> str:
    """Remove the recipient's own parameter, and the workspace's after it, from a destination."""
    before, hash_sign, fragment = href.partition("#")
    parameter = build_person_parameter(person)
    start = before.find(parameter)
    while start >= 0:
        end = start + len(parameter)
        if before[start - 1 : start] in _SEPARATORS and before[end : end + 1] in ("", "&"):
            return before[: start - 1] + hash_sign + fragment
        start = before.find(parameter, end)
    return href


def _deflate(data: bytes) -> bytes:
    """Deflate a destination; the result may be longer than the input."""
    compressor = _COMPRESSOR.copy()
    return compressor.compress(data) + compressor.flush()


def _inflate(data: bytes) -> bytes:
    """Inflate a deflated destination. Raises ValueError or zlib.error."""
    decompressor = zlib.decompressobj(_WINDOW_BITS, DICTIONARY_V1)
    plain = decompressor.decompress(data, MAX_INFLATED_BYTES)
    if not decompressor.eof or decompressor.unused_data:
        raise ValueError(f"destination: longer than {MAX_INFLATED_BYTES} bytes, cut or followed")
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
    """An identifier as bytes, and their form."""

    form: int
    data: bytes


def pack_identifier(identifier: str | None) -> PackedIdentifier:
    """Pack an identifier in its smallest reversible form."""
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
    """Return an identifier and the offset of the next field.

    Raises ValueError for an unknown form, or if the bytes end early.
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
        raise ValueError(f"identifier: unknown form ({form})")
    length, offset = decode_varint(data, offset)
    raw = read_bytes(data, offset, length)
    return raw.hex() if form == HEX_FORM else raw.decode(), offset + length


def encode_varint(number: int) -> bytes:
    """Encode a non-negative integer as LEB128: seven bits a byte, least significant first."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def decode_varint(data: bytes, offset: int) -> tuple[int, int]:
    """Return a LEB128 number and the offset of the next field. Raises ValueError."""
    number = shift = 0
    while True:
        byte = read_bytes(data, offset, 1)[0]
        offset += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, offset
        shift += 7
        if shift > 63:
            raise ValueError("varint: longer than 64 bits")


def read_bytes(data: bytes, offset: int, length: int) -> bytes:
    """Return exactly ``length`` bytes. Raises ValueError if there are fewer."""
    field = data[offset : offset + length]
    if len(field) != length:
        raise ValueError("token: payload ends early")
    return field


def _parse_ulid(text: str) -> int:
    number = 0
    for character in text:
        number = number << 5 | _CROCKFORD_VALUES[character]
    return number


def _format_ulid(number: int) -> str:
    return "".join(_CROCKFORD_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
