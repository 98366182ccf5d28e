"""What a text of a message consists of: static characters, and slots that differ by recipient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from waypost.rewriting.place import Encode, Place
from waypost.rewriting.rules import Rules, Verdict, judge
from waypost.urls import ParameterSlot


@dataclass(frozen=True, slots=True)
class Link:
    """A link of a message and what was decided about it. ``position`` counts from 1."""

    position: int
    identity: str
    url: str
    tag: str | None
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Slot:
    """A segment of a text that is written anew for each recipient."""

    at: int
    """Its index among the segments."""
    link: Link
    destination: ParameterSlot
    encode: Encode
    original: str
    """What stands there when nothing is to be written."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A text in segments; those of slots are empty."""

    segments: list[str]
    tracked: tuple[Slot, ...]
    extended: tuple[Slot, ...]
    """Links that are not tracked and still get the workspace's parameters."""
    links: tuple[Link, ...]


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


def planned(text: str, places: Sequence[Place], rules: Rules, first_position: int = 1) -> Plan:
    """Decide about every link of a text. ``places`` are in order and apart."""
    cut, slots, links = _Cut(text), [], []
    for position, place in enumerate(places, first_position):
        verdict = judge(place, rules)
        link = Link(position, place.identity, place.url, place.tag, verdict)
        links.append(link)
        original = text[place.start : place.end] if place.instead is None else place.instead
        if verdict.tracked or verdict.parameters:
            destination = ParameterSlot.of(verdict.destination)
            at = cut.replace(place, "")
            slots.append(Slot(at, link, destination, place.encode, original))
        elif place.instead is not None:
            cut.replace(place, original)
    return Plan(
        segments=[*cut.segments, text[cut.at :]],
        tracked=tuple(slot for slot in slots if slot.link.verdict.tracked),
        extended=tuple(slot for slot in slots if not slot.link.verdict.tracked),
        links=tuple(links),
    )
