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
from waypost.ids import CAMPAIGN_BYTES, CampaignCode
from waypost.tokens.codec import PERSON_MARK as _MARK
from waypost.tokens.codec import (
    VERSION,
    ClickToken,
    PreparedLink,
    decode,
    person_parameter,
    prepare_link,
    prepare_stored,
    read_recipient,
    recipient_part,
    take,
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


def _base64(data: bytes) -> bytes:
    return b2a_base64(data, newline=False).translate(_URL_SAFE, b"=")


class _Mac:
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
        self._derived: dict[bytes, bytes] = {}

    def derive_key(self, secret_key: str | bytes | None = None) -> bytes:
        """The key of this purpose; derived once, since a keyring never changes."""
        secret = self.secret_keys[-1] if secret_key is None else want_bytes(secret_key)
        if secret not in self._derived:
            self._derived[secret] = super().derive_key(secret)
        return self._derived[secret]

    @cached_property
    def _mac(self) -> _Mac:
        return _Mac(self.derive_key())

    def seal(self, payload: bytes) -> str:
        """Sign raw payload bytes; returns ``payload/signature``, both base64url without padding."""
        text = _base64(payload)
        signature = _base64(self._mac.digest(text)[:SIGNATURE_BYTES])
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


OPEN: Final = "waypost.open"


@dataclass(frozen=True, slots=True)
class OpenToken:
    """What the pixel of a message carries. ``sent`` is in seconds since 1970, UTC."""

    campaign: CampaignCode
    delivery: str
    person: str | None
    sent: int


class OpenSealer:
    """Seals and opens what pixels carry under one keyring."""

    def __init__(self, keyring: Keyring) -> None:
        self._signer = TokenSigner(keyring, OPEN)

    def seal(self, token: OpenToken) -> str:
        """``payload/signature`` of one message's pixel: the path after ``/e/o/``."""
        part = recipient_part(token.delivery, token.person, token.sent)
        return self.seal_part(part, token.campaign)

    def seal_part(self, part: bytes, campaign: CampaignCode) -> str:
        """The same for a recipient whose fields are packed already (``recipient_part``)."""
        return self._signer.seal(part + bytes.fromhex(campaign))

    def open(self, text: str) -> OpenToken:
        """What ``payload/signature`` carries. Raises TokenError, as ``Sealer.open`` does."""
        return _decode(self._signer.open(text))


def _decode(data: bytes) -> OpenToken:
    if not data:
        raise MalformedToken("empty payload")
    if data[0] != VERSION:
        raise UnknownVersion(data[0])
    try:
        delivery, person, sent, at = read_recipient(data)
        campaign = CampaignCode(take(data, at, CAMPAIGN_BYTES).hex())
        if len(data) != at + CAMPAIGN_BYTES:
            raise ValueError("payload has a tail")
    except (ValueError, IndexError) as e:
        raise MalformedToken("the fields do not hold together") from e
    return OpenToken(campaign, delivery, person, sent)


CLICK: Final = "waypost.click"


class RecipientSealer:
    """Seals the prepared links of a message for one recipient; the recipient's fields are packed
    once.
    """

    __slots__ = ("_opens", "_part", "_signer")

    def __init__(self, signer: TokenSigner, opens: OpenSealer, part: bytes) -> None:
        self._signer = signer
        self._opens = opens
        self._part = part

    def seal(self, link: PreparedLink) -> str:
        """``payload/signature`` of one link for this recipient."""
        return self._signer.seal(self._part + link)

    def pixel(self, campaign: CampaignCode) -> str:
        """``payload/signature`` of the pixel in this recipient's message."""
        return self._opens.seal_part(self._part, campaign)


class Sealer:
    """Seals and opens click tokens under one keyring. Keeps no state of messages; safe to share.

    ``opens`` does the same for pixels; ``key`` is the fingerprint of the key that signs.
    """

    def __init__(self, keyring: Keyring) -> None:
        self.key = keyring.fingerprints[-1]
        self._signer = TokenSigner(keyring, CLICK)
        self.opens = OpenSealer(keyring)

    def for_recipient(self, delivery: str, person: str | None, sent: int) -> RecipientSealer:
        """A sealer of one recipient's links. ``sent`` in seconds since 1970, UTC."""
        return RecipientSealer(self._signer, self.opens, recipient_part(delivery, person, sent))

    def seal(self, token: ClickToken) -> str:
        """``payload/signature`` of one token: the path after ``/e/c/``."""
        if token.stored is not None:
            link = prepare_stored(token.link, token.position, token.stored)
        else:
            link = prepare_link(token.link, token.position, _marked(token.href, token.person))
        return self.for_recipient(token.delivery, token.person, token.sent).seal(link)

    def open(self, text: str) -> ClickToken:
        """What ``payload/signature`` carries.

        Raises BadSignature, UnknownVersion or MalformedToken; nothing but a token that one of our
        keys signed is ever read.
        """
        return decode(self._signer.open(text))


def _marked(href: str, person: str | None) -> str:
    return href if person is None else href.replace(person_parameter(person), _MARK, 1)
