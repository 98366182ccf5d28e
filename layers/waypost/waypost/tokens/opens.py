"""What a pixel carries: who opened which message, signed for that purpose alone.

    https://<host>/e/o/<payload>/<signature>

Version 1, laid out as click tokens are (``payload``), with the campaign in the place of the link:

    1    version              0x01
    1    forms                delivery's form << 3 | person's form
    4    time of sending      seconds since 1970, UTC
    ·    delivery, person     packed
    9    campaign             workspace and campaign code (``waypost.codes``)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from waypost.errors import MalformedToken, UnknownVersion
from waypost.ids import CAMPAIGN_BYTES, CampaignCode
from waypost.tokens.codec import VERSION, read_recipient, recipient_part
from waypost.tokens.packing import take
from waypost.tokens.signer import Keyring, TokenSigner

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
