"""A recipient of a campaign: what they clicked, and which clicks are counted already.

The row is what makes counting exact. It remembers every counted click as a *mark*, so a click that
arrives twice is known, and it sums them by link and delivery, which answers who clicked a link.

A row holds ``INLINE_MARKS`` marks, more than nearly anybody clicks. What a scanner or a shared link
adds goes to sheets, each with the marks of ten seconds. So a row stays small, no click is
forgotten, and a sheet is bounded by the 1,000 writes a second that one recipient's ledger takes.
What was parked beyond that comes home later, of the same seconds: a full sheet goes on in a further
one. Where rows and sheets lie is told by ``row_key``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from waypost.ids import LinkCode
from waypost.model.mark import (
    MARK_BYTES,
    NO_VISITS,
    VISITS_BYTES,
    Mark,
    Visits,
    link_suffix,
    pack_marks,
    pack_visits,
    unpack_marks,
    unpack_visits,
)
from waypost.model.row_key import RowKey, further_sheet
from waypost.models import attributes
from waypost.models.attributes import Item, Value

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
