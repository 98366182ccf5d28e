"""A recipient of a campaign: their clicks, their sums, and the clicks that are counted already.

The row makes counting exact. It stores every counted click, so that a click that arrives twice is
recognized, and sums by link and delivery, so that reports can list who clicked a link.

A row stores up to ``MAX_INLINE_CLICKS`` clicks, more than almost anyone makes. Further clicks, of a
scanner or a shared link, go to overflow items, each with the clicks of ten seconds. So a row stays
small, and an overflow item is limited by the 1,000 writes a second that one partition of the ledger
accepts. Clicks from the fallback queue may exceed that: a full overflow item continues in another.

A counted click has 34 bytes and a sum 28: an ordinary row stays below the kilobyte of one write
unit. Both are fixed layouts, big-endian; a new layout would need a new attribute.

Keys: pk ``R#{campaign}#{shard}``, sk the recipient (``p:{person}``, ``d:{delivery}`` or
``a:{alias}``) for a row and ``~{recipient}#{number}`` for an overflow item, which sorts after all
rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from struct import Struct
from typing import Final, NamedTuple, Self

from waypost.errors import CorruptItem
from waypost.ids import CampaignId, LinkId
from waypost.models import attributes
from waypost.models.attributes import MAX_MILLISECONDS, Item, Value
from waypost.models.campaign import parse_campaign_partition

OVERFLOW_SPAN_MILLISECONDS: Final = 10_000
"""At 1,000 clicks a second 340 KB; DynamoDB accepts items of 400 KB."""

_COUNTED_CLICK_STRUCT: Final = Struct(">8s4sQ4sHBBHI")
COUNTED_CLICK_BYTES: Final = _COUNTED_CLICK_STRUCT.size
_VISITS_STRUCT: Final = Struct(">4sIIQQ")
VISITS_BYTES: Final = _VISITS_STRUCT.size


@dataclass(frozen=True, slots=True)
class CountedClick:
    """A counted click in a recipient row. ``time`` is in milliseconds since 1970.

    ``id`` and ``delivery`` are hashes. ``client`` and ``network`` can only be compared. ``batch``
    is the transaction that counted the click.
    """

    id: bytes
    link: LinkId
    time: int
    delivery: bytes
    signals: int
    is_bot: bool
    client: int = 0
    network: int = 0
    batch: int = 0

    @property
    def overflow_number(self) -> int:
        """Return the number of its overflow item, if the row is full."""
        return self.time // OVERFLOW_SPAN_MILLISECONDS


@dataclass(frozen=True, slots=True)
class Visits:
    """A recipient's clicks on a link or in a delivery; times in milliseconds since 1970."""

    human: int = 0
    bot: int = 0
    first: int = 0
    last: int = 0

    @property
    def total(self) -> int:
        return self.human + self.bot


NO_VISITS: Final = Visits()


def click_hash(click_id: str) -> bytes:
    """Return a click id's hash in a recipient row."""
    return blake2b(click_id.encode(), digest_size=8).digest()


def delivery_hash(delivery: str) -> bytes:
    """Return a delivery's hash in a recipient row: enough to tell one recipient's apart."""
    return blake2b(delivery.encode(), digest_size=4).digest()


def anonymous_delivery_hash(alias: str, digest: bytes) -> bytes:
    """Return a delivery's hash for an anonymous recipient. It is keyed by the alias, since the
    sender knows the deliveries and could recompute their hashes.
    """
    return blake2b(digest, key=alias.encode(), digest_size=4).digest()


def pack_clicks(clicks: tuple[CountedClick, ...]) -> bytes:
    return b"".join(
        _COUNTED_CLICK_STRUCT.pack(
            m.id,
            link_suffix(m.link),
            m.time,
            m.delivery,
            m.signals,
            m.is_bot,
            m.client,
            m.network,
            m.batch,
        )
        for m in clicks
    )


def unpack_clicks(campaign: CampaignId, packed: bytes) -> tuple[CountedClick, ...]:
    """Read the result of ``pack_clicks``. Raises CorruptItem."""
    if len(packed) % _COUNTED_CLICK_STRUCT.size:
        raise CorruptItem(f"recipient row: truncated clicks ({len(packed)} bytes)")
    return tuple(
        CountedClick(
            id_,
            LinkId(campaign + link.hex()),
            _check_time(time),
            delivery,
            signals,
            bool(is_bot),
            *rest,
        )
        for id_, link, time, delivery, signals, is_bot, *rest in _COUNTED_CLICK_STRUCT.iter_unpack(
            packed
        )
    )


