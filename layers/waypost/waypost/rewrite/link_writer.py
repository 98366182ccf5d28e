"""Write tracking links into a text: sign or shorten each link and fill its slot.

Everything that recipients share is prepared once for a message: ``prepare_text`` packs the links
with their ids and destinations. ``fill_text`` then only signs and joins.

``LinkShortener`` collects short codes, and destinations that are too long for a link, while texts
are filled. They are stored before any message is returned: a message never carries a link that
leads nowhere. A code that is already taken (expected at most once in the lifetime of a stack) is
replaced in the messages that carry it. Whatever only one person has, and does not expire, is first
recorded under the person, so that an erasure finds it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

from waypost.ids import CampaignId, LinkId, extract_workspace_id
from waypost.models.campaign import (
    PersonalRecord,
    RecipientMark,
)
from waypost.models.short_link import LongDestination, ShortLink, generate_code
from waypost.repositories.personal_records import PersonalRecordRepository
from waypost.repositories.short_links import ShortLinkRepository
from waypost.rewrite.compiler import EncodedRange, LinkSlot, PixelSlot, TextPlan
from waypost.rewrite.links.occurrence import TextTransform
from waypost.rewrite.url_parameters import RecipientParameters
from waypost.tokens import PreparedLink, prepare_link, prepare_link_by_digest

LinkIds = Mapping[str, LinkId]
"""Link ids by the link's identity."""

LinkPrefixBuilder = Callable[[str], str]
"""Builds the beginning of a tracking link to a destination: all before its token or code."""

LinkSealer = Callable[[PreparedLink], str]
"""Seals a link for one recipient: gives its token, or a short code for it."""

_DESTINATION_SECONDS: Final = 400 * 86_400
"""Time that a destination is stored for a recipient without a person, whom no erasure names."""

SHORT_LINK_PATH: Final = "/s/"
"""Path between a host and a code."""

MAX_PACKED_LINK_BYTES: Final = 1_200
"""Bytes of a packed link with its destination. With an ordinary recipient's fields that makes
1,800 characters; Outlook opens at most 2,048.
"""


class PackedLink(NamedTuple):
    """A packed link; ``stored_destination`` is set if the destination is too long for the link."""

    link: PreparedLink
    stored_destination: LongDestination | None = None


# Liquid templates are prepared again for each recipient, and most of their links repeat.
@lru_cache(maxsize=16_384)
def pack_link(link_id: LinkId, position: int, destination: str) -> PackedLink:
    """Pack a link with its destination, or with the digest of a long one."""
    link = prepare_link(link_id, position, destination)
    if len(link) <= MAX_PACKED_LINK_BYTES:
        return PackedLink(link)
    stored = LongDestination(extract_workspace_id(link_id), destination)
    return PackedLink(prepare_link_by_digest(link_id, position, stored.digest), stored)


def pack_slot(
    slot: LinkSlot, link_ids: LinkIds, parameters: RecipientParameters, *, has_person: bool
) -> PackedLink:
    """Pack a tracked link: the result is the same for all recipients with, or without, a person."""
    destination = slot.link.decision.destination
    if slot.link.decision.has_parameters:
        destination = parameters.build_url_with_placeholder(slot.destination, has_person=has_person)
    return pack_link(link_ids[slot.link.identity], slot.link.position, destination)


class PreparedSlot(NamedTuple):
    """A slot that lacks only the recipient's token."""

    chunk_index: int
    prefix: str
    link: PreparedLink
    encode_transfer: TextTransform


@dataclass(frozen=True, slots=True)
class PreparedText:
    """A plan with packed links, for one set of parameters and recipients with or without person."""

    chunks: list[str]
    links: list[PreparedSlot]
    encoded_ranges: Sequence[EncodedRange]
    pixel_slot: PixelSlot | None
    stored_destinations: list[LongDestination]
    """Destinations to store before the text is sent."""


def prepare_text(
    plan: TextPlan,
    link_ids: LinkIds,
    parameters: RecipientParameters,
    build_prefix: LinkPrefixBuilder,
    *,
    has_person: bool,
) -> PreparedText:
    """Pack the links of a plan. ``link_ids`` must hold every tracked link."""
    chunks = plan.chunks.copy()
    for slot in plan.parameter_slots:
        chunks[slot.index] = render_plain_link(slot, parameters)
    links: list[PreparedSlot] = []
    stored: list[LongDestination] = []
    for slot in plan.tracked_slots:
        packed = pack_slot(slot, link_ids, parameters, has_person=has_person)
        prefix = build_prefix(slot.link.decision.destination)
        links.append(PreparedSlot(slot.index, prefix, packed.link, slot.encode_transfer))
        if packed.stored_destination is not None:
            stored.append(packed.stored_destination)
    return PreparedText(chunks, links, plan.encoded_ranges, plan.pixel_slot, stored)


def fill_text(prepared_text: PreparedText, seal: LinkSealer, hidden_html: str = "") -> str:
    """Fill a text for one recipient. ``hidden_html`` goes before the pixel slot's chunk."""
    chunks = prepared_text.chunks.copy()
    for index, prefix, link, encode_transfer in prepared_text.links:
        chunks[index] = encode_transfer(prefix + seal(link))
    if hidden_html and (slot := prepared_text.pixel_slot) is not None:
        chunks[slot.index] = slot.encode_transfer(hidden_html) + slot.original
    return join_chunks(chunks, prepared_text.encoded_ranges)


