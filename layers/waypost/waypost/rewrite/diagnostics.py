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
from waypost.rewrite.compiler import Link, Plan, PlannedText, Ready, Slot, links_of
from waypost.rewrite.link_writer import Codes, Prepared, Start, joined, packed, unstamped, written
from waypost.rewrite.links.channels import Channel, Path
from waypost.rewrite.links.mime import is_dkim_signed
from waypost.rewrite.schemas import Message
from waypost.rewrite.sms_segments import SegmentCounts, SegmentReport, Segments
from waypost.rewrite.url_parameters import Query
from waypost.tokens import ClickToken
from waypost.tokens.codec import decode, recipient_part, with_person
from waypost.tokens.signer import SIGNATURE_BYTES


@dataclass(frozen=True, slots=True)
class Seen:
    """A link as one recipient gets it."""

    identity: str
    destination: str
    round_trip: bool | None
    characters: int
    bytes_added: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One recipient, for whose message everything is looked at."""

    delivery: str
    person: str | None
    sent: int
    query: Query
    texts: list[PlannedText]
    short: bool = False
    """Whether its links are short ones."""

    def seen(self, codes: Codes, start: Start) -> dict[int, Seen]:
        """The links that are rewritten, by position. Signs nothing."""
        return {
            slot.link.position: self._tracked(slot, codes, start)
            if slot.link.verdict.tracked
            else self._extended(slot)
            for text in self.texts
            for slot in (*text.plan.tracked, *text.plan.extended)
        }

    def preview(self, seen: Mapping[int, Seen]) -> dict[Path, str]:
        """The texts as long as they will be, with fillers where links will stand."""
        return {text.path: _filled(text.plan, seen) for text in self.texts}

    def _tracked(self, slot: Slot, codes: Codes, start: Start) -> Seen:
        destination = slot.link.verdict.destination
        if slot.link.verdict.parameters:
            destination = self.query.added_to(slot.destination, self.person)
        prepared = packed(slot, codes, self.query, known=self.person is not None)
        payload = recipient_part(self.delivery, self.person, self.sent) + prepared.link
        begun = len(start(slot.link.verdict.destination))
        token = _base64_length(len(payload)) + 1 + _base64_length(SIGNATURE_BYTES)
        characters = begun + (CODE_LENGTH if self.short else token)
        return Seen(
            identity=slot.link.identity,
            destination=destination,
            round_trip=self._leads_to(decode(payload), prepared) == destination,
            characters=characters,
            bytes_added=characters - len(slot.original.encode()),
        )

    def _leads_to(self, token: ClickToken, prepared: Prepared) -> str:
        if token.stored is None or prepared.stored is None:
            return token.href
        same = token.stored == prepared.stored.digest
        return with_person(prepared.stored.href, self.person) if same else ""

    def _extended(self, slot: Slot) -> Seen:
        destination = self.query.without_identity(slot.destination)
        text = written(slot, self.query)
        added = len(text.encode()) - len(slot.original.encode())
        return Seen(slot.link.identity, destination, None, len(text), added)


def _filled(plan: Plan, seen: Mapping[int, Seen]) -> str:
    segments = plan.segments.copy()
    for slot in (*plan.tracked, *plan.extended):
        segments[slot.at] = slot.transfer("x" * seen[slot.link.position].characters)
    return joined(segments, plan.encoded)


def _base64_length(size: int) -> int:
    return -(-size * 4 // 3)


GMAIL_CLIPS: Final = 102 * 1024
"""Bytes of HTML of which Gmail shows the beginning only."""
OUTLOOK_CUTS: Final = 2048
"""Characters of a link that desktop Outlook opens at most."""
ONE_OFFS: Final = 10
"""From so many links that only one recipient has, reports are cluttered."""

LONGEST_LINE: Final = 998
"""Characters of a line, without its end (RFC 5322, 2.1.1)."""

_LINE_END = re.compile(r"\r?\n")
# An identifier: twenty or more letters and digits mixed, as in a token or a UUID.
_IDENTIFIER = re.compile(r"(?=[\w\-]*\d)(?=[\w\-]*[A-Za-z])[\w\-]{20,200}")


def of_content(channel: Channel, texts: Mapping[Path, str]) -> Iterator[str]:
    """About the length of one recipient's message as it will be sent."""
    html = texts.get(("html",))
    if channel == "email" and html is not None and len(html.encode()) > GMAIL_CLIPS:
        size = len(html.encode())
        yield f"content.html is {size:,} bytes; Gmail clips messages at {GMAIL_CLIPS:,}"


def of_segments(counts: SegmentCounts | None) -> Iterator[str]:
    """About the parts that a text message is sent and paid in."""
    if counts is None or counts["after"] == 1:
        return
    encoding, before, after = counts["encoding"].upper(), counts["before"], counts["after"]
    yield f"content.text takes {after} SMS segments in {encoding}"
    if after > before:
        yield f"tracking adds {after - before} to the {before} that it took; short links take less"


def of_mime(raw: str, stamped: str) -> Iterator[str]:
    """About a raw message, before and after its links are as long as they will be."""
    if is_dkim_signed(raw):
        yield "content.mime is DKIM-signed already, which rewriting breaks; sign it afterwards"
    longest = max(map(len, _LINE_END.split(stamped)))
    if longest > LONGEST_LINE:
        yield (
            f"content.mime has a line of {longest:,} characters; mail servers take "
            f"{LONGEST_LINE}: encode its parts as quoted-printable or base64"
        )