def pack_visits(visits: Iterable[tuple[bytes, Visits]]) -> bytes:
    return b"".join(_VISITS_STRUCT.pack(n, v.human, v.bot, v.first, v.last) for n, v in visits)


def unpack_visits(packed: bytes) -> Iterator[tuple[bytes, Visits]]:
    """Read the result of ``pack_visits``. Raises CorruptItem, also during the iteration."""
    if len(packed) % _VISITS_STRUCT.size:
        raise CorruptItem(f"recipient row: truncated sums ({len(packed)} bytes)")
    return (
        (name, Visits(human, bot, _check_time(first), _check_time(last)))
        for name, human, bot, first, last in _VISITS_STRUCT.iter_unpack(packed)
    )


def _check_time(milliseconds: int) -> int:
    if milliseconds > MAX_MILLISECONDS:
        raise CorruptItem("recipient row: timestamp after year 9999")
    return milliseconds


def link_suffix(link: LinkId) -> bytes:
    return bytes.fromhex(link[-8:])


RECIPIENT_SHARDS: Final = 32
_NEXT_OVERFLOW_OFFSET: Final = 10**9
"""Added to the number of a full overflow item; numbers by time reach it in the year 2286."""


class RecipientKey(NamedTuple):
    """The key of a recipient row (``overflow`` None) or of one of its overflow items."""

    campaign: CampaignId
    recipient: str
    overflow: int | None = None

    @property
    def partition(self) -> str:
        return recipient_partition(self.campaign, recipient_shard(self.recipient))

    @property
    def sort_key(self) -> str:
        return self.recipient if self.overflow is None else f"~{self.recipient}#{self.overflow}"

    def to_attributes(self) -> Item:
        return attributes.build_item({"pk": self.partition, "sk": self.sort_key})


def next_overflow_number(number: int) -> int:
    """Return the number of the overflow item that continues a full one."""
    return number + _NEXT_OVERFLOW_OFFSET


def recipient_partition(campaign: CampaignId, shard: int) -> str:
    """Return a partition of a campaign's recipients."""
    return f"R#{campaign}#{shard:02x}"


def recipient_shard(recipient: str) -> int:
    return blake2b(recipient.encode(), digest_size=1).digest()[0] % RECIPIENT_SHARDS


def parse_recipient_key(stored: Item) -> RecipientKey:
    """Read the key of a stored row or overflow item. Raises CorruptItem."""
    campaign = parse_campaign_partition(attributes.get_text(stored, "pk"))
    sort_key = attributes.get_text(stored, "sk")
    if not sort_key.startswith("~"):
        return RecipientKey(campaign, sort_key)
    recipient, _, number = sort_key[1:].rpartition("#")
    if not number.isascii() or not number.isdigit():
        raise CorruptItem(f"overflow item: 'sk' has no number ({number[:40]!r})")
    return RecipientKey(campaign, recipient, int(number))


MAX_OVERFLOW_CLICKS: Final = 11_000
"""374 KB; DynamoDB accepts items of 400 KB."""
MAX_INLINE_CLICKS: Final = 20
MAX_DISTINCT_KEYS: Final = 2_000
"""Deliveries and links of one recipient with sums of their own. Further ones do not count as
unique, so that unique figures can only be too low.
"""

_ITEM_OVERHEAD_BYTES: Final = 2_000
"""Bytes of an item besides its clicks and sums: a name has at most 1,020."""


