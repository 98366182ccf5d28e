"""One recipient's text: their links signed, the slots filled, the segments joined.

What is the same for every recipient is done before, once a message: ``bound`` packs the links with
their codes and destinations. Stamping a recipient then signs and joins, nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from waypost.codes import LinkCode
from waypost.rewriting.parameters import Query
from waypost.rewriting.plan import Plan, Slot
from waypost.tokens import PreparedLink, RecipientSealer, prepare_link

Codes = Mapping[str, LinkCode]
"""The codes of links by identity."""

# Templates with Liquid are bound for every recipient, mostly to links that were packed before.
_prepared = lru_cache(maxsize=16_384)(prepare_link)


@dataclass(frozen=True, slots=True)
class Bound:
    """A plan with its links packed: for known or for unknown persons, and for one query."""

    segments: list[str]
    prepared: list[tuple[int, PreparedLink]]


def bound(plan: Plan, codes: Codes, query: Query, *, known: bool) -> Bound:
    """Pack the links of a plan. ``known``: the recipients have a person."""
    segments = plan.segments.copy()
    for slot in plan.extended:
        segments[slot.at] = _extended(slot, query)
    return Bound(
        segments, [(slot.at, packed(slot, codes, query, known=known)) for slot in plan.tracked]
    )


def stamped(text: Bound, base: str, recipient: RecipientSealer) -> str:
    """The text for one recipient. ``base``: what a tracking link begins with, up to its payload."""
    segments = text.segments.copy()
    seal = recipient.seal
    for at, prepared in text.prepared:
        segments[at] = base + seal(prepared)
    return "".join(segments)


def packed(slot: Slot, codes: Codes, query: Query, *, known: bool) -> PreparedLink:
    """A tracked link, packed as far as it is the same for every known or unknown person."""
    destination = slot.link.verdict.destination
    if slot.link.verdict.parameters:
        destination = query.marked(slot.destination, known=known)
    return _prepared(codes[slot.link.identity], slot.link.position, destination)


def _extended(slot: Slot, query: Query) -> str:
    destination = query.without_identity(slot.destination)
    return slot.encode(destination) if destination != slot.destination.whole else slot.original
