"""A link of a campaign, as its messages define it.

Key: pk ``C#{campaign}``, sk ``L#{link code}``. Written once, when a message first carries it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from waypost.ids import LinkCode, campaign_of
from waypost.model.times import parse_time, rfc3339
from waypost.models import attributes
from waypost.models.attributes import Item
from waypost.models.campaign import campaign_partition

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
        return link_key(self.code) | attributes.item(values)

    @classmethod
    def from_item(cls, stored: Item) -> Self:
        """Read what ``to_item`` gave. Raises MalformedItem."""
        definition = LinkDefinition(
            identity=attributes.text(stored, "identity"),
            url=attributes.text(stored, "url"),
            tag=attributes.optional_text(stored, "tag"),
            position=attributes.number(stored, "position"),
        )
        first_seen = parse_time(attributes.text(stored, "first_seen"))
        return cls(code_of_item(stored), definition, first_seen)


def link_key(link: LinkCode) -> Item:
    """The item's key, which the code alone tells."""
    return attributes.item({"pk": campaign_partition(campaign_of(link)), "sk": f"{PREFIX}{link}"})


def code_of_item(stored: Item) -> LinkCode:
    """The code of a stored link, whatever else of it cannot be read."""
    return LinkCode(attributes.text(stored, "sk").removeprefix(PREFIX))
