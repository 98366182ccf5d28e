"""Build the report of a message for its pipeline: every link's outcome, and warnings.

Destinations, lengths and round trips are those of the first recipient, who stands for all.
"""

from __future__ import annotations

import re
import socket
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
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
from waypost.urls import MAX_DESTINATION_LENGTH, get_host

SMS_TEXT_PATH: Final[ContentPath] = ("text",)

GMAIL_CLIP_BYTES: Final = 102 * 1024
"""Bytes of HTML above which Gmail clips a message."""
OUTLOOK_MAX_LINK_LENGTH: Final = 2048
"""Characters of the longest link that desktop Outlook opens."""
MIN_ONE_OFF_LINKS: Final = 10
"""Links with a single recipient each from which a report is cluttered."""
MAX_MIME_LINE_LENGTH: Final = 998
"""Characters of a line without its end (RFC 5322, 2.1.1)."""

_LINE_END = re.compile(r"\r?\n")
_WORD = re.compile(r"[\w\-]+")
_DIGIT = re.compile(r"\d")
_LETTER = re.compile(r"[A-Za-z]")
_MIN_IDENTIFIER_LENGTH: Final = 20
_MERGE_TAG: Final = re.compile(
    r"%%[\w.:\-]{1,60}%%"  # Salesforce Marketing Cloud
    r"|\*(?:\||%7C)[\w.:\-]{1,60}(?:\||%7C)\*"  # Mailchimp
    r"|\[\[[^\[\]]{1,60}\]\]"  # Mailjet
    r"|\$(?:\{|%7B)[^{}]{1,60}(?:\}|%7D)"  # template literals
    r"|(?:<|%3C)(?:%|%25)=.{1,60}?(?:%|%25)(?:>|%3E)"  # ERB, EJS
    r"|%7B%7B.{1,60}?%7D%7D",  # Liquid or Handlebars that an editor encoded
    re.IGNORECASE,
)
_EMAIL_ADDRESS: Final = re.compile(r"[^@\s]+@[^@\s][^@\s.]*\.[^@\s]+")
# A plain number is an ordinary identifier: a phone number has a plus sign, spaces or parentheses.
_PHONE_NUMBER: Final = re.compile(r"(?=(?:\D*\d){7,15}\D*\Z)(?:\+|(?=.*[ ()]))[\d ()./\-]+")


class LinkEntry(TypedDict):
    """A link in the report.

    ``link`` is its id, or None for a link that is not tracked. The fields after ``reason`` have no
    value for links that stay as they are, or that the first recipient does not have.
    """

    link: str | None
    url: str
    tag: str | None
    position: int
    tracked: bool
    reason: str | None
    destination: str | None
    round_trip: bool | None
    """The packed link reads back as the destination."""
    bytes_added: int | None


@dataclass(frozen=True, slots=True)
class LinkPreview:
    """A rewritten link as the first recipient gets it."""

    identity: str
    destination: str
    round_trip: bool | None
    characters: int
    bytes_added: int


_LinkKey = tuple[str, bool, str | None]
"""A link as the report distinguishes it: identity, tracked or not, and reason."""


class LinkCollector:
    """The links of all recipients' messages, each once, in the order of appearance."""

    def __init__(self) -> None:
        self._links: dict[tuple[_LinkKey, int], MessageLink] = {}
        self._recipient_counts: Counter[str] = Counter()

    def add(self, texts: Iterable[PlannedText]) -> None:
        """Add a recipient's links; a link that occurs twice in a message counts as two."""
        counts: dict[_LinkKey, int] = {}
        for link in iter_links(texts):
            key = (link.identity, link.decision.is_tracked, link.decision.reason)
            previous = counts.get(key, 0)
            self._links.setdefault((key, previous), link)
            counts[key] = previous + 1
        self._recipient_counts.update({identity for identity, _, _ in counts})

    def __iter__(self) -> Iterator[MessageLink]:
        return iter(self._links.values())

    def count_one_offs(self) -> int:
        """Count the tracked links without a tag that only one recipient has."""
        tracked = {link.identity for link in self if link.decision.is_tracked and not link.tag}
        return sum(self._recipient_counts[identity] == 1 for identity in tracked)