@dataclass(frozen=True, slots=True)
class RecipientRow:
    """A recipient in a campaign. ``version`` 0 is a row that is not stored."""

    key: RecipientKey
    version: int = 0
    counted_clicks: tuple[CountedClick, ...] = ()
    total: Visits = NO_VISITS
    links: Mapping[LinkId, Visits] = field(default_factory=dict)
    deliveries: Mapping[bytes, Visits] = field(default_factory=dict)
    opens: Mapping[bytes, Visits] = field(default_factory=dict)
    """Opens by delivery. ``total`` and ``deliveries`` count clicks only; ``links`` has opens too,
    under the id of opens.
    """
    shared_deliveries: frozenset[bytes] = frozenset()

    @property
    def person(self) -> str | None:
        kind, _, name = self.key.recipient.partition(":")
        return name if kind == "p" else None

    @property
    def is_full(self) -> bool:
        """Return whether further clicks go to overflow items."""
        return len(self.counted_clicks) >= MAX_INLINE_CLICKS

    def get_engagement(self, delivery: bytes) -> Visits:
        """Return opens plus clicks of a delivery: a click implies an open."""
        opens, clicks = (sums.get(delivery, Visits()) for sums in (self.opens, self.deliveries))
        return Visits(opens.human + clicks.human, opens.bot + clicks.bot)

    def to_visitor(self, link: LinkId) -> LinkVisitor:
        """Return the recipient as a visitor of the link. Raises KeyError without a click on it."""
        visits = self.links[link]
        return LinkVisitor(self.person, visits.first, visits.last, visits.total)

    @property
    def item_bytes(self) -> int:
        """Return the largest possible size of its item, in bytes."""
        sums = (
            len(self.links) + len(self.deliveries) + len(self.opens) + len(self.shared_deliveries)
        )
        return (
            _ITEM_OVERHEAD_BYTES
            + len(self.counted_clicks) * COUNTED_CLICK_BYTES
            + sums * VISITS_BYTES
        )

    def to_item(self) -> Item:
        values: dict[str, Value | None] = {
            "version": self.version,
            "human": self.total.human,
            "machine": self.total.bot,
            "first": self.total.first,
            "last": self.total.last,
            "marks": pack_clicks(self.counted_clicks),
            "links": pack_visits((link_suffix(n), v) for n, v in self.links.items()),
            "deliveries": pack_visits(self.deliveries.items()),
            "opened": pack_visits(self.opens.items()) or None,
            "shared": b"".join(sorted(self.shared_deliveries)) or None,
        }
        return self.key.to_attributes() | attributes.build_item(values)

    @classmethod
    def from_item(cls, key: RecipientKey, stored: Item) -> Self:
        """Read the result of ``to_item``. Raises CorruptItem."""
        shared = attributes.get_bytes(stored, "shared")
        return cls(
            key,
            version=attributes.get_number(stored, "version"),
            counted_clicks=_unpack_item_clicks(key, stored),
            total=Visits(
                *(attributes.get_number(stored, n) for n in ("human", "machine", "first", "last"))
            ),
            links={
                LinkId(key.campaign + suffix.hex()): visits
                for suffix, visits in unpack_visits(attributes.get_bytes(stored, "links", None))
            },
            deliveries=dict(unpack_visits(attributes.get_bytes(stored, "deliveries", None))),
            opens=dict(unpack_visits(attributes.get_bytes(stored, "opened"))),
            shared_deliveries=frozenset(shared[i : i + 4] for i in range(0, len(shared), 4)),
        )


@dataclass(frozen=True, slots=True)
class OverflowItem:
    """The clicks of a time span that did not fit into the row."""

    key: RecipientKey
    version: int = 0
    counted_clicks: tuple[CountedClick, ...] = ()

    @property
    def number(self) -> int:
        """Return the number of its time span, counted from 1970."""
        return self.key.overflow or 0

    @property
    def remaining_capacity(self) -> int:
        """Return the number of further clicks that fit."""
        return MAX_OVERFLOW_CLICKS - len(self.counted_clicks)

    @property
    def next_key(self) -> RecipientKey:
        """Return the key of the overflow item that continues it when it is full."""
        return self.key._replace(overflow=next_overflow_number(self.number))

    @property
    def item_bytes(self) -> int:
        """Return the largest possible size of its item, in bytes."""
        return _ITEM_OVERHEAD_BYTES + len(self.counted_clicks) * COUNTED_CLICK_BYTES

    def to_item(self) -> Item:
        values: dict[str, Value | None] = {
            "version": self.version,
            "marks": pack_clicks(self.counted_clicks),
        }
        return self.key.to_attributes() | attributes.build_item(values)

    @classmethod
    def from_item(cls, key: RecipientKey, stored: Item) -> Self:
        """Read the result of ``to_item``. Raises CorruptItem."""
        return cls(key, attributes.get_number(stored, "version"), _unpack_item_clicks(key, stored))


@dataclass(frozen=True, slots=True)
class LinkVisitor:
    """A recipient who clicked a link. ``person``: None if unknown or not to be shown."""

    person: str | None
    first: int
    last: int
    clicks: int


def _unpack_item_clicks(key: RecipientKey, stored: Item) -> tuple[CountedClick, ...]:
    """Read the clicks of an item. They are required: without them, clicks would count twice."""
    return unpack_clicks(key.campaign, attributes.get_bytes(stored, "marks", None))
