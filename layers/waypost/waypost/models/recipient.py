"""A recipient of a campaign: what they clicked, and which clicks are counted already.

The row is what makes counting exact. It remembers every counted click as a *mark*, so a click that
arrives twice is known, and it sums them by link and delivery, which answers who clicked a link.

A row holds ``INLINE_MARKS`` marks, more than nearly anybody clicks. What a scanner or a shared link
adds goes to sheets, each with the marks of ten seconds. So a row stays small, no click is
forgotten, and a sheet is bounded by the 1,000 writes a second that one recipient's ledger takes.
What was parked beyond that comes home later, of the same seconds: a full sheet goes on in a further
one. Where rows and sheets lie is told by ``row_key``.

What a recipient's row remembers of a counted click, and how marks and sums are packed.

A mark is 34 bytes, a sum 28: an ordinary recipient's row stays under the kilobyte that one write
unit is. Both are fixed layouts, big-endian; a new one would need a new attribute.

Where a recipient's row lies, and the sheets of marks that found no room in it.

pk ``R#{campaign}#{shard}``, sk the recipient (``p:{person}``, ``d:{delivery}`` or ``a:{alias}``). A
sheet has the same pk, and sk ``~{recipient}#{sheet}``, which sorts after all rows.
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
"""What one sheet spans: at 1,000 clicks a second 340 KB, under the 400 that an item may have."""

_COUNTED_CLICK_STRUCT: Final = Struct(">8s4sQ4sHBBHI")
COUNTED_CLICK_BYTES: Final = _COUNTED_CLICK_STRUCT.size
_VISITS_STRUCT: Final = Struct(">4sIIQQ")
VISITS_BYTES: Final = _VISITS_STRUCT.size


@dataclass(frozen=True, slots=True)
class CountedClick:
    """One counted click, as the row remembers it. ``time`` is in milliseconds since 1970.

    ``id`` and ``delivery`` are hashes; ``client`` and ``network`` only tell equal from different;
    ``batch`` is the transaction that counted it.
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
        """The sheet that the mark belongs to where the row has no room."""
        return self.time // OVERFLOW_SPAN_MILLISECONDS


@dataclass(frozen=True, slots=True)
class Visits:
    """A recipient's clicks on one link, or of one delivery; times in milliseconds since 1970."""

    human: int = 0
    bot: int = 0
    first: int = 0
    last: int = 0

    @property
    def total(self) -> int:
        return self.human + self.bot


NO_VISITS: Final = Visits()


def click_hash(click_id: str) -> bytes:
    """What a mark remembers of a click's id."""
    return blake2b(click_id.encode(), digest_size=8).digest()


def delivery_hash(delivery: str) -> bytes:
    """What a mark remembers of a delivery: enough to tell those of one recipient apart."""
    return blake2b(delivery.encode(), digest_size=4).digest()


def anonymous_delivery_hash(alias: str, digest: bytes) -> bytes:
    """The same for a recipient without identity, since whoever sent the deliveries could find
    theirs by its hash.
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
    """Read what ``pack_marks`` wrote. Raises MalformedItem."""
    if len(packed) % _COUNTED_CLICK_STRUCT.size:
        raise CorruptItem("the marks of a recipient are cut")
    return tuple(
        CountedClick(
            id_,
            LinkId(campaign + link.hex()),
            _check_time(time),
            delivery,
            signals,
            bool(kind),
            *rest,
        )
        for id_, link, time, delivery, signals, kind, *rest in _COUNTED_CLICK_STRUCT.iter_unpack(
            packed
        )
    )


def pack_visits(visits: Iterable[tuple[bytes, Visits]]) -> bytes:
    return b"".join(_VISITS_STRUCT.pack(n, v.human, v.bot, v.first, v.last) for n, v in visits)


def unpack_visits(packed: bytes) -> Iterator[tuple[bytes, Visits]]:
    """Read what ``pack_visits`` wrote. Raises MalformedItem, some of it while it is iterated."""
    if len(packed) % _VISITS_STRUCT.size:
        raise CorruptItem("the sums of a recipient are cut")
    return (
        (name, Visits(human, machine, _check_time(first), _check_time(last)))
        for name, human, machine, first, last in _VISITS_STRUCT.iter_unpack(packed)
    )


def _check_time(milliseconds: int) -> int:
    if milliseconds > MAX_MILLISECONDS:
        raise CorruptItem("a recipient has a time that there is not")
    return milliseconds


def link_suffix(link: LinkId) -> bytes:
    return bytes.fromhex(link[-8:])


RECIPIENT_SHARDS: Final = 32
_NEXT_OVERFLOW_OFFSET: Final = 10**9
"""What the number of a further sheet is higher by: sheets by time reach it in the year 2286."""


class RecipientKey(NamedTuple):
    """Names a recipient's row (``sheet`` None) or one of its sheets."""

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
    """The number of the sheet that a full one goes on in."""
    return number + _NEXT_OVERFLOW_OFFSET


