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

from waypost.errors import CorruptItem
from waypost.ids import (
    CampaignId,
    LinkId,
    WorkspaceId,
    derive_campaign_id,
    extract_campaign_id,
    extract_workspace_id,
)
from waypost.models import attributes
from waypost.models.attributes import Item, format_rfc3339, parse_rfc3339

CAMPAIGN_SORT_KEY = "C"


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
    is_sharded: bool = False
    is_listed: bool = False

    @property
    def id(self) -> CampaignId:
        return derive_campaign_id(self.workspace, self.name)

    @property
    def list_key(self) -> str:
        """Where the list of the workspace has it: by the time when it was first seen."""
        return f"{format_rfc3339(self.first_seen)}#{self.id}"

    def to_item(self) -> Item:
        return attributes.build_item(
            {"pk": campaign_partition(self.id), "sk": CAMPAIGN_SORT_KEY, **self._item_values()}
        )

    def to_list_item(self) -> Item:
        partition = campaign_list_partition(extract_workspace_id(self.id))
        return attributes.build_item({"pk": partition, "sk": self.list_key, **self._item_values()})

    @classmethod
    def from_item(cls, stored: Item) -> Self:
        """Read what ``to_item`` or ``to_list_item`` gave. Raises MalformedItem."""
        return cls(
            workspace=attributes.get_text(stored, "workspace"),
            name=attributes.get_text(stored, "campaign"),
            kind=attributes.get_text(stored, "kind"),
            channel=attributes.get_text(stored, "channel"),
            first_seen=parse_rfc3339(attributes.get_text(stored, "first_seen")),
            is_sharded="spread" in stored,
            is_listed="listed" in stored,
        )

    def _item_values(self) -> dict[str, attributes.Value]:
        return {
            "workspace": self.workspace,
            "campaign": self.name,
            "kind": self.kind,
            "channel": self.channel,
            "first_seen": format_rfc3339(self.first_seen),
        }


def parse_list_key(list_key: str) -> CampaignId:
    """The code of the campaign that the list has at a place."""
    return CampaignId(list_key.rpartition("#")[2])


def parse_campaign_partition(partition: str) -> CampaignId:
    """The campaign that a partition is of. Raises MalformedItem."""
    kind, separator, rest = partition.partition("#")
    if not kind or not separator:
        raise CorruptItem("a partition of no campaign")
    return CampaignId(rest.partition("#")[0])


def campaign_partition(campaign: CampaignId, shard: int = 0) -> str:
    """The partition of a campaign; shards above 0 hold counters of hot ones."""
    return f"C#{campaign}" if shard == 0 else f"C#{campaign}#{shard:x}"


def campaign_list_partition(workspace: WorkspaceId) -> str:
    """The partition that lists a workspace's campaigns."""
    return f"W#{workspace}"


LINK_SORT_KEY_PREFIX = "L#"


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

    id: LinkId
    definition: LinkDefinition
    first_seen: datetime

    def to_item(self) -> Item:
        values = {
            "identity": self.definition.identity,
            "url": self.definition.url,
            "tag": self.definition.tag,
            "position": self.definition.position,
            "first_seen": format_rfc3339(self.first_seen),
        }
        return link_key(self.id) | attributes.build_item(values)

    @classmethod
    def from_item(cls, stored: Item) -> Self:
        """Read what ``to_item`` gave. Raises MalformedItem."""
        definition = LinkDefinition(
            identity=attributes.get_text(stored, "identity"),
            url=attributes.get_text(stored, "url"),
            tag=attributes.get_optional_text(stored, "tag"),
            position=attributes.get_number(stored, "position"),
        )
        first_seen = parse_rfc3339(attributes.get_text(stored, "first_seen"))
        return cls(parse_link_id(stored), definition, first_seen)


def link_key(link: LinkId) -> Item:
    """The item's key, which the code alone tells."""
    return attributes.build_item(
        {"pk": campaign_partition(extract_campaign_id(link)), "sk": f"{LINK_SORT_KEY_PREFIX}{link}"}
    )


def parse_link_id(stored: Item) -> LinkId:
    """The code of a stored link, whatever else of it cannot be read."""
    return LinkId(attributes.get_text(stored, "sk").removeprefix(LINK_SORT_KEY_PREFIX))


MESSAGE_SORT_KEY: Final = "M"
MAX_MESSAGE_BYTES: Final = 350_000
"""Of the deflated HTML; DynamoDB takes 400 KB an item."""
MAX_MESSAGE_CHARACTERS: Final = 4 * 1024 * 1024
"""Of the HTML read back, so that nothing stored can fill the memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentMessage:
    """``rendered``: what one recipient got, which names them, and not the template of all.

    ``expires`` in seconds since 1970.
    """

    campaign: CampaignId
    html: str
    rendered: bool
    expires: int

    @property
    def key(self) -> Item:
        return message_key(self.campaign)

    def to_item(self) -> Item | None:
        """The item, or None where it would be too large."""
        deflated = zlib.compress(self.html.encode(), 9)
        if len(deflated) > MAX_MESSAGE_BYTES or len(self.html) > MAX_MESSAGE_CHARACTERS:
            return None
        return self.key | attributes.build_item(
            {"html": deflated, "rendered": self.rendered, "expires": self.expires}
        )

    @classmethod
    def from_item(cls, campaign: CampaignId, stored: Item) -> Self:
        """Read an item back. Raises MalformedItem."""
        inflater = zlib.decompressobj()
        try:
            # One byte more than any message has: at the bound itself, the end is not seen.
            inflated = inflater.decompress(
                attributes.get_bytes(stored, "html"), 4 * MAX_MESSAGE_CHARACTERS + 1
            )
            html = inflated.decode()
        except (zlib.error, UnicodeError) as e:
            raise CorruptItem("the message of a campaign cannot be read") from e
        if not inflater.eof:
            raise CorruptItem("the message of a campaign is cut")
        return cls(
            campaign=campaign,
            html=html,
            rendered=is_personal(stored),
            expires=attributes.get_number(stored, "expires"),
        )


def is_personal(stored: Item) -> bool:
    """Whether a stored message may name somebody: if it does not say that it does not."""
    return stored.get("rendered") != attributes.to_attribute(False)


def message_key(campaign: CampaignId) -> Item:
    return attributes.build_item({"pk": campaign_partition(campaign), "sk": MESSAGE_SORT_KEY})
