"""A campaign and what the stack knows of it: names, kind, channel, first seen.

Key: pk ``C#{campaign}``, sk ``C``. The partition also holds the campaign's links and counters. Once
more, pk ``W#{workspace}``, sk ``{first seen}#{campaign}``: the list of a workspace's campaigns.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from waypost.errors import MalformedItem
from waypost.ids import CampaignCode, WorkspaceCode, campaign_code, workspace_of
from waypost.model.times import parse_time, rfc3339
from waypost.models import attributes
from waypost.models.attributes import Item

SORT = "C"


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """A campaign of a workspace, both by the names that callers gave them.

    ``spread`` says that counters may lie in further partitions (``waypost.store``), ``listed`` that
    the list of the workspace has it.
    """

    workspace: str
    name: str
    kind: str
    channel: str
    first_seen: datetime
    spread: bool = False
    listed: bool = False

    @property
    def code(self) -> CampaignCode:
        return campaign_code(self.workspace, self.name)

    @property
    def place(self) -> str:
        """Where the list of the workspace has it: by the time when it was first seen."""
        return f"{rfc3339(self.first_seen)}#{self.code}"

    def to_item(self) -> Item:
        return attributes.item({"pk": campaign_partition(self.code), "sk": SORT, **self._values()})

    def to_list_item(self) -> Item:
        partition = list_partition(workspace_of(self.code))
        return attributes.item({"pk": partition, "sk": self.place, **self._values()})

    @classmethod
    def from_item(cls, stored: Item) -> Self:
        """Read what ``to_item`` or ``to_list_item`` gave. Raises MalformedItem."""
        return cls(
            workspace=attributes.text(stored, "workspace"),
            name=attributes.text(stored, "campaign"),
            kind=attributes.text(stored, "kind"),
            channel=attributes.text(stored, "channel"),
            first_seen=parse_time(attributes.text(stored, "first_seen")),
            spread="spread" in stored,
            listed="listed" in stored,
        )

    def _values(self) -> dict[str, attributes.Value]:
        return {
            "workspace": self.workspace,
            "campaign": self.name,
            "kind": self.kind,
            "channel": self.channel,
            "first_seen": rfc3339(self.first_seen),
        }


def code_of_place(place: str) -> CampaignCode:
    """The code of the campaign that the list has at a place."""
    return CampaignCode(place.rpartition("#")[2])


def campaign_of_partition(partition: str) -> CampaignCode:
    """The campaign that a partition is of. Raises MalformedItem."""
    kind, separator, rest = partition.partition("#")
    if not kind or not separator:
        raise MalformedItem("a partition of no campaign")
    return CampaignCode(rest.partition("#")[0])


def campaign_partition(campaign: CampaignCode, shard: int = 0) -> str:
    """The partition of a campaign; shards above 0 hold counters of hot ones."""
    return f"C#{campaign}" if shard == 0 else f"C#{campaign}#{shard:x}"


def list_partition(workspace: WorkspaceCode) -> str:
    """The partition that lists a workspace's campaigns."""
    return f"W#{workspace}"
