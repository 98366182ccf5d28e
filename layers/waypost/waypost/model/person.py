"""A person's wish not to be tracked: clicks are still counted, but no longer as theirs.

Key: pk ``W#{workspace code}``, sk ``P#{hash of the person}``. The item does not name the person,
so a list of those who opted out is none of people.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Self

from waypost.ids import CampaignCode, WorkspaceCode
from waypost.model.times import parse_time, rfc3339
from waypost.models import attributes
from waypost.models.attributes import Item
from waypost.models.workspace import workspace_partition


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOut:
    """An opt-out. ``salt`` is random and stands nowhere else: with the opt-out goes the only way
    from the person to their alias.
    """

    workspace: WorkspaceCode
    person_hash: str
    salt: str
    since: datetime

    def alias(self, campaign: CampaignCode) -> str:
        """Who the person is in a campaign's figures: one and the same, but nobody."""
        return blake2b(campaign.encode(), key=self.salt.encode(), digest_size=8).hexdigest()

    def to_item(self) -> Item:
        values = {"salt": self.salt, "since": rfc3339(self.since)}
        return opt_out_key(self.workspace, self.person_hash) | attributes.item(values)

    @classmethod
    def from_item(cls, workspace: WorkspaceCode, stored: Item) -> Self:
        return cls(
            workspace=workspace,
            person_hash=attributes.text(stored, "sk").removeprefix("P#"),
            salt=attributes.text(stored, "salt"),
            since=parse_time(attributes.text(stored, "since")),
        )


def person_hash(workspace: WorkspaceCode, person: str) -> str:
    """What an opt-out is kept under."""
    return blake2b(person.encode(), key=workspace.encode(), digest_size=16).hexdigest()


def opt_out_key(workspace: WorkspaceCode, hashed: str) -> Item:
    return attributes.item({"pk": workspace_partition(workspace), "sk": f"P#{hashed}"})
