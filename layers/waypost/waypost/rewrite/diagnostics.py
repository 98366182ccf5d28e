"""What may go wrong with a message after it was rewritten: clipped, cut, split, or cluttering.

One recipient's message, who stands for all: what its links lead to, and how long they become.

What a pipeline is told of every link before it sends: its fate, and why.

Destinations, lengths and round trips are those of one recipient, who stands for all (``sample``).

What was seen of a mailing on its way, and what a pipeline is told of it before it sends.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypedDict

from waypost.models.short_link import CODE_LENGTH
from waypost.rewrite.compiler import (
    LinkSlot,
    MessageLink,
    PlannedText,
    RenderedRecipient,
    TextPlan,
    iter_links,
)
from waypost.rewrite.link_writer import (
    LinkIds,
    LinkPrefixBuilder,
    PackedLink,
    join_chunks,
    pack_slot,
    render_plain_link,
    restore_text,
)
from waypost.rewrite.links.channels import Channel, ContentPath
from waypost.rewrite.links.mime import has_dkim_signature
from waypost.rewrite.schemas import MessageRequest
from waypost.rewrite.sms_segments import SmsSegmentCounts, SmsSegments, SmsSegmentSummary
from waypost.rewrite.url_parameters import RecipientParameters
from waypost.tokens import ClickToken
from waypost.tokens.codec import decode_click_token, fill_person, pack_recipient
from waypost.tokens.signer import SIGNATURE_BYTES


@dataclass(frozen=True, slots=True)
class LinkPreview:
    """A link as one recipient gets it."""

    identity: str
    destination: str
    round_trip: bool | None
    characters: int
    bytes_added: int


@dataclass(frozen=True, slots=True)
class SampleRecipient:
    """One recipient, for whose message everything is looked at."""

    delivery: str
    person: str | None
    sent_at: int
    query: RecipientParameters
    texts: list[PlannedText]
    has_short_links: bool = False
    """Whether its links are short ones."""

    def preview_links(
        self, link_ids: LinkIds, build_prefix: LinkPrefixBuilder
    ) -> dict[int, LinkPreview]:
        """The links that are rewritten, by position. Signs nothing."""
        return {
            slot.link.position: self._preview_tracking_link(slot, link_ids, build_prefix)
            if slot.link.decision.is_tracked
            else self._preview_plain_link(slot)
            for text in self.texts
            for slot in (*text.plan.tracked_slots, *text.plan.parameter_slots)
        }

    def preview_texts(self, previews: Mapping[int, LinkPreview]) -> dict[ContentPath, str]:
        """The texts as long as they will be, with fillers where links will stand."""
        return {text.path: _fill_preview(text.plan, previews) for text in self.texts}

    def _preview_tracking_link(
        self, slot: LinkSlot, link_ids: LinkIds, build_prefix: LinkPrefixBuilder
    ) -> LinkPreview:
        destination = slot.link.decision.destination
        if slot.link.decision.has_parameters:
            destination = self.query.build_url(slot.destination, self.person)
        prepared = pack_slot(slot, link_ids, self.query, has_person=self.person is not None)
        payload = pack_recipient(self.delivery, self.person, self.sent_at) + prepared.link
        begun = len(build_prefix(slot.link.decision.destination))
        token = _compute_base64_length(len(payload)) + 1 + _compute_base64_length(SIGNATURE_BYTES)
        characters = begun + (CODE_LENGTH if self.has_short_links else token)
        return LinkPreview(
            identity=slot.link.identity,
            destination=destination,
            round_trip=self._read_destination(decode_click_token(payload), prepared) == destination,
            characters=characters,
            bytes_added=characters - len(slot.original.encode()),
        )

    def _read_destination(self, token: ClickToken, prepared: PackedLink) -> str:
        if token.stored_digest is None or prepared.stored_destination is None:
            return token.href
        same = token.stored_digest == prepared.stored_destination.digest
        return fill_person(prepared.stored_destination.href, self.person) if same else ""

    def _preview_plain_link(self, slot: LinkSlot) -> LinkPreview:
        destination = self.query.build_url_without_person(slot.destination)
        text = render_plain_link(slot, self.query)
        added = len(text.encode()) - len(slot.original.encode())
        return LinkPreview(slot.link.identity, destination, None, len(text), added)


def _fill_preview(plan: TextPlan, previews: Mapping[int, LinkPreview]) -> str:
    segments = plan.chunks.copy()
    for slot in (*plan.tracked_slots, *plan.parameter_slots):
        segments[slot.index] = slot.encode_transfer("x" * previews[slot.link.position].characters)
    return join_chunks(segments, plan.encoded_ranges)


def _compute_base64_length(size: int) -> int:
    return -(-size * 4 // 3)


GMAIL_CLIP_BYTES: Final = 102 * 1024
"""Bytes of HTML of which Gmail shows the beginning only."""
OUTLOOK_MAX_LINK_LENGTH: Final = 2048
"""Characters of a link that desktop Outlook opens at most."""
MIN_ONE_OFF_LINKS: Final = 10
"""From so many links that only one recipient has, reports are cluttered."""

MAX_MIME_LINE_LENGTH: Final = 998
"""Characters of a line, without its end (RFC 5322, 2.1.1)."""

_LINE_END = re.compile(r"\r?\n")
# An identifier: twenty or more letters and digits mixed, as in a token or a UUID.
_IDENTIFIER = re.compile(r"(?=[\w\-]*\d)(?=[\w\-]*[A-Za-z])[\w\-]{20,200}")


def find_content_warnings(channel: Channel, texts: Mapping[ContentPath, str]) -> Iterator[str]:
    """About the length of one recipient's message as it will be sent."""
    html = texts.get(("html",))
    if channel == "email" and html is not None and len(html.encode()) > GMAIL_CLIP_BYTES:
        size = len(html.encode())
        yield f"content.html is {size:,} bytes; Gmail clips messages at {GMAIL_CLIP_BYTES:,}"