@dataclass(slots=True, kw_only=True)
class MessageDiagnostics:
    """Collects a message's links, warnings and segments while it is rendered.

    Fields are those of ``MessageRenderer``. ``is_template``: recipients' texts differ.
    """

    request: MessageRequest
    is_template: bool
    link_ids: LinkIds
    build_prefix: LinkPrefixBuilder
    sent_at: int
    has_short_links: bool
    _segments: SmsSegmentSummary = field(default_factory=SmsSegmentSummary)
    _links: LinkCollector = field(default_factory=LinkCollector)
    _first_recipient: RenderedRecipient | None = None
    _previews: dict[int, LinkPreview] = field(default_factory=dict)
    """The first recipient's rewritten links, by position."""
    _last_parameters: RecipientParameters | None = None
    _recipient_count: int = 0
    _contact_count: int = 0
    """Recipients whose links have a ``_cio_id`` that looks like contact data."""
    _empty_parameters: dict[str, None] = field(default_factory=dict)
    _links_without_parameters: dict[str, int] = field(default_factory=dict)
    """Positions of links that are too long for the parameters, by identity."""

    def add_recipient(self, rendered: RenderedRecipient) -> None:
        """Add a recipient's rendered message. Its tracked links must be registered."""
        if self._first_recipient is None:
            self._previews = self._preview_links(rendered)
            self._first_recipient = rendered
        if self.is_template:
            self._links.add(rendered.texts)
        self._recipient_count += 1
        if not self._shares_links(rendered):
            self._add_links_without_parameters(rendered)
        empty_names = rendered.parameters.empty_names
        if empty_names and any(link.decision.has_parameters for link in iter_links(rendered.texts)):
            self._empty_parameters.update(dict.fromkeys(empty_names))

        if _has_contact_id(rendered):
            self._contact_count += 1

    def _shares_links(self, rendered: RenderedRecipient) -> bool:
        """Check that a recipient has the links and parameters of the one before."""
        previous, self._last_parameters = self._last_parameters, rendered.parameters
        return not self.is_template and previous is rendered.parameters

    def _add_links_without_parameters(self, rendered: RenderedRecipient) -> None:
        for text in rendered.texts:
            for slot in (*text.plan.tracked_slots, *text.plan.parameter_slots):
                link = slot.link
                if link.decision.has_parameters and not rendered.parameters.fit(slot.destination):
                    self._links_without_parameters.setdefault(link.identity, link.position)

    def add_sms_segments(self, before: str, after: str) -> SmsSegments:
        """Add a text message before and after tracking; return its segments as sent."""
        return self._segments.add(before, after)

    def build_link_entries(self) -> list[LinkEntry]:
        """Build the link report, in the order of appearance."""
        return [self._build_link_entry(link) for link in self._collect_links()]

    def get_segment_counts(self, *, is_dry_run: bool) -> SmsSegmentCounts | None:
        """Return the most segments of any text message, before and after; None if not SMS.

        A dry run fills no text, so the first recipient's preview is counted.
        """
        first = self._first_recipient
        if self.request.channel != "sms":
            return None
        if is_dry_run and first is not None:
            previews = self._preview_texts(first)
            for text in first.texts:
                if text.path == SMS_TEXT_PATH:
                    self._segments.add(restore_text(text.plan), previews[text.path])
        return self._segments.get_counts()

    def build_warnings(self, *, is_dry_run: bool) -> list[str]:
        """Build the warnings for the pipeline."""
        warnings = list(
            find_parameter_warnings(self._empty_parameters, self._links_without_parameters)
        )
        if self._first_recipient is not None:
            texts = self._preview_texts(self._first_recipient)
            warnings += find_content_warnings(self.request.channel, texts)
            warnings += find_segment_warnings(self.get_segment_counts(is_dry_run=is_dry_run))
            warnings += find_link_warnings(self._previews)
            if self.request.content.mime is not None:
                warnings += find_mime_warnings(self.request.content.mime, texts[("mime",)])
        if self._contact_count:
            warnings.append(
                "recipients whose _cio_id looks like an e-mail address or a phone number, which "
                f"the linked sites then see ({self._contact_count:,}); "
                "use an identifier of your own"
            )
        links = self._collect_links()
        warnings += find_url_warnings(links)
        one_offs = links.count_one_offs() if self.is_template else 0
        warnings += find_identity_warnings(links, one_offs, self._recipient_count)
        return warnings

    def _collect_links(self) -> LinkCollector:
        """Return all links; without a template, the first recipient's are everyone's."""
        if self.is_template or self._first_recipient is None:
            return self._links
        links = LinkCollector()
        links.add(self._first_recipient.texts)
        return links

    def _build_link_entry(self, link: MessageLink) -> LinkEntry:
        decision = link.decision
        preview = self._previews.get(link.position)
        if preview is not None and preview.identity != link.identity:
            preview = None
        return LinkEntry(
            link=self.link_ids[link.identity] if decision.is_tracked else None,
            url=link.url,
            tag=link.tag,
            position=link.position,
            tracked=decision.is_tracked,
            reason=decision.reason,
            destination=preview.destination if preview else None,
            round_trip=preview.round_trip if preview else None,
            bytes_added=preview.bytes_added if preview else None,
        )

    def _preview_links(self, first: RenderedRecipient) -> dict[int, LinkPreview]:
        """Build a recipient's rewritten links, by position, without signing."""
        return {
            slot.link.position: self._preview_tracking_link(slot, first)
            if slot.link.decision.is_tracked
            else _preview_plain_link(slot, first)
            for text in first.texts
            for slot in (*text.plan.tracked_slots, *text.plan.parameter_slots)
        }

    def _preview_tracking_link(self, slot: LinkSlot, first: RenderedRecipient) -> LinkPreview:
        recipient, decision = first.recipient, slot.link.decision
        destination = decision.destination
        if decision.has_parameters:
            destination = first.parameters.build_url(slot.destination, recipient.person)
        packed = pack_slot(slot, self.link_ids, first.parameters, has_person=first.has_person)
        payload = pack_recipient(recipient.delivery, recipient.person, self.sent_at) + packed.link
        characters = len(self.build_prefix(decision.destination)) + (
            CODE_LENGTH if self.has_short_links else _compute_token_length(len(payload))
        )
        read_back = _read_destination(decode_click_token(payload), packed, recipient.person)
        return LinkPreview(
            identity=slot.link.identity,
            destination=destination,
            round_trip=read_back == destination,
            characters=characters,
            bytes_added=characters - len(slot.original.encode()),
        )

    def _preview_texts(self, first: RenderedRecipient) -> dict[ContentPath, str]:
        """Build the first recipient's texts in their final length, with fillers for links."""
        return {text.path: _fill_preview(text.plan, self._previews) for text in first.texts}


