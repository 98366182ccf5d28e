"""The HTML that a campaign sent, kept once to show its clicks on.

Key: pk ``C#{campaign}``, sk ``M``. Deflated, an e-mail is some 10 KB; what is larger than an item
takes is not kept.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final, Self

from waypost.errors import MalformedItem
from waypost.ids import CampaignCode
from waypost.models import attributes
from waypost.models.attributes import Item
from waypost.models.campaign import campaign_partition

MESSAGE_SORT: Final = "M"
MOST_BYTES: Final = 350_000
"""Of the deflated HTML; DynamoDB takes 400 KB an item."""
MOST_CHARACTERS: Final = 4 * 1024 * 1024
"""Of the HTML read back, so that nothing stored can fill the memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentMessage:
    """``rendered``: what one recipient got, which names them, and not the template of all.

    ``expires`` in seconds since 1970.
    """

    campaign: CampaignCode
    html: str
    rendered: bool
    expires: int

    @property
    def key(self) -> Item:
        return message_key(self.campaign)

    def to_item(self) -> Item | None:
        """The item, or None where it would be too large."""
        deflated = zlib.compress(self.html.encode(), 9)
        if len(deflated) > MOST_BYTES or len(self.html) > MOST_CHARACTERS:
            return None
        return self.key | attributes.item(
            {"html": deflated, "rendered": self.rendered, "expires": self.expires}
        )

    @classmethod
    def from_item(cls, campaign: CampaignCode, stored: Item) -> Self:
        """Read an item back. Raises MalformedItem."""
        inflater = zlib.decompressobj()
        try:
            # One byte more than any message has: at the bound itself, the end is not seen.
            inflated = inflater.decompress(attributes.data(stored, "html"), 4 * MOST_CHARACTERS + 1)
            html = inflated.decode()
        except (zlib.error, UnicodeError) as e:
            raise MalformedItem("the message of a campaign cannot be read") from e
        if not inflater.eof:
            raise MalformedItem("the message of a campaign is cut")
        return cls(
            campaign=campaign,
            html=html,
            rendered=is_rendered(stored),
            expires=attributes.number(stored, "expires"),
        )


def is_rendered(stored: Item) -> bool:
    """Whether a stored message may name somebody: if it does not say that it does not."""
    return stored.get("rendered") != attributes.attribute(False)


def message_key(campaign: CampaignCode) -> Item:
    return attributes.item({"pk": campaign_partition(campaign), "sk": MESSAGE_SORT})
