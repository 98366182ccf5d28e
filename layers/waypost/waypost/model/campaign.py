"""A campaign and what the stack knows of it: names, kind, channel, first seen.

Key: pk ``C#{campaign}``, sk ``C``. The partition also holds the campaign's links and counters.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from waypost.codes import CampaignCode, campaign_code
from waypost.model import item
from waypost.model.click import parse_time, rfc3339
from waypost.model.item import Item

SORT = "C"


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """A campaign of a workspace, both by the names that callers gave them.

    ``spread`` says that counters may lie in further partitions (``waypost.store``).
    """

    workspace: str
    name: str
    kind: str
    channel: str
    first_seen: datetime
    spread: bool = False

    @property
    def code(self) -> CampaignCode:
        return campaign_code(self.workspace, self.name)

    def to_item(self) -> Item:
        values = {
            "workspace": self.workspace,
            "campaign": self.name,
            "kind": self.kind,
            "channel": self.channel,
            "first_seen": rfc3339(self.first_seen),
        }
        return item.item({"pk": campaign_partition(self.code), "sk": SORT, **values})

    @classmethod
    def from_item(cls, stored: Item) -> Self:
        return cls(
            workspace=item.text(stored, "workspace"),
            name=item.text(stored, "campaign"),
            kind=item.text(stored, "kind"),
            channel=item.text(stored, "channel"),
            first_seen=parse_time(item.text(stored, "first_seen")),
            spread="spread" in stored,
        )


def campaign_of_partition(partition: str) -> CampaignCode:
    """The campaign that a partition is of."""
    return CampaignCode(partition.split("#")[1])


def campaign_partition(campaign: CampaignCode, shard: int = 0) -> str:
    """The partition of a campaign; shards above 0 hold counters of hot ones."""
    return f"C#{campaign}" if shard == 0 else f"C#{campaign}#{shard:x}"
