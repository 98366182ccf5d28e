"""What becomes of the links of a text: each is judged, and what differs by recipient is cut out."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from waypost.rewrite.link_rules import Rules, judge
from waypost.rewrite.links.mime import Block
from waypost.rewrite.links.occurrence import Place
from waypost.rewriting.judging.queries import ParameterSlot
from waypost.rewriting.plan import EncodedRange, Link, PixelSlot, Plan, Slot


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
