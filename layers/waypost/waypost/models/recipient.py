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

from waypost.errors import MalformedItem
from waypost.ids import CampaignCode, LinkCode
from waypost.models import attributes
from waypost.models.attributes import LAST, Item, Value
from waypost.models.campaign import campaign_of_partition

SHEET_MILLISECONDS: Final = 10_000
"""What one sheet spans: at 1,000 clicks a second 340 KB, under the 400 that an item may have."""

_MARK: Final = Struct(">8s4sQ4sHBBHI")
MARK_BYTES: Final = _MARK.size
_VISITS: Final = Struct(">4sIIQQ")
VISITS_BYTES: Final = _VISITS.size


@dataclass(frozen=True, slots=True)
class Mark:
    """One counted click, as the row remembers it. ``time`` is in milliseconds since 1970.

    ``id`` and ``delivery`` are hashes; ``client`` and ``network`` only tell equal from different;
    ``batch`` is the transaction that counted it.
    """

    id: bytes
    link: LinkCode
    time: int
    delivery: bytes
    signals: int
    machine: bool
    client: int = 0
    network: int = 0
    batch: int = 0

    @property
    def sheet(self) -> int:
        """The sheet that the mark belongs to where the row has no room."""
        return self.time // SHEET_MILLISECONDS


@dataclass(frozen=True, slots=True)
class Visits:
    """A recipient's clicks on one link, or of one delivery; times in milliseconds since 1970."""

    human: int = 0
    machine: int = 0
    first: int = 0
    last: int = 0

    @property
    def total(self) -> int:
        return self.human + self.machine


NO_VISITS: Final = Visits()


def click_hash(click_id: str) -> bytes:
    """What a mark remembers of a click's id."""
    return blake2b(click_id.encode(), digest_size=8).digest()


def delivery_hash(delivery: str) -> bytes:
    """What a mark remembers of a delivery: enough to tell those of one recipient apart."""
    return blake2b(delivery.encode(), digest_size=4).digest()


def delivery_under(alias: str, hashed: bytes) -> bytes:
    """The same for a recipient without identity, since whoever sent the deliveries could find
    theirs by its hash.
    """
    return blake2b(hashed, key=alias.encode(), digest_size=4).digest()


def pack_marks(marks: tuple[Mark, ...]) -> bytes:
    return b"".join(
        _MARK.pack(
            m.id,
            link_suffix(m.link),
            m.time,
            m.delivery,
            m.signals,
            m.machine,
            m.client,
            m.network,
            m.batch,
        )
        for m in marks
    )


def unpack_marks(campaign: CampaignCode, packed: bytes) -> tuple[Mark, ...]:
    """Read what ``pack_marks`` wrote. Raises MalformedItem."""
    if len(packed) % _MARK.size:
        raise MalformedItem("the marks of a recipient are cut")
    return tuple(
        Mark(
            id_, LinkCode(campaign + link.hex()), _time(time), delivery, signals, bool(kind), *rest
        )
        for id_, link, time, delivery, signals, kind, *rest in _MARK.iter_unpack(packed)
    )


def pack_visits(visits: Iterable[tuple[bytes, Visits]]) -> bytes:
    return b"".join(_VISITS.pack(n, v.human, v.machine, v.first, v.last) for n, v in visits)


def unpack_visits(packed: bytes) -> Iterator[tuple[bytes, Visits]]:
    """Read what ``pack_visits`` wrote. Raises MalformedItem, some of it while it is iterated."""
    if len(packed) % _VISITS.size:
        raise MalformedItem("the sums of a recipient are cut")
    return (
        (name, Visits(human, machine, _time(first), _time(last)))
        for name, human, machine, first, last in _VISITS.iter_unpack(packed)
    )


def _time(milliseconds: int) -> int:
    if milliseconds > LAST:
        raise MalformedItem("a recipient has a time that there is not")
    return milliseconds


def link_suffix(link: LinkCode) -> bytes:
    return bytes.fromhex(link[-8:])


SHARDS: Final = 32
_FURTHER: Final = 10**9
"""What the number of a further sheet is higher by: sheets by time reach it in the year 2286."""


class RowKey(NamedTuple):
    """Names a recipient's row (``sheet`` None) or one of its sheets."""

    campaign: CampaignCode
    recipient: str
    sheet: int | None = None

    @property
    def partition(self) -> str:
        return recipient_partition(self.campaign, shard_of(self.recipient))

    @property
    def sort(self) -> str:
        return self.recipient if self.sheet is None else f"~{self.recipient}#{self.sheet}"

    def item(self) -> Item:
        return attributes.item({"pk": self.partition, "sk": self.sort})


def further_sheet(number: int) -> int:
    """The number of the sheet that a full one goes on in."""
    return number + _FURTHER


def recipient_partition(campaign: CampaignCode, shard: int) -> str:
    """One of the partitions that hold a campaign's recipients."""
    return f"R#{campaign}#{shard:02x}"


def shard_of(recipient: str) -> int:
    return blake2b(recipient.encode(), digest_size=1).digest()[0] % SHARDS


def key_of_item(stored: Item) -> RowKey:
    """The key of a stored row or sheet, read back from its item. Raises MalformedItem."""
    campaign = campaign_of_partition(attributes.text(stored, "pk"))
    sort = attributes.text(stored, "sk")
    if not sort.startswith("~"):
        return RowKey(campaign, sort)
    recipient, _, sheet = sort[1:].rpartition("#")
    if not sheet.isascii() or not sheet.isdigit():
        raise MalformedItem("a sheet has no number")
    return RowKey(campaign, recipient, int(sheet))


