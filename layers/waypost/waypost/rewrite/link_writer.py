"""One recipient's text: their links signed, the slots filled, the segments joined.

What is the same for every recipient is done before, once a message: ``bound`` packs the links with
their codes and destinations. Stamping a recipient then signs and joins, nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

from waypost.ids import LinkCode, workspace_of
from waypost.models.short_link import StoredDestination
from waypost.rewrite.compiler import EncodedRange, PixelSlot, Plan, Slot
from waypost.rewrite.links.occurrence import Encode
from waypost.rewrite.url_parameters import Query
from waypost.tokens import PreparedLink, prepare_link, prepare_stored

Codes = Mapping[str, LinkCode]
"""The codes of links by identity."""

Start = Callable[[str], str]
"""What a tracking link to a destination begins with, up to its payload."""

LONGEST: Final = 1_200
"""Bytes of a packed link with its destination in it. With an ordinary recipient's fields that makes
1,800 characters; Outlook opens 2,048 at most.
"""


class Seals(Protocol):
    """Gives what a link carries after its beginning: its own token, or a code for it."""

    def seal(self, link: PreparedLink) -> str: ...


class Prepared(NamedTuple):
    """A packed link, and its destination where that is stored, being too long for the link."""

    link: PreparedLink
    stored: StoredDestination | None = None


# Templates with Liquid are bound for every recipient, mostly to links that were packed before.
@lru_cache(maxsize=16_384)
def prepared(code: LinkCode, position: int, destination: str) -> Prepared:
    link = prepare_link(code, position, destination)
    if len(link) <= LONGEST:
        return Prepared(link)
    stored = StoredDestination(workspace_of(code), destination)
    return Prepared(prepare_stored(code, position, stored.digest), stored)


@dataclass(frozen=True, slots=True)
class Bound:
    """A plan with its links packed: for known or for unknown persons, and for one query."""

    segments: list[str]
    links: list[tuple[int, str, PreparedLink, Encode]]
    """Of each the segment that is its own, what it begins with up to its payload, what is sealed,
    and how the whole is written.
    """
    encoded: Sequence[EncodedRange]
    pixel: PixelSlot | None
    stored: list[StoredDestination]
    """Destinations that have to be stored before the text is sent."""


def bound(plan: Plan, codes: Codes, query: Query, start: Start, *, known: bool) -> Bound:
    """Pack the links of a plan. ``known``: the recipients have a person."""
    segments = plan.segments.copy()
    for slot in plan.extended:
        segments[slot.at] = written(slot, query)
    links: list[tuple[int, str, PreparedLink, Encode]] = []
    stored: list[StoredDestination] = []
    for slot in plan.tracked:
        one = packed(slot, codes, query, known=known)
        begins = start(slot.link.verdict.destination)
        links.append((slot.at, begins, one.link, slot.transfer))
        if one.stored is not None:
            stored.append(one.stored)
    return Bound(segments, links, plan.encoded, plan.pixel, stored)


def stamped(text: Bound, recipient: Seals, pixel: str = "") -> str:
    """The text for one recipient. ``pixel``: the image that tells of opens, in HTML."""
    segments = text.segments.copy()
    seal = recipient.seal
    for at, begins, link, transfer in text.links:
        segments[at] = transfer(begins + seal(link))
    if pixel and text.pixel is not None:
        segments[text.pixel.at] = text.pixel.transfer(pixel) + text.pixel.original
    return joined(segments, text.encoded)


def joined(segments: list[str], encoded: Sequence[EncodedRange]) -> str:
    """The text of segments, which are used up, each range of them encoded as it has to be."""
    for part in encoded:
        segments[part.first] = _encoded(part, "".join(segments[part.first : part.last]))
        segments[part.first + 1 : part.last] = [""] * (part.last - part.first - 1)
    return "".join(segments)


def unstamped(plan: Plan) -> str:
    """The text as its author wrote it, tags read."""
    segments = plan.segments.copy()
    for slot in (*plan.tracked, *plan.extended):
        segments[slot.at] = slot.original
    return "".join(segments)


def packed(slot: Slot, codes: Codes, query: Query, *, known: bool) -> Prepared:
    """A tracked link, packed as far as it is the same for every known or unknown person."""
    destination = slot.link.verdict.destination
    if slot.link.verdict.parameters:
        destination = query.marked(slot.destination, known=known)
    return prepared(codes[slot.link.identity], slot.link.position, destination)


def written(slot: Slot, query: Query) -> str:
    """A link that is not tracked, with the workspace's parameters where it gets any."""
    destination = query.without_identity(slot.destination)
    if destination == slot.destination.whole:
        return slot.original
    return slot.transfer(slot.encode(destination))


def _encoded(part: EncodedRange, text: str) -> str:
    return part.original if text == part.text else part.encode(text)
