"""Who signed a token: HMAC-SHA256 by itsdangerous, cut to 128 bits, under the keys of a keyring.

128 bits are enough for a signature that is only ever checked online: forging one takes 2^127
requests on average (NIST SP 800-107r1, 5.3.3, asks for at least 32 bits of a truncated HMAC and
leaves the rest to the application).

What a pixel carries: who opened which message, signed for that purpose alone.

    https://<host>/e/o/<payload>/<signature>

Version 1, laid out as click tokens are (``payload``), with the campaign in the place of the link:

    1    version              0x01
    1    forms                delivery's form << 3 | person's form
    4    time of sending      seconds since 1970, UTC
    ·    delivery, person     packed
    9    campaign             workspace and campaign code (``waypost.ids``)

Seals what a click link carries, and opens it again.
"""

from __future__ import annotations

import hmac
from binascii import b2a_base64
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b, sha256
from typing import Final

import itsdangerous
from itsdangerous.encoding import base64_decode, base64_encode, want_bytes

from waypost.errors import BadSignature, MalformedToken, UnknownVersion
from waypost.ids import CAMPAIGN_ID_BYTES, CampaignId
from waypost.tokens.codec import PERSON_PLACEHOLDER as _MARK
from waypost.tokens.codec import (
    TOKEN_VERSION,
    ClickToken,
    PreparedLink,
    build_person_parameter,
    decode_click_token,
    pack_recipient,
    prepare_link,
    prepare_link_by_digest,
    read_bytes,
    unpack_recipient,
)

SIGNATURE_BYTES: Final = 16
_SEPARATOR: Final = b"/"
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


@dataclass(frozen=True, slots=True, repr=False)
class Keyring:
    """Every key that may have signed a link, or soon will; the last one signs.

    Contract: at least one key, each of 32 bytes or more of randomness. Never printed: its repr
    names fingerprints.
    """

    keys: tuple[bytes, ...]

    def __post_init__(self) -> None:
        if not self.keys:
            raise ValueError("a keyring needs at least one key")
        if any(len(key) < 32 for key in self.keys):
            raise ValueError("every key needs at least 32 bytes")

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Names of the keys, in their order: hashes, which tell nothing of them."""
        return tuple(
            blake2b(key, digest_size=4, person=b"keyring").hexdigest() for key in self.keys
        )

    def __repr__(self) -> str:
        return f"Keyring({', '.join(self.fingerprints)})"


class TruncatedHmac(itsdangerous.signer.SigningAlgorithm):
    """HMAC-SHA256, of which the first 128 bits stand in the link (RFC 2104, section 5)."""

    def get_signature(self, key: bytes, value: bytes) -> bytes:
        return hmac.digest(key, value, "sha256")[:SIGNATURE_BYTES]


def _encode_base64url(data: bytes) -> bytes:
    return b2a_base64(data, newline=False).translate(_URL_SAFE, b"=")


class _HmacKey:
    """HMAC-SHA256 under one key of at most a block (RFC 2104, section 2), its two hashes begun
    once: a message has a link to sign every few microseconds. Verifying goes through ``hmac``, so
    the two keep an eye on each other.
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        block = key.ljust(sha256().block_size, b"\0")
        self._inner = sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = sha256(bytes(byte ^ 0x5C for byte in block))

    def digest(self, value: bytes) -> bytes:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(value)
        outer.update(inner.digest())
        return outer.digest()


class TokenSigner(itsdangerous.Signer):
    """Signs ``payload`` as ``payload/signature`` and takes the signature off again.

    ``purpose`` is the salt: a signature made for one purpose is worth nothing for another.
    """

    def __init__(self, keyring: Keyring, purpose: str) -> None:
        super().__init__(
            list(keyring.keys),
            salt=purpose.encode(),
            sep=_SEPARATOR,
            key_derivation="hmac",
            digest_method=sha256,
            algorithm=TruncatedHmac(),
        )
        self._key_cache: dict[bytes, bytes] = {}

    def derive_key(self, secret_key: str | bytes | None = None) -> bytes:
        """The key of this purpose; derived once, since a keyring never changes."""
        secret = self.secret_keys[-1] if secret_key is None else want_bytes(secret_key)
        if secret not in self._key_cache:
            self._key_cache[secret] = super().derive_key(secret)
        return self._key_cache[secret]

    @cached_property
    def _mac(self) -> _HmacKey:
        return _HmacKey(self.derive_key())

    def seal(self, payload: bytes) -> str:
        """Sign raw payload bytes; returns ``payload/signature``, both base64url without padding."""
        text = _encode_base64url(payload)
        signature = _encode_base64url(self._mac.digest(text)[:SIGNATURE_BYTES])
        return (text + _SEPARATOR + signature).decode("ascii")

    def open(self, text: str) -> bytes:
        """The payload bytes of a sealed text.

        Raises MalformedToken where the text has not the shape of a token, BadSignature where no
        key signed it. Base64 has several spellings of the same bytes; only the one that ``seal``
        writes is taken, so that no link has a twin.
        """
        try:
            payload = self.unsign(text)
            raw = base64_decode(payload)
            canonical = base64_encode(base64_decode(text[len(payload) + 1 :])).decode("ascii")
        except itsdangerous.BadSignature as e:
            raise BadSignature("no key of this stack signed it") from e
        except (itsdangerous.BadData, UnicodeError) as e:
            raise MalformedToken("not the shape of a token") from e
        if text[len(payload) + 1 :] != canonical:
            raise BadSignature("the signature is not spelled as it was made")
        return raw