def recipient_partition(campaign: CampaignId, shard: int) -> str:
    """One of the partitions that hold a campaign's recipients."""
    return f"R#{campaign}#{shard:02x}"


def recipient_shard(recipient: str) -> int:
    return blake2b(recipient.encode(), digest_size=1).digest()[0] % RECIPIENT_SHARDS


def parse_recipient_key(stored: Item) -> RecipientKey:
    """The key of a stored row or sheet, read back from its item. Raises MalformedItem."""
    campaign = parse_campaign_partition(attributes.get_text(stored, "pk"))
    sort = attributes.get_text(stored, "sk")
    if not sort.startswith("~"):
        return RecipientKey(campaign, sort)
    recipient, _, sheet = sort[1:].rpartition("#")
    if not sheet.isascii() or not sheet.isdigit():
        raise CorruptItem("a sheet has no number")
    return RecipientKey(campaign, recipient, int(sheet))


MAX_OVERFLOW_CLICKS: Final = 11_000
"""374 KB, of the 400 that an item may have."""
MAX_INLINE_CLICKS: Final = 20
MAX_DISTINCT_KEYS: Final = 2_000
"""Deliveries and links of one recipient that are told apart; a further one is counted as clicked
no more, so that unique figures can only be low.
"""

_ITEM_OVERHEAD_BYTES: Final = 2_000
"""Bytes of an item besides its marks and sums: a name has 1,020 at most."""


@dataclass(frozen=True, slots=True)
class RecipientRow:
    """A recipient in a campaign. ``version`` 0 is a row that is not stored yet."""

    key: RecipientKey
    version: int = 0
    counted_clicks: tuple[CountedClick, ...] = ()
    total: Visits = NO_VISITS
    links: Mapping[LinkId, Visits] = field(default_factory=dict)
    deliveries: Mapping[bytes, Visits] = field(default_factory=dict)
    opens: Mapping[bytes, Visits] = field(default_factory=dict)
    """Opens by delivery. ``total`` and ``deliveries`` are of clicks; ``links`` has opens, too,
    under the code that stands for them.
    """
    shared_deliveries: frozenset[bytes] = frozenset()

    @property
    def person(self) -> str | None:
        kind, _, name = self.key.recipient.partition(":")
        return name if kind == "p" else None

    @property
    def is_full(self) -> bool:
        """Whether further marks go to sheets."""
        return len(self.counted_clicks) >= MAX_INLINE_CLICKS

    def get_engagement(self, delivery: bytes) -> Visits:
        """Opens and clicks of a delivery together: who clicks has opened."""
        opens, clicks = (found.get(delivery, Visits()) for found in (self.opens, self.deliveries))
        return Visits(opens.human + clicks.human, opens.bot + clicks.bot)

    def to_visitor(self, link: LinkId) -> LinkVisitor:
        """The recipient as one who clicked the link. Raises KeyError where they did not."""
        visits = self.links[link]
        return LinkVisitor(self.person, visits.first, visits.last, visits.total)

    @property
    def item_bytes(self) -> int:
        """Bytes of its item, at most."""
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
        """Read what ``to_item`` gave. Raises MalformedItem."""
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
    """Marks of one stretch of time that found no room in the row."""

    key: RecipientKey
    version: int = 0
    counted_clicks: tuple[CountedClick, ...] = ()

    @property
    def number(self) -> int:
        """Which stretch of time it is, counted from 1970."""
        return self.key.overflow or 0

    @property
    def remaining_capacity(self) -> int:
        """How many further marks it takes."""
        return MAX_OVERFLOW_CLICKS - len(self.counted_clicks)

    @property
    def next_key(self) -> RecipientKey:
        """The sheet that it goes on in, once it is full."""
        return self.key._replace(overflow=next_overflow_number(self.number))

    @property
    def item_bytes(self) -> int:
        """Bytes of its item, at most."""
        return _ITEM_OVERHEAD_BYTES + len(self.counted_clicks) * COUNTED_CLICK_BYTES

    def to_item(self) -> Item:
        values: dict[str, Value | None] = {
            "version": self.version,
            "marks": pack_clicks(self.counted_clicks),
        }
        return self.key.to_attributes() | attributes.build_item(values)

    @classmethod
    def from_item(cls, key: RecipientKey, stored: Item) -> Self:
        """Read what ``to_item`` gave. Raises MalformedItem."""
        return cls(key, attributes.get_number(stored, "version"), _unpack_item_clicks(key, stored))


@dataclass(frozen=True, slots=True)
class LinkVisitor:
    """Somebody who clicked a link. ``person`` is None where none is known or may be told."""

    person: str | None
    first: int
    last: int
    clicks: int


def _unpack_item_clicks(key: RecipientKey, stored: Item) -> tuple[CountedClick, ...]:
    """There always are some: were they taken for none, clicks would count once more."""
    return unpack_clicks(key.campaign, attributes.get_bytes(stored, "marks", None))
