"""Seals what a click link carries, and opens it again."""

from __future__ import annotations

from typing import Final

from waypost.ids import CampaignCode
from waypost.tokens.codec import (
    ClickToken,
    PreparedLink,
    decode,
    prepare_link,
    prepare_stored,
    recipient_part,
)
from waypost.tokens.destination import PERSON_MARK as _MARK
from waypost.tokens.destination import person_parameter
from waypost.tokens.opens import OpenSealer
from waypost.tokens.signer import Keyring, TokenSigner

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
