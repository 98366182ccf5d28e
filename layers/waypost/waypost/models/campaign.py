"""A campaign, its links and its sent message.

Keys, all in the campaign's partition ``C#{campaign}``, which also holds its counters:

    C           the campaign: names, kind, channel, first seen
    L#{link}    a link, written once, when a message first contains it
    M           the HTML that the campaign sent, to show its clicks on; deflated, an e-mail has
                some 10 KB, and one that exceeds an item is not stored
    M#0, M#1    instead, the HTML of one recipient: of two different ones, so that the erasure of
                one leaves the other's
    M!          the state of the message, which remains when the message itself is gone

The list of a workspace's campaigns has each campaign once more: pk ``W#{workspace}``, sk
``{first seen}#{campaign}``.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
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
    """A campaign of a workspace, both with the names that callers gave them.

    ``is_sharded``: counters may lie in further partitions (``waypost.repositories``).
    ``is_listed``: the workspace's list has the campaign.
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
        """Return the sort key in the workspace's list, which sorts by first seen."""
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
        """Read the result of ``to_item`` or ``to_list_item``. Raises CorruptItem."""
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
    """Return the campaign of a sort key in a list."""
    return CampaignId(list_key.rpartition("#")[2])


def parse_campaign_partition(partition: str) -> CampaignId:
    """Return the campaign of a partition. Raises CorruptItem."""
    prefix, separator, rest = partition.partition("#")
    if not prefix or not separator:
        raise CorruptItem(f"'pk': not a campaign's partition ({partition!r})")
    return CampaignId(rest.partition("#")[0])


def campaign_partition(campaign: CampaignId, shard: int = 0) -> str:
    """Return a campaign's partition; shards above 0 hold only counters."""
    return f"C#{campaign}" if shard == 0 else f"C#{campaign}#{shard:x}"


def campaign_list_partition(workspace: WorkspaceId) -> str:
    """Return the partition of a workspace's list of campaigns."""
    return f"W#{workspace}"


LINK_SORT_KEY_PREFIX = "L#"


@dataclass(frozen=True, slots=True)
class LinkDefinition:
    """The identity of a link and its appearance in reports.

    Hrefs with one ``identity`` (a tag, or the href as the template has it) are one link.
    ``position`` counts from 1 in the message.
    """

    identity: str
    url: str
    tag: str | None
    position: int


@dataclass(frozen=True, slots=True)
class Link:
    """A link with the id that its tokens and clicks carry."""

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
        """Read the result of ``to_item``. Raises CorruptItem."""
        definition = LinkDefinition(
            identity=attributes.get_text(stored, "identity"),
            url=attributes.get_text(stored, "url"),
            tag=attributes.get_optional_text(stored, "tag"),
            position=attributes.get_number(stored, "position"),
        )
        first_seen = parse_rfc3339(attributes.get_text(stored, "first_seen"))
        return cls(parse_link_id(stored), definition, first_seen)


def link_key(link: LinkId) -> Item:
    """Return the key of a link's item, which its id determines."""
    return attributes.build_item(
        {"pk": campaign_partition(extract_campaign_id(link)), "sk": f"{LINK_SORT_KEY_PREFIX}{link}"}
    )


def parse_link_id(stored: Item) -> LinkId:
    """Return the id of a stored link, which is readable even if the item is corrupt."""
    return LinkId(attributes.get_text(stored, "sk").removeprefix(LINK_SORT_KEY_PREFIX))


MESSAGE_SORT_KEY: Final = "M"
MESSAGE_STATE_SORT_KEY: Final = "M!"
MESSAGE_SLOTS: Final = 2
"""Messages of single recipients that a campaign stores at most."""
MAX_MESSAGE_BYTES: Final = 350_000
"""Bytes of the deflated HTML; DynamoDB accepts items of 400 KB."""
MAX_MESSAGE_CHARACTERS: Final = 4 * 1024 * 1024
"""Limits the memory that inflating a stored item takes."""


class MessageAbsence(StrEnum):
    """The reason why a campaign has no message to show. Values are stored."""

    NOT_STORED = "not_stored"
    NO_HTML = "no_html"
    TOO_LARGE = "too_large"
    EXPIRED = "expired"
    ERASED = "erased"
    CORRUPT = "corrupt"


@dataclass(frozen=True, slots=True, kw_only=True)
class SentMessage:
    """The HTML of a campaign. ``expires`` is in seconds since 1970.

    ``rendered``: the message of one recipient, which may name them, and neither a template nor the
    message of several recipients. ``recipient`` is the hash of that recipient
    (``waypost.models.workspace``); None if unknown, because an earlier release stored the message.
    """

    campaign: CampaignId
    html: str
    rendered: bool
    expires: int
    recipient: str | None = None

    def to_attributes(self) -> Item | None:
        """Return the attributes of its item, or None if they would be too large."""
        deflated = zlib.compress(self.html.encode(), 9)
        if len(deflated) > MAX_MESSAGE_BYTES or len(self.html) > MAX_MESSAGE_CHARACTERS:
            return None
        return attributes.build_item(
            {
                "html": deflated,
                "rendered": self.rendered,
                "expires": self.expires,
                "recipient": self.recipient,
            }
        )

    @classmethod
    def from_item(cls, campaign: CampaignId, stored: Item) -> Self:
        """Read an item with the result of ``to_attributes``. Raises CorruptItem."""
        inflater = zlib.decompressobj()
        try:
            # One byte more than the largest message: at the limit itself, eof stays False.
            inflated = inflater.decompress(
                attributes.get_bytes(stored, "html"), 4 * MAX_MESSAGE_CHARACTERS + 1
            )
            html = inflated.decode()
        except (zlib.error, UnicodeError) as e:
            raise CorruptItem(f"message of campaign {campaign}: not deflated UTF-8 ({e})") from e
        if not inflater.eof:
            raise CorruptItem(f"message of campaign {campaign}: truncated")
        return cls(
            campaign=campaign,
            html=html,
            rendered=stored.get("rendered") != attributes.to_attribute(False),
            expires=attributes.get_number(stored, "expires"),
            recipient=attributes.get_optional_text(stored, "recipient"),
        )


def may_name_recipient(stored: Item, recipient: str) -> bool:
    """Return whether a stored message may be the one of this recipient. That of an unknown one may,
    unless it is marked as no single recipient's.
    """
    if "recipient" in stored:
        return stored["recipient"] == attributes.to_attribute(recipient)
    return stored.get("rendered") != attributes.to_attribute(False)


def message_key(campaign: CampaignId, slot: int | None = None) -> Item:
    """Return the key of a campaign's message, or of a slot for the message of one recipient."""
    sort_key = MESSAGE_SORT_KEY if slot is None else f"{MESSAGE_SORT_KEY}#{slot}"
    return _message_item_key(campaign, sort_key)


def message_keys(campaign: CampaignId) -> list[Item]:
    """Return the keys of all messages that a campaign may have, the preferred one first."""
    return [message_key(campaign, slot) for slot in (None, *range(MESSAGE_SLOTS))]


def message_state_key(campaign: CampaignId) -> Item:
    """Return the key of the state of a campaign's message."""
    return _message_item_key(campaign, MESSAGE_STATE_SORT_KEY)


def _message_item_key(campaign: CampaignId, sort_key: str) -> Item:
    return attributes.build_item({"pk": campaign_partition(campaign), "sk": sort_key})
