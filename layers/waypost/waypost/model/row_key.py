"""Where a recipient's row lies, and the sheets of marks that found no room in it.

pk ``R#{campaign}#{shard}``, sk the recipient (``p:{person}``, ``d:{delivery}`` or ``a:{alias}``). A
sheet has the same pk, and sk ``~{recipient}#{sheet}``, which sorts after all rows.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final, NamedTuple

from waypost.errors import MalformedItem
from waypost.ids import CampaignCode
from waypost.models import attributes
from waypost.models.attributes import Item
from waypost.models.campaign import campaign_of_partition

SHARDS: Final = 32
_FURTHER: Final = 10**9
"""What the number of a further sheet is higher by: sheets by time reach it in the year 2286."""


class RowKey(NamedTuple):
    """Names a recipient's row (``sheet`` None) or one of its sheets."""

    campaign: CampaignCode
    recipient: str
    sheet: int | None = None

    @property
    def partition(self) -> str:
        return recipient_partition(self.campaign, shard_of(self.recipient))

    @property
    def sort(self) -> str:
        return self.recipient if self.sheet is None else f"~{self.recipient}#{self.sheet}"

    def item(self) -> Item:
        return attributes.item({"pk": self.partition, "sk": self.sort})


def further_sheet(number: int) -> int:
    """The number of the sheet that a full one goes on in."""
    return number + _FURTHER


def recipient_partition(campaign: CampaignCode, shard: int) -> str:
    """One of the partitions that hold a campaign's recipients."""
    return f"R#{campaign}#{shard:02x}"


def shard_of(recipient: str) -> int:
    return blake2b(recipient.encode(), digest_size=1).digest()[0] % SHARDS


def key_of_item(stored: Item) -> RowKey:
    """The key of a stored row or sheet, read back from its item. Raises MalformedItem."""
    campaign = campaign_of_partition(attributes.text(stored, "pk"))
    sort = attributes.text(stored, "sk")
    if not sort.startswith("~"):
        return RowKey(campaign, sort)
    recipient, _, sheet = sort[1:].rpartition("#")
    if not sheet.isascii() or not sheet.isdigit():
        raise MalformedItem("a sheet has no number")
    return RowKey(campaign, recipient, int(sheet))