def _has_contact_id(rendered: RenderedRecipient) -> bool:
    person = rendered.recipient.person
    if person is None or not rendered.parameters.adds_person_id or not _is_contact(person):
        return False
    decisions = (link.decision for link in iter_links(rendered.texts))
    return any(decision.is_tracked and decision.has_parameters for decision in decisions)


def _read_destination(token: ClickToken, packed: PackedLink, person: str | None) -> str:
    if token.stored_digest is None or packed.stored_destination is None:
        return token.href
    is_same = token.stored_digest == packed.stored_destination.digest
    return fill_person(packed.stored_destination.href, person) if is_same else ""


def _preview_plain_link(slot: LinkSlot, first: RenderedRecipient) -> LinkPreview:
    destination = first.parameters.build_url_without_person(slot.destination)
    text = render_plain_link(slot, first.parameters)
    bytes_added = len(text.encode()) - len(slot.original.encode())
    return LinkPreview(slot.link.identity, destination, None, len(text), bytes_added)


def _fill_preview(plan: TextPlan, previews: Mapping[int, LinkPreview]) -> str:
    chunks = plan.chunks.copy()
    for slot in (*plan.tracked_slots, *plan.parameter_slots):
        chunks[slot.index] = slot.encode_transfer("x" * previews[slot.link.position].characters)
    return join_chunks(chunks, plan.encoded_ranges)


def _compute_token_length(payload_bytes: int) -> int:
    return _compute_base64_length(payload_bytes) + 1 + _compute_base64_length(SIGNATURE_BYTES)


