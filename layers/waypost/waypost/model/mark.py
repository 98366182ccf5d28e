"""What a recipient's row remembers of a counted click, and how marks and sums are packed.

A mark is 34 bytes, a sum 28: an ordinary recipient's row stays under the kilobyte that one write
unit is. Both are fixed layouts, big-endian; a new one would need a new attribute.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from struct import Struct
from typing import Final

from waypost.errors import MalformedItem
from waypost.ids import CampaignCode, LinkCode
from waypost.model.times import LAST

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