OPEN_TOKEN_SALT: Final = "waypost.open"  # noqa: S105 - a published salt, not a secret


@dataclass(frozen=True, slots=True)
class OpenToken:
    """What the pixel of a message carries. ``sent`` is in seconds since 1970, UTC."""

    campaign: CampaignId
    delivery: str
    person: str | None
    sent: int


class OpenTokenSealer:
    """Seals and opens what pixels carry under one keyring."""

    def __init__(self, keyring: Keyring) -> None:
        self._signer = TokenSigner(keyring, OPEN_TOKEN_SALT)

    def seal(self, token: OpenToken) -> str:
        """``payload/signature`` of one message's pixel: the path after ``/e/o/``."""
        part = pack_recipient(token.delivery, token.person, token.sent)
        return self.seal_for_recipient(part, token.campaign)

    def seal_for_recipient(self, recipient_bytes: bytes, campaign: CampaignId) -> str:
        """The same for a recipient whose fields are packed already (``recipient_part``)."""
        return self._signer.seal(recipient_bytes + bytes.fromhex(campaign))

    def open(self, text: str) -> OpenToken:
        """What ``payload/signature`` carries. Raises TokenError, as ``Sealer.open`` does."""
        return _decode_open_token(self._signer.open(text))


def _decode_open_token(data: bytes) -> OpenToken:
    if not data:
        raise MalformedToken("empty payload")
    if data[0] != TOKEN_VERSION:
        raise UnknownVersion(data[0])
    try:
        delivery, person, sent, at = unpack_recipient(data)
        campaign = CampaignId(read_bytes(data, at, CAMPAIGN_ID_BYTES).hex())
        if len(data) != at + CAMPAIGN_ID_BYTES:
            raise ValueError("payload has a tail")
    except (ValueError, IndexError) as e:
        raise MalformedToken("the fields do not hold together") from e
    return OpenToken(campaign, delivery, person, sent)


CLICK_TOKEN_SALT: Final = "waypost.click"  # noqa: S105 - a published salt, not a secret


class RecipientSealer:
    """Seals the prepared links of a message for one recipient; the recipient's fields are packed
    once.
    """

    __slots__ = ("_open_sealer", "_recipient_bytes", "_signer")

    def __init__(
        self, signer: TokenSigner, open_sealer: OpenTokenSealer, recipient_bytes: bytes
    ) -> None:
        self._signer = signer
        self._open_sealer = open_sealer
        self._recipient_bytes = recipient_bytes

    def seal(self, link: PreparedLink) -> str:
        """``payload/signature`` of one link for this recipient."""
        return self._signer.seal(self._recipient_bytes + link)

    def seal_pixel(self, campaign: CampaignId) -> str:
        """``payload/signature`` of the pixel in this recipient's message."""
        return self._open_sealer.seal_for_recipient(self._recipient_bytes, campaign)


class TokenSealer:
    """Seals and opens click tokens under one keyring. Keeps no state of messages; safe to share.

    ``opens`` does the same for pixels; ``key`` is the fingerprint of the key that signs.
    """

    def __init__(self, keyring: Keyring) -> None:
        self.key_fingerprint = keyring.fingerprints[-1]
        self._signer = TokenSigner(keyring, CLICK_TOKEN_SALT)
        self.open_sealer = OpenTokenSealer(keyring)

    def create_recipient_sealer(
        self, delivery: str, person: str | None, sent: int
    ) -> RecipientSealer:
        """A sealer of one recipient's links. ``sent`` in seconds since 1970, UTC."""
        return RecipientSealer(
            self._signer, self.open_sealer, pack_recipient(delivery, person, sent)
        )

    def seal(self, token: ClickToken) -> str:
        """``payload/signature`` of one token: the path after ``/e/c/``."""
        if token.stored_digest is not None:
            link = prepare_link_by_digest(token.link, token.position, token.stored_digest)
        else:
            link = prepare_link(
                token.link, token.position, _insert_person_placeholder(token.href, token.person)
            )
        return self.create_recipient_sealer(token.delivery, token.person, token.sent).seal(link)

    def open(self, text: str) -> ClickToken:
        """What ``payload/signature`` carries.

        Raises BadSignature, UnknownVersion or MalformedToken; nothing but a token that one of our
        keys signed is ever read.
        """
        return decode_click_token(self._signer.open(text))


def _insert_person_placeholder(href: str, person: str | None) -> str:
    return href if person is None else href.replace(build_person_parameter(person), _MARK, 1)
