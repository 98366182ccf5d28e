"""One recipient's text: their links signed, the slots filled, the segments joined.

What is the same for every recipient is done before, once a message: ``bound`` packs the links with
their codes and destinations. Stamping a recipient then signs and joins, nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

from waypost.ids import LinkId, extract_workspace_id
from waypost.models.short_link import LongDestination
from waypost.rewrite.compiler import EncodedRange, LinkSlot, PixelSlot, TextPlan
from waypost.rewrite.links.occurrence import TextTransform
from waypost.rewrite.url_parameters import RecipientParameters
from waypost.tokens import PreparedLink, prepare_link, prepare_link_by_digest

LinkIds = Mapping[str, LinkId]
"""The codes of links by identity."""

LinkPrefixBuilder = Callable[[str], str]
"""What a tracking link to a destination begins with, up to its payload."""

MAX_PACKED_LINK_BYTES: Final = 1_200
"""Bytes of a packed link with its destination in it. With an ordinary recipient's fields that makes
1,800 characters; Outlook opens 2,048 at most.
"""


class LinkSealer(Protocol):
    """Gives what a link carries after its beginning: its own token, or a code for it."""

    def seal(self, link: PreparedLink) -> str: ...


class PackedLink(NamedTuple):
    """A packed link, and its destination where that is stored, being too long for the link."""

    link: PreparedLink
    stored_destination: LongDestination | None = None


# Templates with Liquid are bound for every recipient, mostly to links that were packed before.
@lru_cache(maxsize=16_384)
def pack_link(link_id: LinkId, position: int, destination: str) -> PackedLink:
    link = prepare_link(link_id, position, destination)
    if len(link) <= MAX_PACKED_LINK_BYTES:
        return PackedLink(link)
    stored = LongDestination(extract_workspace_id(link_id), destination)
    return PackedLink(prepare_link_by_digest(link_id, position, stored.digest), stored)


@dataclass(frozen=True, slots=True)
class PreparedText:
    """A plan with its links packed: for known or for unknown persons, and for one query."""

    chunks: list[str]
    links: list[tuple[int, str, PreparedLink, TextTransform]]
    """Of each the segment that is its own, what it begins with up to its payload, what is sealed,
    and how the whole is written.
    """
    encoded_ranges: Sequence[EncodedRange]
    pixel_slot: PixelSlot | None
    stored_destinations: list[LongDestination]
    """Destinations that have to be stored before the text is sent."""


def prepare_text(
    plan: TextPlan,
    link_ids: LinkIds,
    query: RecipientParameters,
    build_prefix: LinkPrefixBuilder,
    *,
    has_person: bool,
) -> PreparedText:
    """Pack the links of a plan. ``known``: the recipients have a person."""
    segments = plan.chunks.copy()
    for slot in plan.parameter_slots:
        segments[slot.index] = render_plain_link(slot, query)
    links: list[tuple[int, str, PreparedLink, TextTransform]] = []
    stored: list[LongDestination] = []
    for slot in plan.tracked_slots:
        one = pack_slot(slot, link_ids, query, has_person=has_person)
        begins = build_prefix(slot.link.decision.destination)
        links.append((slot.index, begins, one.link, slot.encode_transfer))
        if one.stored_destination is not None:
            stored.append(one.stored_destination)
    return PreparedText(segments, links, plan.encoded_ranges, plan.pixel_slot, stored)


def fill_text(prepared_text: PreparedText, sealer: LinkSealer, hidden_html: str = "") -> str:
    """The text for one recipient. ``pixel``: the image that tells of opens, in HTML."""
    segments = prepared_text.chunks.copy()
    seal = sealer.seal
    for at, begins, link, transfer in prepared_text.links:
        segments[at] = transfer(begins + seal(link))
    if hidden_html and prepared_text.pixel_slot is not None:
        segments[prepared_text.pixel_slot.index] = (
            prepared_text.pixel_slot.encode_transfer(hidden_html)
            + prepared_text.pixel_slot.original
        )
    return join_chunks(segments, prepared_text.encoded_ranges)


def join_chunks(chunks: list[str], encoded_ranges: Sequence[EncodedRange]) -> str:
    """The text of segments, which are used up, each range of them encoded as it has to be."""
    for part in encoded_ranges:
        chunks[part.first] = _encode_range(part, "".join(chunks[part.first : part.last]))
        chunks[part.first + 1 : part.last] = [""] * (part.last - part.first - 1)
    return "".join(chunks)


def restore_text(plan: TextPlan) -> str:
    """The text as its author wrote it, tags read."""
    segments = plan.chunks.copy()
    for slot in (*plan.tracked_slots, *plan.parameter_slots):
        segments[slot.index] = slot.original
    return "".join(segments)


def pack_slot(
    slot: LinkSlot, link_ids: LinkIds, query: RecipientParameters, *, has_person: bool
) -> PackedLink:
    """A tracked link, packed as far as it is the same for every known or unknown person."""
    destination = slot.link.decision.destination
    if slot.link.decision.has_parameters:
        destination = query.build_url_with_mark(slot.destination, has_person=has_person)
    return pack_link(link_ids[slot.link.identity], slot.link.position, destination)


def render_plain_link(slot: LinkSlot, query: RecipientParameters) -> str:
    """A link that is not tracked, with the workspace's parameters where it gets any."""
    destination = query.build_url_without_person(slot.destination)
    if destination == slot.destination.url:
        return slot.original
    return slot.encode_transfer(slot.encode(destination))


def _encode_range(encoded_range: EncodedRange, text: str) -> str:
    return encoded_range.original if text == encoded_range.text else encoded_range.encode(text)