def find_segment_warnings(counts: SmsSegmentCounts | None) -> Iterator[str]:
    """About the parts that a text message is sent and paid in."""
    if counts is None or counts["after"] == 1:
        return
    encoding, before, after = counts["encoding"].upper(), counts["before"], counts["after"]
    yield f"content.text takes {after} SMS segments in {encoding}"
    if after > before:
        yield f"tracking adds {after - before} to the {before} that it took; short links take less"


def find_mime_warnings(raw: str, preview: str) -> Iterator[str]:
    """About a raw message, before and after its links are as long as they will be."""
    if has_dkim_signature(raw):
        yield "content.mime is DKIM-signed already, which rewriting breaks; sign it afterwards"
    longest = max(map(len, _LINE_END.split(preview)))
    if longest > MAX_MIME_LINE_LENGTH:
        yield (
            f"content.mime has a line of {longest:,} characters; mail servers take "
            f"{MAX_MIME_LINE_LENGTH}: encode its parts as quoted-printable or base64"
        )


def find_link_warnings(previews: Mapping[int, LinkPreview]) -> Iterator[str]:
    """About one recipient's links."""
    for position, link in sorted(previews.items()):
        if link.characters > OUTLOOK_MAX_LINK_LENGTH:
            yield (
                f"link {position} is {link.characters:,} characters; "
                f"desktop Outlook opens at most {OUTLOOK_MAX_LINK_LENGTH:,}"
            )
        if link.round_trip is False:
            yield f"link {position} does not lead where it should; do not send this"


def find_identity_warnings(
    links: Iterable[MessageLink], one_offs: int, recipients: int
) -> Iterator[str]:
    """About links that reports would list once for every recipient."""
    if recipients > 1 and one_offs >= MIN_ONE_OFF_LINKS:
        yield (
            f"{one_offs:,} links belong to one recipient each; "
            "data-cio-tag would group them in reports"
        )
    for link in links:
        if recipients == 1 and _is_one_off(link):
            yield (
                f"link {link.position} looks made for one recipient; "
                "data-cio-tag would group it with its like in reports"
            )


def find_parameter_warnings(empty_names: Iterable[str]) -> Iterator[str]:
    """About parameters of the workspace that came out empty for somebody."""
    for name in empty_names:
        yield f"the parameter {name} is empty for some recipients and was not added"


def _is_one_off(link: MessageLink) -> bool:
    if link.tag or not link.decision.is_tracked or "{{" in link.url:
        return False
    return _IDENTIFIER.search(link.url) is not None


class LinkEntry(TypedDict):
    """What becomes of a link. ``link`` is its code, None where it is not tracked. What follows
    ``reason`` is None for links that the recipient who stands for all has not got, and for those
    that stay as they are.
    """

    link: str | None
    url: str
    tag: str | None
    position: int
    tracked: bool
    reason: str | None
    destination: str | None
    round_trip: bool | None
    """Whether what would be signed reads back as the destination."""
    bytes_added: int | None


_LinkKey = tuple[str, bool, str | None]
"""A link by what reports tell apart: its identity, whether it is tracked, and why."""


