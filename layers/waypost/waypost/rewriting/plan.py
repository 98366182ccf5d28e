"""What a text of a message consists of: static characters, and slots that differ by recipient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from waypost.rewrite.link_rules import Verdict
from waypost.rewrite.links.occurrence import Encode
from waypost.rewriting.judging.queries import ParameterSlot


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