MARKS_A_SHEET: Final = 11_000
"""374 KB, of the 400 that an item may have."""
INLINE_MARKS: Final = 20
TOLD_APART: Final = 2_000
"""Deliveries and links of one recipient that are told apart; a further one is counted as clicked
no more, so that unique figures can only be low.
"""

_MOST_ELSE: Final = 2_000
"""Bytes of an item besides its marks and sums: a name has 1,020 at most."""


@dataclass(frozen=True, slots=True)
class Row:
    """A recipient in a campaign. ``version`` 0 is a row that is not stored yet."""

    key: RowKey
    version: int = 0
    marks: tuple[Mark, ...] = ()
    total: Visits = NO_VISITS
    links: Mapping[LinkCode, Visits] = field(default_factory=dict)
    deliveries: Mapping[bytes, Visits] = field(default_factory=dict)
    opened: Mapping[bytes, Visits] = field(default_factory=dict)
    """Opens by delivery. ``total`` and ``deliveries`` are of clicks; ``links`` has opens, too,
    under the code that stands for them.
    """
    shared: frozenset[bytes] = frozenset()

    @property
    def person(self) -> str | None:
        kind, _, name = self.key.recipient.partition(":")
        return name if kind == "p" else None

    @property
    def full(self) -> bool:
        """Whether further marks go to sheets."""
        return len(self.marks) >= INLINE_MARKS

    def reading(self, delivery: bytes) -> Visits:
        """Opens and clicks of a delivery together: who clicks has opened."""
        opens, clicks = (found.get(delivery, Visits()) for found in (self.opened, self.deliveries))
        return Visits(opens.human + clicks.human, opens.machine + clicks.machine)

    def visitor(self, link: LinkCode) -> LinkVisitor:
        """The recipient as one who clicked the link. Raises KeyError where they did not."""
        visits = self.links[link]
        return LinkVisitor(self.person, visits.first, visits.last, visits.total)

    @property
    def size(self) -> int:
        """Bytes of its item, at most."""
        sums = len(self.links) + len(self.deliveries) + len(self.opened) + len(self.shared)
        return _MOST_ELSE + len(self.marks) * MARK_BYTES + sums * VISITS_BYTES

    def to_item(self) -> Item:
        values: dict[str, Value | None] = {
            "version": self.version,
            "human": self.total.human,
            "machine": self.total.machine,
            "first": self.total.first,
            "last": self.total.last,
            "marks": pack_marks(self.marks),
            "links": pack_visits((link_suffix(n), v) for n, v in self.links.items()),
            "deliveries": pack_visits(self.deliveries.items()),
            "opened": pack_visits(self.opened.items()) or None,
            "shared": b"".join(sorted(self.shared)) or None,
        }
        return self.key.item() | attributes.item(values)

    @classmethod
    def from_item(cls, key: RowKey, stored: Item) -> Self:
        """Read what ``to_item`` gave. Raises MalformedItem."""
        shared = attributes.data(stored, "shared")
        return cls(
            key,
            version=attributes.number(stored, "version"),
            marks=_marks(key, stored),
            total=Visits(
                *(attributes.number(stored, n) for n in ("human", "machine", "first", "last"))
            ),
            links={
                LinkCode(key.campaign + suffix.hex()): visits
                for suffix, visits in unpack_visits(attributes.data(stored, "links", None))
            },
            deliveries=dict(unpack_visits(attributes.data(stored, "deliveries", None))),
            opened=dict(unpack_visits(attributes.data(stored, "opened"))),
            shared=frozenset(shared[i : i + 4] for i in range(0, len(shared), 4)),
        )


@dataclass(frozen=True, slots=True)
class Sheet:
    """Marks of one stretch of time that found no room in the row."""

    key: RowKey
    version: int = 0
    marks: tuple[Mark, ...] = ()

    @property
    def number(self) -> int:
        """Which stretch of time it is, counted from 1970."""
        return self.key.sheet or 0

    @property
    def room(self) -> int:
        """How many further marks it takes."""
        return MARKS_A_SHEET - len(self.marks)

    @property
    def further(self) -> RowKey:
        """The sheet that it goes on in, once it is full."""
        return self.key._replace(sheet=further_sheet(self.number))

    @property
    def size(self) -> int:
        """Bytes of its item, at most."""
        return _MOST_ELSE + len(self.marks) * MARK_BYTES

    def to_item(self) -> Item:
        values: dict[str, Value | None] = {
            "version": self.version,
            "marks": pack_marks(self.marks),
        }
        return self.key.item() | attributes.item(values)

    @classmethod
    def from_item(cls, key: RowKey, stored: Item) -> Self:
        """Read what ``to_item`` gave. Raises MalformedItem."""
        return cls(key, attributes.number(stored, "version"), _marks(key, stored))


@dataclass(frozen=True, slots=True)
class LinkVisitor:
    """Somebody who clicked a link. ``person`` is None where none is known or may be told."""

    person: str | None
    first: int
    last: int
    clicks: int


def _marks(key: RowKey, stored: Item) -> tuple[Mark, ...]:
    """There always are some: were they taken for none, clicks would count once more."""
    return unpack_marks(key.campaign, attributes.data(stored, "marks", None))
