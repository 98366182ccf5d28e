"""What a text of a message consists of: static characters, and slots that differ by recipient."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from waypost.rewriting.judging.queries import ParameterSlot
from waypost.rewriting.judging.rules import Rules, Verdict, judge
from waypost.rewriting.links.place import Encode, Place
from waypost.rewriting.links.transfer import Block


@dataclass(slots=True)  # frozen takes three times as long, forty times a message
class Link:
    """A link of a message and what was decided about it. ``position`` counts from 1."""

    position: int
    identity: str
    url: str
    tag: str | None
    verdict: Verdict


@dataclass(slots=True)  # frozen takes three times as long, forty times a message
class Slot:
    """A segment of a text that is written anew for each recipient."""

    at: int
    """Its index among the segments."""
    link: Link
    destination: ParameterSlot
    encode: Encode
    transfer: Encode
    original: str
    """What stands there when nothing is to be written."""


@dataclass(frozen=True, slots=True)
class PixelSlot:
    """A segment before which that stands which nobody sees: the image that tells of opens, and the
    link that only machines follow.
    """

    at: int
    original: str
    transfer: Encode
    image: bool
    honeypot: bool


@dataclass(frozen=True, slots=True)
class EncodedRange:
    """Segments ``first`` to ``last`` that are encoded as one. ``text`` is what they were, written
    as ``original``.
    """

    first: int
    last: int
    text: str
    original: str
    encode: Encode


@dataclass(frozen=True, slots=True)
class Plan:
    """A text in segments; those of slots are empty."""

    segments: list[str]
    tracked: Sequence[Slot]
    extended: Sequence[Slot]
    """Links that are not tracked and still get the workspace's parameters."""
    links: Sequence[Link]
    encoded: Sequence[EncodedRange] = ()
    pixel: PixelSlot | None = None


@dataclass(slots=True)
class _Cut:
    """A text on its way into segments."""

    text: str
    at: int = 0
    segments: list[str] = field(default_factory=list)

    def replace(self, place: Place, segment: str) -> int:
        """Cut out a place and put a segment there; returns its index."""
        self.segments += self.text[self.at : place.start], segment
        self.at = place.end
        return len(self.segments) - 1

    def split(self, at: int) -> int:
        """End a segment; returns the index of the next."""
        self.segments.append(self.text[self.at : at])
        self.at = at
        return len(self.segments)


def planned(
    text: str,
    places: Sequence[Place],
    rules: Rules,
    first_position: int = 1,
    blocks: Sequence[Block] = (),
) -> Plan:
    """Decide about every link of a text. ``places`` and ``blocks`` are in order and apart."""
    work = _Work(_Cut(text), rules, first_position)
    encoded: list[EncodedRange] = []
    rest = list(places)
    for block in blocks:
        inside = bisect_left(rest, block.start, key=lambda place: place.start)
        after = bisect_right(rest, block.end, key=lambda place: place.end)
        work.place(rest[:inside])
        first = work.cut.split(block.start)
        work.place(rest[inside:after])
        last = work.cut.split(block.end)
        content = text[block.start : block.end]
        encoded.append(EncodedRange(first, last, content, block.original, block.encode))
        rest = rest[after:]
    work.place(rest)
    work.cut.split(len(text))
    return Plan(
        segments=work.cut.segments,
        tracked=work.tracked,
        extended=work.extended,
        links=work.links,
        encoded=encoded,
        pixel=work.pixel,
    )


@dataclass(slots=True)
class _Work:
    """What was decided about a text so far."""

    cut: _Cut
    rules: Rules
    position: int
    tracked: list[Slot] = field(default_factory=list)
    extended: list[Slot] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    pixel: PixelSlot | None = None
    """The last one: a message loads one image."""

    def place(self, places: Sequence[Place]) -> None:
        for place in places:
            if place.pixel is not None:
                self._make_room(place, place.pixel)
                continue
            verdict = judge(place, self.rules)
            link = Link(self.position, place.identity, place.url, place.tag, verdict)
            self.position += 1
            self.links.append(link)
            self._cut_out(place, link)

    def _make_room(self, place: Place, there: Callable[[], str]) -> None:
        image = self.rules.wants_pixel(there)
        honeypot = self.rules.track and self.rules.honeypot
        if image or honeypot:
            original = self.cut.text[place.start : place.end]
            at = self.cut.replace(place, original)
            self.pixel = PixelSlot(at, original, place.transfer, image, honeypot)

    def _cut_out(self, place: Place, link: Link) -> None:
        verdict = link.verdict
        original = self.cut.text[place.start : place.end]
        if place.instead is not None:
            original = place.transfer(place.instead)
        if verdict.tracked or verdict.parameters:
            destination = ParameterSlot(verdict.destination)
            at = self.cut.replace(place, "")
            slot = Slot(at, link, destination, place.encode, place.transfer, original)
            (self.tracked if verdict.tracked else self.extended).append(slot)
        elif place.instead is not None:
            self.cut.replace(place, original)