class LinkCollector:
    """The links of all recipients' messages, each once, in order of appearance."""

    def __init__(self) -> None:
        self._links: dict[tuple[_LinkKey, int], MessageLink] = {}
        self._recipients: Counter[str] = Counter()

    def add(self, texts: Iterable[PlannedText]) -> None:
        """Note one recipient's links; two of one identity in a message are two links."""
        counted: dict[_LinkKey, int] = {}
        for link in iter_links(texts):
            what = (link.identity, link.decision.is_tracked, link.decision.reason)
            before = counted.get(what, 0)
            self._links.setdefault((what, before), link)
            counted[what] = before + 1
        self._recipients.update({identity for identity, _, _ in counted})

    def __iter__(self) -> Iterator[MessageLink]:
        return iter(self._links.values())

    def count_one_offs(self) -> int:
        """How many tracked links without a tag only one recipient has."""
        tracked = {link.identity for link in self if link.decision.is_tracked and not link.tag}
        return sum(self._recipients[identity] == 1 for identity in tracked)


def build_link_entry(
    link: MessageLink, codes: LinkIds, previews: Mapping[int, LinkPreview]
) -> LinkEntry:
    """One line of the report."""
    verdict = link.decision
    found = previews.get(link.position)
    found = found if found and found.identity == link.identity else None
    return LinkEntry(
        link=codes[link.identity] if verdict.is_tracked else None,
        url=link.url,
        tag=link.tag,
        position=link.position,
        tracked=verdict.is_tracked,
        reason=verdict.reason,
        destination=found.destination if found else None,
        round_trip=found.round_trip if found else None,
        bytes_added=found.bytes_added if found else None,
    )


SMS_TEXT_PATH: Final[ContentPath] = ("text",)


@dataclass(slots=True, kw_only=True)
class MessageDiagnostics:
    """Fields are as in ``Mailing``; ``template``: recipients' messages differ."""

    request: MessageRequest
    is_template: bool
    link_ids: LinkIds
    build_prefix: LinkPrefixBuilder
    sent_at: int
    has_short_links: bool
    _segments: SmsSegmentSummary = field(default_factory=SmsSegmentSummary)
    _links: LinkCollector = field(default_factory=LinkCollector)
    _sample: SampleRecipient | None = None
    _recipients: int = 0
    _empty_parameters: dict[str, None] = field(default_factory=dict)

    def add_recipient(self, rendered_recipient: RenderedRecipient) -> None:
        """Note a recipient's message."""
        if self._sample is None:
            who = rendered_recipient.recipient
            self._sample = SampleRecipient(
                who.delivery,
                who.person,
                self.sent_at,
                rendered_recipient.query,
                rendered_recipient.texts,
                has_short_links=self.has_short_links,
            )
        if self.is_template:
            self._links.add(rendered_recipient.texts)
        self._recipients += 1
        if rendered_recipient.query.empty_names and any(
            link.decision.has_parameters for link in iter_links(rendered_recipient.texts)
        ):
            self._empty_parameters.update(dict.fromkeys(rendered_recipient.query.empty_names))

    def add_sms_segments(self, before: str, after: str) -> SmsSegments:
        """Note a text message, as its author wrote it and as it is sent; how it is sent."""
        return self._segments.add(before, after)

    def build_link_entries(self) -> list[LinkEntry]:
        """What became of every link, in the order of appearance."""
        seen = self._sample.preview_links(self.link_ids, self.build_prefix) if self._sample else {}
        return [build_link_entry(link, self.link_ids, seen) for link in self._collect_links()]

    def get_segment_counts(self, *, is_dry_run: bool) -> SmsSegmentCounts | None:
        """Of a text message, how many parts it takes at most, before and after; else None.
        ``rehearsed``: no message was made, so the sample's stands for all.
        """
        if is_dry_run and self._sample is not None and self.request.channel == "sms":
            preview = self._sample.preview_texts(
                self._sample.preview_links(self.link_ids, self.build_prefix)
            )
            for text in self._sample.texts:
                if text.path == SMS_TEXT_PATH:
                    self._segments.add(restore_text(text.plan), preview[text.path])
        return self._segments.get_counts()

    def build_warnings(self, *, is_dry_run: bool) -> list[str]:
        """What a pipeline should know before it sends."""
        found = list(find_parameter_warnings(self._empty_parameters))
        if self._sample is not None:
            seen = self._sample.preview_links(self.link_ids, self.build_prefix)
            texts = self._sample.preview_texts(seen)
            found += find_content_warnings(self.request.channel, texts)
            found += find_segment_warnings(self.get_segment_counts(is_dry_run=is_dry_run))
            found += find_link_warnings(seen)
            if self.request.content.mime is not None:
                found += find_mime_warnings(self.request.content.mime, texts[("mime",)])
        links = self._collect_links()
        one_offs = links.count_one_offs() if self.is_template else 0
        found += find_identity_warnings(links, one_offs, self._recipients)
        return found

    def _collect_links(self) -> LinkCollector:
        """What was rendered before is everybody's message, and so are its links: no need to note
        them with every recipient.
        """
        if self.is_template or self._sample is None:
            return self._links
        links = LinkCollector()
        links.add(self._sample.texts)
        return links
