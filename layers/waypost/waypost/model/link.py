"""A link of a campaign, as its messages define it.

Key: pk ``C#{campaign}``, sk ``L#{link code}``. Written once, when a message first carries it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from waypost.codes import LinkCode, campaign_of
from waypost.model import item
from waypost.model.campaign import campaign_partition
from waypost.model.item import Item
from waypost.model.times import parse_time, rfc3339

PREFIX = "L#"


@dataclass(frozen=True, slots=True)
class LinkDefinition:
    """What makes hrefs one link (``identity``: a tag, or the href as the template has it), and how
    reports show it. ``position`` counts from 1 in the message.
    """

    identity: str
    url: str
    tag: str | None
    position: int


@dataclass(frozen=True, slots=True)
class Link:
    """A link with the code that its tokens and clicks carry."""

    code: LinkCode
    definition: LinkDefinition
    first_seen: datetime

    def to_item(self) -> Item:
        values = {
            "identity": self.definition.identity,
            "url": self.definition.url,
            "tag": self.definition.tag,
            "position": self.definition.position,
            "first_seen": rfc3339(self.first_seen),
        }
        return link_key(self.code) | item.item(values)

    @classmethod
    def from_item(cls, stored: Item) -> Self:
        """Read what ``to_item`` gave. Raises MalformedItem."""
        definition = LinkDefinition(
            identity=item.text(stored, "identity"),
            url=item.text(stored, "url"),
            tag=item.optional_text(stored, "tag"),
            position=item.number(stored, "position"),
        )
        first_seen = parse_time(item.text(stored, "first_seen"))
        return cls(code_of_item(stored), definition, first_seen)


def link_key(link: LinkCode) -> Item:
    """The item's key, which the code alone tells."""
    return item.item({"pk": campaign_partition(campaign_of(link)), "sk": f"{PREFIX}{link}"})


def code_of_item(stored: Item) -> LinkCode:
    """The code of a stored link, whatever else of it cannot be read."""
    return LinkCode(item.text(stored, "sk").removeprefix(PREFIX))
