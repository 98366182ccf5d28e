"""One recipient's text: their links signed, the slots filled, the segments joined.

What is the same for every recipient is done before, once a message: ``bound`` packs the links with
their codes and destinations. Stamping a recipient then signs and joins, nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from waypost.codes import LinkCode
from waypost.rewriting.parameters import Query
from waypost.rewriting.place import Encode, as_is
from waypost.rewriting.plan import EncodedRange, Plan, Slot
from waypost.tokens import PreparedLink, RecipientSealer, prepare_link

Codes = Mapping[str, LinkCode]
"""The codes of links by identity."""

Start = Callable[[str], str]
"""What a tracking link to a destination begins with, up to its payload."""

# Templates with Liquid are bound for every recipient, mostly to links that were packed before.
_prepared = lru_cache(maxsize=16_384)(prepare_link)


@dataclass(frozen=True, slots=True)
class Packed:
    """A link as far as it is the same for every recipient. ``begins``: up to its payload."""

    at: int
    """The index of its segment."""
    begins: str
    link: PreparedLink
    transfer: Encode


@dataclass(frozen=True, slots=True)
class Bound:
    """A plan with its links packed: for known or for unknown persons, and for one query."""

    segments: list[str]
    links: list[tuple[int, str, PreparedLink]]
    transferred: list[Packed]
    """Links that have to be written in a transfer encoding."""
    encoded: tuple[EncodedRange, ...]


def bound(plan: Plan, codes: Codes, query: Query, start: Start, *, known: bool) -> Bound:
    """Pack the links of a plan. ``known``: the recipients have a person."""
    segments = plan.segments.copy()
    for slot in plan.extended:
        segments[slot.at] = written(slot, query)
    links = [
        Packed(
            at=slot.at,
            begins=start(slot.link.verdict.destination),
            link=packed(slot, codes, query, known=known),
            transfer=slot.transfer,
        )
        for slot in plan.tracked
    ]
    return Bound(
        segments=segments,
        links=[(one.at, one.begins, one.link) for one in links if one.transfer is as_is],
        transferred=[one for one in links if one.transfer is not as_is],
        encoded=plan.encoded,
    )


def stamped(text: Bound, recipient: RecipientSealer) -> str:
    """The text for one recipient."""
    segments = text.segments.copy()
    seal = recipient.seal
    for at, begins, link in text.links:
        segments[at] = begins + seal(link)
    for one in text.transferred:
        segments[one.at] = one.transfer(one.begins + seal(one.link))
    for part in text.encoded:
        segments[part.first] = _encoded(part, "".join(segments[part.first : part.last]))
        segments[part.first + 1 : part.last] = [""] * (part.last - part.first - 1)
    return "".join(segments)


def packed(slot: Slot, codes: Codes, query: Query, *, known: bool) -> PreparedLink:
    """A tracked link, packed as far as it is the same for every known or unknown person."""
    destination = slot.link.verdict.destination
    if slot.link.verdict.parameters:
        destination = query.marked(slot.destination, known=known)
    return _prepared(codes[slot.link.identity], slot.link.position, destination)


def written(slot: Slot, query: Query) -> str:
    """A link that is not tracked, with the workspace's parameters where it gets any."""
    destination = query.without_identity(slot.destination)
    if destination == slot.destination.whole:
        return slot.original
    return slot.transfer(slot.encode(destination))


def _encoded(part: EncodedRange, text: str) -> str:
    return part.original if text == part.text else part.encode(text)
