"""A campaign and what the stack knows of it: names, kind, channel, first seen.

Key: pk ``C#{campaign}``, sk ``C``. The partition also holds the campaign's links and counters. Once
more, pk ``W#{workspace}``, sk ``{first seen}#{campaign}``: the list of a workspace's campaigns.

A link of a campaign, as its messages define it.

Key: pk ``C#{campaign}``, sk ``L#{link code}``. Written once, when a message first carries it.

The HTML that a campaign sent, kept once to show its clicks on.

Key: pk ``C#{campaign}``, sk ``M``. Deflated, an e-mail is some 10 KB; what is larger than an item
takes is not kept.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from waypost.errors import MalformedItem
from waypost.ids import (
    CampaignCode,
    LinkCode,
    WorkspaceCode,
    campaign_code,
    campaign_of,
    workspace_of,
)
from waypost.models import attributes
from waypost.models.attributes import Item, parse_time, rfc3339

SORT = "C"


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """A campaign of a workspace, both by the names that callers gave them.

    ``spread`` says that counters may lie in further partitions (``waypost.repositories``),
    ``listed`` that the list of the workspace has it.
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
