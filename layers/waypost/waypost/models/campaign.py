"""A campaign, its links, its sent message, and records of what only one person has.

Keys, all in the campaign's partition ``C#{campaign}``, which also holds its counters:

    C           the campaign: names, kind, channel, first seen
    L#{link}    a link, written when a message first contains it; one that only one recipient has is
                marked with them (``RecipientMark``)
    M           the HTML that the campaign sent, to show its clicks on; deflated, an e-mail has
                some 10 KB, and one that exceeds an item is not stored
    M#0, M#1    instead, the HTML of one recipient: of two different ones, so that the erasure of
                one leaves the other's
    M!          the state of the message, which remains when the message itself is gone

The list of a workspace's campaigns has each campaign once more: pk ``W#{workspace}``, sk
``{first seen}#{campaign}``.

Link definitions and stored destinations have keys of their own, and short links random codes. None
of them leads from a person to data that was stored for this person alone. So each is recorded
before it is stored: pk ``P#{workspace}#{hash of the person}``, sk ``{campaign}#{digest of the
content}``. A record that is written again replaces itself, and no other.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b
from typing import Final, NamedTuple, Self

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
from waypost.urls import get_common_url

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


class RecipientMark(NamedTuple):
    """Marks data that only one recipient has, so that it is erased with them.

    ``hash`` is that of ``p:{person}`` or ``d:{delivery}``. ``expires``, in seconds since 1970: for
    a recipient without a person, whom no erasure names.
    """

    hash: str
    expires: int | None = None

    def is_same(self, other: RecipientMark | None) -> bool:
        """Return whether both mark the same recipient."""
        return other is not None and self.hash == other.hash


def recipient_hash(workspace: WorkspaceId, recipient: str) -> str:
    """Return the hash that marks the data of a recipient (``p:{person}`` or ``d:{delivery}``)."""
    return blake2b(recipient.encode(), key=workspace.encode(), digest_size=16).hexdigest()


LINK_SORT_KEY_PREFIX = "L#"
ERASED_IDENTITY: Final = "erased"
"""The identity of an erased link, which no link of a message has: each begins with its kind and a
colon.
"""


@dataclass(frozen=True, slots=True)
class LinkDefinition:
    """The identity of a link and its appearance in reports.

    Hrefs with one ``identity`` (a tag, or the href as the template has it) are one link.
    ``position`` counts from 1 in the message. ``only_for``: the recipient whose message alone has
    the link, as far as is known; None if the link is a template's, or several recipients have it.
    """

    identity: str
    url: str
    tag: str | None
    position: int
    only_for: RecipientMark | None = None

    def merge(self, other: LinkDefinition) -> LinkDefinition:
        """Return the definition that covers the same link of another recipient's message too. The
        first one's URL stays, unless it is of one recipient and differs: then their common part.
        """
        if self.only_for is None or self.only_for.is_same(other.only_for):
            return self
        return replace(self, url=get_common_url(self.url, other.url), only_for=None)


@dataclass(frozen=True, slots=True)
class Link:
    """A link with the id that its tokens and clicks carry."""

    id: LinkId
    definition: LinkDefinition
    first_seen: datetime

    def to_item(self) -> Item:
        only_for = self.definition.only_for
        values = {
            "identity": self.definition.identity,
            "url": self.definition.url,
            "tag": self.definition.tag,
            "position": self.definition.position,
            "first_seen": format_rfc3339(self.first_seen),
            "recipient": only_for.hash if only_for else None,
            "expires": only_for.expires if only_for else None,
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
            only_for=parse_recipient_mark(stored),
        )
        first_seen = parse_rfc3339(attributes.get_text(stored, "first_seen"))
        return cls(parse_link_id(stored), definition, first_seen)


def parse_recipient_mark(stored: Item) -> RecipientMark | None:
    """Return the only recipient that an item is marked with. Raises CorruptItem."""
    recipient = attributes.get_optional_text(stored, "recipient")
    if recipient is None:
        return None
    expires = attributes.get_number(stored, "expires") if "expires" in stored else None
    return RecipientMark(recipient, expires)


def link_key(link: LinkId) -> Item:
    """Return the key of a link's item, which its id determines."""
    return attributes.build_item(
        {"pk": campaign_partition(extract_campaign_id(link)), "sk": f"{LINK_SORT_KEY_PREFIX}{link}"}
    )


def parse_link_id(stored: Item) -> LinkId:
    """Return the id of a stored link, which is readable even if the item is corrupt."""
    return LinkId(attributes.get_text(stored, "sk").removeprefix(LINK_SORT_KEY_PREFIX))


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalRecord:
    """Ids of links, digests of stored destinations and codes of short links without expiry, which
    one message of a campaign has for one recipient only.

    ``recipient`` is their hash (``recipient_hash``); ``written`` is in
    seconds since 1970.
    """

    campaign: CampaignId
    recipient: str
    written: int
    links: Sequence[LinkId] = ()
    destinations: Sequence[str] = ()
    codes: Sequence[str] = ()

    @property
    def workspace(self) -> WorkspaceId:
        return extract_workspace_id(self.campaign)

    @property
    def sort_key(self) -> str:
        content = "\n".join((*sorted(self.links), "", *sorted(self.destinations), "", *self.codes))
        return f"{self.campaign}#{blake2b(content.encode(), digest_size=8).hexdigest()}"

    @property
    def key(self) -> Item:
        partition = personal_partition(self.workspace, self.recipient)
        return attributes.build_item({"pk": partition, "sk": self.sort_key})

    def to_item(self) -> Item:
        values: dict[str, attributes.Value] = {
            "written": self.written,
            "links": list(self.links),
            "destinations": list(self.destinations),
            "codes": list(self.codes),
        }
        return self.key | attributes.build_item(values)

    @classmethod
    def from_item(cls, stored: Item) -> Self:
        """Read the result of ``to_item``. Raises CorruptItem."""
        partition, sort_key = (attributes.get_text(stored, name) for name in ("pk", "sk"))
        return cls(
            campaign=CampaignId(sort_key.partition("#")[0]),
            recipient=partition.rpartition("#")[2],
            written=attributes.get_number(stored, "written"),
            links=[LinkId(link) for link in _get_texts(stored, "links")],
            destinations=_get_texts(stored, "destinations"),
            codes=_get_texts(stored, "codes"),
        )


def _get_texts(stored: Item, name: str) -> list[str]:
    values = attributes.from_attribute(stored.get(name, {}))
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise CorruptItem(f"personal record: {name!r} is not a list of texts")
    return values


def personal_partition(workspace: WorkspaceId, recipient: str) -> str:
    """Return the partition of a recipient's records, by their hash."""
    return f"P#{workspace}#{recipient}"


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
    (``recipient_hash``); None if unknown, because an earlier release stored the message.
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
