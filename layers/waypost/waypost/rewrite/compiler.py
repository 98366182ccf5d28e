"""A whole message, compiled once: its texts planned, their links numbered through.

What a text of a message consists of: static characters, and slots that differ by recipient.

What becomes of the links of a text: each is judged, and what differs by recipient is cut out.

One recipient's message before it is stamped: what it renders with, and its texts.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from waypost.errors import InvalidRequest
from waypost.rewrite.link_rules import Rules, Verdict, judge
from waypost.rewrite.links import mime
from waypost.rewrite.links.channels import Channel, Json, Path, Text, texts
from waypost.rewrite.links.extractor import (
    HTML_LINKS,
    TEXT_LINKS,
    Markup,
    find_places,
    with_opt_outs,
)
from waypost.rewrite.links.html import with_pixel
from waypost.rewrite.links.mime import Block
from waypost.rewrite.links.occurrence import Encode, Place
from waypost.rewrite.liquid.environment import is_liquid
from waypost.rewrite.liquid.template import Rendered, Template
from waypost.rewrite.schemas import Message, Recipient
from waypost.rewrite.url_parameters import Parameters, ParameterSlot, Query


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


@dataclass(frozen=True, slots=True)
class PlannedText:
    """One text of a message for one recipient, or for all."""

    path: Path
    plan: Plan


@dataclass(frozen=True, slots=True)
class _Part:
    """A text of the content: ready, with its places, or a template that gives them."""

    path: Path
    markup: Markup | None
    """None for a MIME message, which has several."""
    content: Rendered | Template

    def for_data(self, data: Mapping[str, object]) -> Rendered:
        return self.content.rendered(data) if isinstance(self.content, Template) else self.content


class CompiledMessage:
    """A message that is stamped for any number of recipients."""

    def __init__(self, content: Mapping[str, Json], parts: Sequence[_Part], rules: Rules) -> None:
        self._content = content
        self._parts = parts
        self._rules = rules
        ready = not any(isinstance(part.content, Template) for part in parts)
        self._for_all = list(self._planned({})) if ready else None

    @property
    def is_template(self) -> bool:
        """Whether recipients' messages differ in more than their tracking links."""
        return self._for_all is None

    def planned(self, data: Mapping[str, object]) -> list[PlannedText]:
        """The message's texts for a recipient with this data.

        :raises InvalidRequest: when a template cannot be rendered with it.
        """
        return list(self._planned(data)) if self._for_all is None else self._for_all

    def filled(self, values: Mapping[Path, str]) -> dict[str, Json]:
        """The content with its texts replaced."""
        return {name: _filled(item, (name,), values) for name, item in self._content.items()}

    def _planned(self, data: Mapping[str, object]) -> Iterator[PlannedText]:
        found = [part.for_data(data) for part in self._parts]
        anchors = [
            place
            for part, rendered in zip(self._parts, found, strict=True)
            if part.markup is HTML_LINKS
            for place in rendered.places
        ]
        position = 1
        for part, rendered in zip(self._parts, found, strict=True):
            places = rendered.places
            if part.markup is HTML_LINKS:
                places = with_pixel(places, rendered.text)
            if part.markup is TEXT_LINKS:
                places = with_opt_outs(places, anchors)
            plan = planned(rendered.text, places, self._rules, position, rendered.blocks)
            position += len(plan.links)
            yield PlannedText(part.path, plan)


def compiled_message(
    channel: Channel,
    content: Mapping[str, Json],
    rules: Rules,
    *,
    liquid: bool = False,
    track_text: bool = False,
) -> CompiledMessage:
    """Find the links of a message, or recall where they were found before.

    :raises InvalidRequest: naming the part of the content that cannot be read.
    """
    frozen = tuple(
        (name, value if isinstance(value, str) else _Frozen(json.dumps(value)))
        for name, value in content.items()
    )
    return CompiledMessage(content, compiled_parts(channel, frozen, liquid, track_text), rules)


class _Frozen(str):
    """A value of a content as JSON, to tell it from a text."""


@lru_cache(maxsize=16)
def compiled_parts(
    channel: Channel, content: tuple[tuple[str, str], ...], liquid: bool, track_text: bool
) -> tuple[_Part, ...]:
    """The texts of a content, read: found again by the content itself."""
    given = {
        name: json.loads(value) if isinstance(value, _Frozen) else value for name, value in content
    }
    raw = given.get("mime")
    if isinstance(raw, str) and channel == "email":
        return (_mime_part(raw, liquid=liquid, track_text=track_text),)
    return tuple(
        _Part(text.path, text.markup, _read(text, liquid=liquid))
        for text in texts(channel, given, track_text=track_text)
    )


def _mime_part(raw: str, *, liquid: bool, track_text: bool) -> _Part:
    if liquid:
        raise InvalidRequest.of("liquid", "a MIME message is rendered already; send html and text")
    found = mime.read(raw, "content.mime", track_text=track_text)
    return _Part(("mime",), None, Rendered(found.text, found.places, found.blocks))


def links_of(planned_texts: Iterable[PlannedText]) -> Iterator[Link]:
    """Every link of a message, in the order of positions."""
    return (link for text in planned_texts for link in text.plan.links)


def _read(text: Text, *, liquid: bool) -> Rendered | Template:
    if liquid and is_liquid(text.source):
        return Template(text.markup, text.source, text.field)
    return Rendered(text.source, find_places(text.markup, text.source, text.field))


def _filled(value: Json, path: Path, values: Mapping[Path, str]) -> Json:
    match value:
        case str():
            return values[path]
        case dict():
            return {key: _filled(item, (*path, key), values) for key, item in value.items()}
        case list():
            return [_filled(item, (*path, i), values) for i, item in enumerate(value)]
        case _:
            return value


@dataclass(frozen=True, slots=True)
class Ready:
    """A recipient whose texts are rendered and planned."""

    recipient: Recipient
    query: Query
    texts: list[PlannedText]

    @property
    def known(self) -> bool:
        return self.recipient.person is not None

    @property
    def has_honeypot(self) -> bool:
        pixels = (text.plan.pixel for text in self.texts)
        return any(pixel is not None and pixel.honeypot for pixel in pixels)


def rendered(
    recipient: Recipient, request: Message, message: CompiledMessage, parameters: Parameters
) -> Ready:
    """Render the message for a recipient, and the workspace's parameters.

    :raises InvalidRequest: when their data does not do.
    """
    data = _data(recipient, request)
    return Ready(recipient, parameters.for_recipient(data), message.planned(data))


def _data(recipient: Recipient, request: Message) -> dict[str, object]:
    """What a recipient's data renders with: their own, and what we know besides."""
    data: dict[str, object] = dict(recipient.data)
    data.setdefault("campaign", {"name": request.campaign, "type": request.kind})
    data.setdefault("delivery_id", recipient.delivery)
    customer = data.get("customer", {})
    if recipient.person is not None and isinstance(customer, dict):
        data["customer"] = {"cio_id": recipient.person} | customer
    return data
