"""Sign and verify the tokens of links and pixels.

Signatures are HMAC-SHA256 by itsdangerous, truncated to 128 bits, under the keys of a keyring.
128 bits are enough for a signature that is only verified online: forging one takes 2^127 requests
on average (NIST SP 800-107r1, 5.3.3, asks for at least 32 bits of a truncated HMAC).

The token of a pixel identifies the message that was opened. It is laid out as a click token
(``codec``), with the campaign instead of the link, and signed under its own salt. Version 1:

    1    version              0x01
    1    forms                delivery's form << 3 | person's form
    4    time of sending      seconds since 1970, UTC
    ·    delivery, person     packed identifiers
    9    campaign             campaign id, which contains the workspace (``waypost.ids``)
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
from waypost.tokens.codec import (
    PERSON_PLACEHOLDER,
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
MIN_KEY_BYTES: Final = 32
CLICK_TOKEN_SALT: Final = "waypost.click"  # noqa: S105 - a public salt, not a secret
OPEN_TOKEN_SALT: Final = "waypost.open"  # noqa: S105 - a public salt, not a secret
_SEPARATOR: Final = b"/"
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


@dataclass(frozen=True, slots=True, repr=False)
class Keyring:
    """The keys that verify tokens; the last one signs.

    At least one key, each with 32 bytes or more of randomness. ``repr`` shows fingerprints only.
    """

    keys: tuple[bytes, ...]

    def __post_init__(self) -> None:
        if not self.keys:
            raise ValueError("keyring: no key; give at least one key")
        if any(len(key) < MIN_KEY_BYTES for key in self.keys):
            raise ValueError(f"keyring: key of fewer than {MIN_KEY_BYTES} bytes; create another")

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Return a hash of each key, in the order of the keys."""
        return tuple(
            blake2b(key, digest_size=4, person=b"keyring").hexdigest() for key in self.keys
        )

    def __repr__(self) -> str:
        return f"Keyring({', '.join(self.fingerprints)})"


class TruncatedHmac(itsdangerous.signer.SigningAlgorithm):
    """HMAC-SHA256, truncated to its first 128 bits (RFC 2104, section 5)."""

    def get_signature(self, key: bytes, value: bytes) -> bytes:
        return hmac.digest(key, value, "sha256")[:SIGNATURE_BYTES]


class TokenSigner(itsdangerous.Signer):
    """Signs bytes as ``payload/signature`` and verifies such texts.

    ``purpose`` is the salt: a signature for one purpose is not valid for another.
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
        """Derive the key of this purpose, once for each key of the keyring."""
        secret = self.secret_keys[-1] if secret_key is None else want_bytes(secret_key)
        if secret not in self._key_cache:
            self._key_cache[secret] = super().derive_key(secret)
        return self._key_cache[secret]

    @cached_property
    def _hmac(self) -> hmac.HMAC:
        """Keep the HMAC after its key: a message may have a link to sign every few microseconds."""
        return hmac.new(self.derive_key(), digestmod="sha256")

    def seal(self, payload: bytes) -> str:
        """Return ``payload/signature``, both as base64url without padding."""
        text = _encode_base64url(payload)
        mac = self._hmac.copy()
        mac.update(text)
        signature = _encode_base64url(mac.digest()[:SIGNATURE_BYTES])
        return (text + _SEPARATOR + signature).decode("ascii")

    def open(self, text: str) -> bytes:
        """Return the payload of a sealed text.

        Raises MalformedToken for a text without the shape of a token, BadSignature if no key signed
        it. Base64 has several spellings of the same bytes. Only the spelling of ``seal`` is valid,
        so every link is unique.
        """
        try:
            payload = self.unsign(text)
            data = base64_decode(payload)
            signature = text[len(payload) + 1 :]
            canonical = base64_encode(base64_decode(signature)).decode("ascii")
        except itsdangerous.BadSignature as e:
            raise BadSignature("token: no key of the keyring signed it") from e
        except (itsdangerous.BadData, UnicodeError) as e:
            raise MalformedToken("token: not of the form payload/signature") from e
        if signature != canonical:
            raise BadSignature("token: non-canonical base64 of the signature")
        return data


def _encode_base64url(data: bytes) -> bytes:
    return b2a_base64(data, newline=False).translate(_URL_SAFE, b"=")


@dataclass(frozen=True, slots=True)
class OpenToken:
    """The fields of a message's pixel. ``sent`` is in seconds since 1970, UTC."""

    campaign: CampaignId
    delivery: str
    person: str | None
    sent: int