def restore_text(plan: TextPlan) -> str:
    """Restore the text before tracking, with ``cio_link`` tags resolved."""
    chunks = plan.chunks.copy()
    for slot in (*plan.tracked_slots, *plan.parameter_slots):
        chunks[slot.index] = slot.original
    return "".join(chunks)


def render_plain_link(slot: LinkSlot, parameters: RecipientParameters) -> str:
    """Render a link that is not tracked, with the workspace's parameters if it gets any."""
    destination = parameters.build_url_without_person(slot.destination)
    if destination == slot.destination.url:
        return slot.original
    return slot.encode_transfer(slot.encode(destination))


def join_chunks(chunks: list[str], encoded_ranges: Sequence[EncodedRange]) -> str:
    """Join chunks to a text, encoding each range; changes ``chunks``."""
    for encoded in encoded_ranges:
        text = "".join(chunks[encoded.first : encoded.last])
        chunks[encoded.first] = encoded.original if text == encoded.text else encoded.encode(text)
        chunks[encoded.first + 1 : encoded.last] = [""] * (encoded.last - encoded.first - 1)
    return "".join(chunks)


def compute_expiry(now: datetime, days: int | None) -> int | None:
    """Compute when a short link expires, in seconds since 1970; None (never) for no ``days``."""
    return None if days is None else int((now + timedelta(days=days)).timestamp())


@dataclass(frozen=True, slots=True)
class _PendingLink:
    """A short link to store, and the recipient whose token it has."""

    link: ShortLink
    recipient: RecipientMark


class LinkShortener:
    """The short links and long destinations of one message, pending until they are stored.

    ``now`` and ``expires_at`` (of short links, None for never) are in seconds since 1970.
    """

    def __init__(
        self,
        repository: ShortLinkRepository,
        personal_records: PersonalRecordRepository,
        campaign: CampaignId,
        *,
        now: int,
        expires_at: int | None,
        generate_code: Callable[[], str] = generate_code,
    ) -> None:
        self._repository = repository
        self._personal_records = personal_records
        self._campaign = campaign
        self._now = now
        self._expires_at = expires_at
        self._generate_code = generate_code
        self._pending_links: dict[str, _PendingLink] = {}
        self._pending_destinations: dict[str, LongDestination] = {}
        self._stored_destinations: dict[str, LongDestination] = {}

    def assign_code(self, token: str, recipient: RecipientMark) -> str:
        """Assign a new code to a token of a recipient."""
        code = self._generate_code()
        while code in self._pending_links:
            code = self._generate_code()
        link = ShortLink(code, token, self._expires_at)
        self._pending_links[code] = _PendingLink(link, recipient)
        return code

    def add_destinations(
        self, destinations: Iterable[LongDestination], recipient: RecipientMark
    ) -> None:
        """Add destinations of a recipient to store; each is stored once, and once more if a second
        recipient has it.
        """
        for destination in destinations:
            digest = destination.digest
            known = self._pending_destinations.get(digest) or self._stored_destinations.get(digest)
            if known is None:
                is_erasable = recipient.expires is None
                expires = None if is_erasable else self._now + _DESTINATION_SECONDS
                new = replace(destination, recipient=recipient.hash, expires=expires)
            elif known.recipient in (None, recipient.hash):
                continue
            else:
                new = destination
            self._pending_destinations[digest] = new

    def store_pending(self) -> Mapping[str, str]:
        """Store pending links and destinations; return new codes by the taken ones they replace.

        :raises StoreUnavailable: then no message may be returned.
        """
        self._record_pending()
        if self._pending_destinations:
            self._repository.add_destinations(list(self._pending_destinations.values()))
        self._stored_destinations |= self._pending_destinations
        self._pending_destinations = {}
        replacements: dict[str, str] = {}
        while self._pending_links:
            pending, self._pending_links = self._pending_links, {}
            for taken in self._repository.add([each.link for each in pending.values()]):
                new_code = self.assign_code(pending[taken].link.token, pending[taken].recipient)
                # A replacement may be taken too: messages still carry the first code.
                original = next((old for old, new in replacements.items() if new == taken), taken)
                replacements[original] = new_code
            self._record_pending()
        return replacements

    def _record_pending(self) -> None:
        """Record what only one person has and does not expire, before it is stored."""
        destinations: defaultdict[str, list[str]] = defaultdict(list)
        for digest, destination in self._pending_destinations.items():
            if destination.recipient is not None and destination.expires is None:
                destinations[destination.recipient].append(digest)
        codes: defaultdict[str, list[str]] = defaultdict(list)
        for code, pending in self._pending_links.items():
            if pending.link.expires is None and pending.recipient.expires is None:
                codes[pending.recipient.hash].append(code)
        self._personal_records.add(
            [
                PersonalRecord(
                    campaign=self._campaign,
                    recipient=recipient,
                    written=self._now,
                    destinations=destinations.get(recipient, ()),
                    codes=codes.get(recipient, ()),
                )
                for recipient in destinations.keys() | codes.keys()
            ]
        )


def replace_codes(text: str, new_codes: Mapping[str, str]) -> str:
    """Replace taken codes in a text."""
    for code, new_code in new_codes.items():
        text = text.replace(code, new_code)
    return text