def _compute_base64_length(size: int) -> int:
    return -(-size * 4 // 3)


def find_content_warnings(channel: Channel, texts: Mapping[ContentPath, str]) -> Iterator[str]:
    """Warn about HTML that Gmail clips."""
    html = texts.get(("html",))
    if channel == "email" and html is not None and len(html.encode()) > GMAIL_CLIP_BYTES:
        size = len(html.encode())
        yield f"content.html is {size:,} bytes; Gmail clips messages at {GMAIL_CLIP_BYTES:,}"


def find_segment_warnings(counts: SmsSegmentCounts | None) -> Iterator[str]:
    """Warn about text messages of several segments, which are paid each."""
    if counts is None or counts["after"] == 1:
        return
    encoding, before, after = counts["encoding"].upper(), counts["before"], counts["after"]
    yield f"content.text takes {after} SMS segments in {encoding}"
    if after > before:
        yield f"tracking adds {after - before} to the {before} that it took; short links take less"


def find_mime_warnings(raw: str, preview: str) -> Iterator[str]:
    """Warn about a MIME message that is signed, or has lines that are too long."""
    if has_dkim_signature(raw):
        yield "content.mime is DKIM-signed already, which rewriting breaks; sign it afterwards"
    longest = max(map(len, _LINE_END.split(preview)))
    if longest > MAX_MIME_LINE_LENGTH:
        yield (
            f"content.mime has a line of {longest:,} characters; mail servers take "
            f"{MAX_MIME_LINE_LENGTH}: encode its parts as quoted-printable or base64"
        )


def find_link_warnings(previews: Mapping[int, LinkPreview]) -> Iterator[str]:
    """Warn about links that are too long, or do not read back as their destination."""
    for position, link in sorted(previews.items()):
        if link.characters > OUTLOOK_MAX_LINK_LENGTH:
            yield (
                f"link {position} is {link.characters:,} characters; "
                f"desktop Outlook opens at most {OUTLOOK_MAX_LINK_LENGTH:,}"
            )
        if link.round_trip is False:
            yield f"link {position} does not lead to its destination; do not send this message"


def find_identity_warnings(
    links: Iterable[MessageLink], one_offs: int, recipient_count: int
) -> Iterator[str]:
    """Warn about links that reports would list once per recipient."""
    if recipient_count > 1 and one_offs >= MIN_ONE_OFF_LINKS:
        yield (
            f"{one_offs:,} links belong to one recipient each; "
            "data-cio-tag would group them in reports"
        )
    for link in links:
        if recipient_count == 1 and _is_one_off(link):
            yield (
                f"link {link.position} looks made for one recipient; "
                "data-cio-tag would group such links in reports"
            )


def find_parameter_warnings(
    empty_names: Iterable[str], links_without_parameters: Mapping[str, int]
) -> Iterator[str]:
    """Warn about parameters that are empty, or too long for links, for some recipients."""
    for name in empty_names:
        yield f"the parameter {name} is empty for some recipients and was not added"
    if links_without_parameters:
        yield (
            f"links without parameters, which would make them longer than "
            f"{MAX_DESTINATION_LENGTH:,} characters ({len(links_without_parameters):,}); "
            f"the first is link {min(links_without_parameters.values())}"
        )


def _is_one_off(link: MessageLink) -> bool:
    if link.tag or not link.decision.is_tracked or "{{" in link.url:
        return False
    return any(map(_is_identifier, _WORD.findall(link.url)))


def _is_identifier(word: str) -> bool:
    """Return True for letters and digits mixed, as in a token or a UUID."""
    if len(word) < _MIN_IDENTIFIER_LENGTH:
        return False
    return _DIGIT.search(word) is not None and _LETTER.search(word) is not None


def _is_contact(identifier: str) -> bool:
    """Check if an identifier looks like an e-mail address or a phone number."""
    text = identifier.strip()
    return bool(_EMAIL_ADDRESS.fullmatch(text) or _PHONE_NUMBER.fullmatch(text))


def find_url_warnings(links: Iterable[MessageLink]) -> Iterator[str]:
    """Warn about links with merge tags of other systems, and about hosts of the sender's own."""
    tags: list[tuple[int, str]] = []
    hosts: list[tuple[int, str]] = []
    for link in links:
        url = link.decision.destination or link.url
        if match := _MERGE_TAG.search(url):
            tags.append((link.position, match[0]))
        host = get_host(url)
        if host is not None and _is_private(host):
            hosts.append((link.position, host))
    if tags:
        position, tag = tags[0]
        yield (
            f"links with a merge tag of another system, which stays as it is ({len(tags):,}); "
            f"the first is link {position}: {tag!r}"
        )
    if hosts:
        position, host = hosts[0]
        yield (
            f"links to a private host, which recipients cannot reach ({len(hosts):,}); "
            f"the first is link {position}: {host!r}"
        )


def _is_private(host: str) -> bool:
    name = host.removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        if name.startswith("["):
            address: IPv4Address | IPv6Address = IPv6Address(name[1:-1])
            return (getattr(address, "ipv4_mapped", None) or address).is_private
        return IPv4Address(socket.inet_aton(name)).is_private  # reads 0x7f.1 as browsers do
    except (ValueError, OSError):
        return False