class OpenTokenSealer:
    """Seals and opens the tokens of pixels under one keyring."""

    def __init__(self, keyring: Keyring) -> None:
        self._signer = TokenSigner(keyring, OPEN_TOKEN_SALT)

    def seal(self, token: OpenToken) -> str:
        """Return ``payload/signature`` of a message's pixel: the path after ``/e/o/``."""
        recipient_bytes = pack_recipient(token.delivery, token.person, token.sent)
        return self.seal_for_recipient(recipient_bytes, token.campaign)

    def seal_for_recipient(self, recipient_bytes: bytes, campaign: CampaignId) -> str:
        """Return ``payload/signature`` for a recipient packed with ``pack_recipient``."""
        return self._signer.seal(recipient_bytes + bytes.fromhex(campaign))

    def open(self, text: str) -> OpenToken:
        """Return the token of ``payload/signature``. Raises TokenError."""
        return _decode_open_token(self._signer.open(text))


def _decode_open_token(data: bytes) -> OpenToken:
    if not data:
        raise MalformedToken("token: empty payload")
    if data[0] != TOKEN_VERSION:
        raise UnknownVersion(data[0])
    try:
        delivery, person, sent, offset = unpack_recipient(data)
        campaign = CampaignId(read_bytes(data, offset, CAMPAIGN_ID_BYTES).hex())
        if len(data) != offset + CAMPAIGN_ID_BYTES:
            raise ValueError("token: bytes after the last field")
    except (ValueError, IndexError) as e:
        raise MalformedToken("token: inconsistent fields") from e
    return OpenToken(campaign, delivery, person, sent)


class RecipientSealer:
    """Seals the prepared links of a message for one recipient, whose fields are packed once."""

    __slots__ = ("_open_sealer", "_recipient_bytes", "_signer")

    def __init__(
        self, signer: TokenSigner, open_sealer: OpenTokenSealer, recipient_bytes: bytes
    ) -> None:
        self._signer = signer
        self._open_sealer = open_sealer
        self._recipient_bytes = recipient_bytes

    def seal(self, link: PreparedLink) -> str:
        """Return ``payload/signature`` of one link for this recipient."""
        return self._signer.seal(self._recipient_bytes + link)

    def seal_pixel(self, campaign: CampaignId) -> str:
        """Return ``payload/signature`` of the pixel in this recipient's message."""
        return self._open_sealer.seal_for_recipient(self._recipient_bytes, campaign)


class TokenSealer:
    """Seals and opens click tokens under one keyring. Has no state of messages; safe to share.

    ``open_sealer`` does the same for pixels. ``key_fingerprint`` names the key that signs.
    """

    def __init__(self, keyring: Keyring) -> None:
        self.key_fingerprint = keyring.fingerprints[-1]
        self._signer = TokenSigner(keyring, CLICK_TOKEN_SALT)
        self.open_sealer = OpenTokenSealer(keyring)

    def create_recipient_sealer(
        self, delivery: str, person: str | None, sent: int
    ) -> RecipientSealer:
        """Create the sealer of one recipient's links. ``sent`` is in seconds since 1970, UTC."""
        return RecipientSealer(
            self._signer, self.open_sealer, pack_recipient(delivery, person, sent)
        )

    def seal(self, token: ClickToken) -> str:
        """Return ``payload/signature`` of a token: the path after ``/e/c/``."""
        if token.stored_digest is not None:
            link = prepare_link_by_digest(token.link, token.position, token.stored_digest)
        else:
            href = _insert_person_placeholder(token.href, token.person)
            link = prepare_link(token.link, token.position, href)
        return self.create_recipient_sealer(token.delivery, token.person, token.sent).seal(link)

    def open(self, text: str) -> ClickToken:
        """Return the token of ``payload/signature``.

        Raises BadSignature, UnknownVersion or MalformedToken. The payload is decoded only after its
        signature is verified.
        """
        return decode_click_token(self._signer.open(text))


def _insert_person_placeholder(href: str, person: str | None) -> str:
    if person is None:
        return href
    return href.replace(build_person_parameter(person), PERSON_PLACEHOLDER, 1)
