"""What a pipeline is told before it sends: every link's fate, and what may go wrong downstream.

Destinations, lengths and round trips are those of one recipient, who stands for all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypedDict

from waypost.model.short_link import CODE_LENGTH
from waypost.rewriting.judging.parameters import Query
from waypost.rewriting.links.channels import Path
from waypost.rewriting.message import PlannedText, links_of
from waypost.rewriting.plan import Link, Plan, Slot
from waypost.rewriting.stamping import Codes, Prepared, Start, joined, packed, written
from waypost.tokens import ClickToken
from waypost.tokens.payload import decode, recipient_part, with_person
from waypost.tokens.signing import SIGNATURE_BYTES


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


def _filled(plan: Plan, seen: Mapping[int, Seen]) -> str:
    segments = plan.segments.copy()
    for slot in (*plan.tracked, *plan.extended):
        segments[slot.at] = slot.transfer("x" * seen[slot.link.position].characters)
    return joined(segments, plan.encoded)


def _base64_length(size: int) -> int:
    return -(-size * 4 // 3)