def of_links(seen: Mapping[int, Seen]) -> Iterator[str]:
    """About one recipient's links."""
    for position, link in sorted(seen.items()):
        if link.characters > OUTLOOK_CUTS:
            yield (
                f"link {position} is {link.characters:,} characters; "
                f"desktop Outlook opens at most {OUTLOOK_CUTS:,}"
            )
        if link.round_trip is False:
            yield f"link {position} does not lead where it should; do not send this"


def of_identities(links: Iterable[Link], one_offs: int, recipients: int) -> Iterator[str]:
    """About links that reports would list once for every recipient."""
    if recipients > 1 and one_offs >= ONE_OFFS:
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


def of_parameters(empty: Iterable[str]) -> Iterator[str]:
    """About parameters of the workspace that came out empty for somebody."""
    for name in empty:
        yield f"the parameter {name} is empty for some recipients and was not added"


def _is_one_off(link: Link) -> bool:
    if link.tag or not link.verdict.tracked or "{{" in link.url:
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


_What = tuple[str, bool, str | None]
"""A link by what reports tell apart: its identity, whether it is tracked, and why."""


class LinksSeen:
    """The links of all recipients' messages, each once, in order of appearance."""

    def __init__(self) -> None:
        self._links: dict[tuple[_What, int], Link] = {}
        self._recipients: Counter[str] = Counter()

    def add(self, texts: Iterable[PlannedText]) -> None:
        """Note one recipient's links; two of one identity in a message are two links."""
        counted: dict[_What, int] = {}
        for link in links_of(texts):
            what = (link.identity, link.verdict.tracked, link.verdict.reason)
            before = counted.get(what, 0)
            self._links.setdefault((what, before), link)
            counted[what] = before + 1
        self._recipients.update({identity for identity, _, _ in counted})

    def __iter__(self) -> Iterator[Link]:
        return iter(self._links.values())

    def one_offs(self) -> int:
        """How many tracked links without a tag only one recipient has."""
        tracked = {link.identity for link in self if link.verdict.tracked and not link.tag}
        return sum(self._recipients[identity] == 1 for identity in tracked)


def entry(link: Link, codes: Codes, seen: Mapping[int, Seen]) -> LinkEntry:
    """One line of the report."""
    verdict = link.verdict
    found = seen.get(link.position)
    found = found if found and found.identity == link.identity else None
    return LinkEntry(
        link=codes[link.identity] if verdict.tracked else None,
        url=link.url,
        tag=link.tag,
        position=link.position,
        tracked=verdict.tracked,
        reason=verdict.reason,
        destination=found.destination if found else None,
        round_trip=found.round_trip if found else None,
        bytes_added=found.bytes_added if found else None,
    )


SMS: Final[Path] = ("text",)


@dataclass(slots=True, kw_only=True)
class Findings:
    """Fields are as in ``Mailing``; ``template``: recipients' messages differ."""

    request: Message
    template: bool
    codes: Codes
    start: Start
    sent: int
    short: bool
    _segments: SegmentReport = field(default_factory=SegmentReport)
    _links: LinksSeen = field(default_factory=LinksSeen)
    _sample: Sample | None = None
    _recipients: int = 0
    _empty: dict[str, None] = field(default_factory=dict)

    def note(self, one: Ready) -> None:
        """Note a recipient's message."""
        if self._sample is None:
            who = one.recipient
            self._sample = Sample(
                who.delivery, who.person, self.sent, one.query, one.texts, short=self.short
            )
        if self.template:
            self._links.add(one.texts)
        self._recipients += 1
        if one.query.empty and any(link.verdict.parameters for link in links_of(one.texts)):
            self._empty.update(dict.fromkeys(one.query.empty))

    def note_segments(self, before: str, after: str) -> Segments:
        """Note a text message, as its author wrote it and as it is sent; how it is sent."""
        return self._segments.add(before, after)

    def links(self) -> list[LinkEntry]:
        """What became of every link, in the order of appearance."""
        seen = self._sample.seen(self.codes, self.start) if self._sample else {}
        return [entry(link, self.codes, seen) for link in self._seen()]

    def segments(self, *, rehearsed: bool) -> SegmentCounts | None:
        """Of a text message, how many parts it takes at most, before and after; else None.
        ``rehearsed``: no message was made, so the sample's stands for all.
        """
        if rehearsed and self._sample is not None and self.request.channel == "sms":
            preview = self._sample.preview(self._sample.seen(self.codes, self.start))
            for text in self._sample.texts:
                if text.path == SMS:
                    self._segments.add(unstamped(text.plan), preview[text.path])
        return self._segments.told()

    def warnings(self, *, rehearsed: bool) -> list[str]:
        """What a pipeline should know before it sends."""
        found = list(of_parameters(self._empty))
        if self._sample is not None:
            seen = self._sample.seen(self.codes, self.start)
            texts = self._sample.preview(seen)
            found += of_content(self.request.channel, texts)
            found += of_segments(self.segments(rehearsed=rehearsed))
            found += of_links(seen)
            if self.request.content.mime is not None:
                found += of_mime(self.request.content.mime, texts[("mime",)])
        links = self._seen()
        one_offs = links.one_offs() if self.template else 0
        found += of_identities(links, one_offs, self._recipients)
        return found

    def _seen(self) -> LinksSeen:
        """What was rendered before is everybody's message, and so are its links: no need to note
        them with every recipient.
        """
        if self.template or self._sample is None:
            return self._links
        links = LinksSeen()
        links.add(self._sample.texts)
        return links
