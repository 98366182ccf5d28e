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
from waypost.rewrite.link_rules import LinkDecision, LinkRules, decide_link
from waypost.rewrite.links import mime
from waypost.rewrite.links.channels import Channel, ContentPath, ContentText, Json, extract_texts
from waypost.rewrite.links.extractor import (
    HTML_LINKS,
    TEXT_LINKS,
    Markup,
    apply_anchor_options,
    find_links,
)
from waypost.rewrite.links.html import add_pixel
from waypost.rewrite.links.occurrence import (
    EncodedBlock,
    LinkOccurrence,
    RenderedText,
    TextTransform,
)
from waypost.rewrite.liquid.environment import is_liquid
from waypost.rewrite.liquid.template import LiquidTemplate
from waypost.rewrite.schemas import MessageRequest, RewriteRecipient
from waypost.rewrite.url_parameters import RecipientParameters, UrlParameters, UrlQueryBuilder


@dataclass(slots=True)  # frozen takes three times as long, forty times a message
class MessageLink:
    """A link of a message and what was decided about it. ``position`` counts from 1."""

    position: int
    identity: str
    url: str
    tag: str | None
    decision: LinkDecision


@dataclass(slots=True)  # frozen takes three times as long, forty times a message
class LinkSlot:
    """A segment of a text that is written anew for each recipient."""

    index: int
    """Its index among the segments."""
    link: MessageLink
    destination: UrlQueryBuilder
    encode: TextTransform
    encode_transfer: TextTransform
    original: str
    """What stands there when nothing is to be written."""


@dataclass(frozen=True, slots=True)
class PixelSlot:
    """A segment before which that stands which nobody sees: the image that tells of opens, and the
    link that only machines follow.
    """

    index: int
    original: str
    encode_transfer: TextTransform
    has_image: bool
    has_honeypot: bool


@dataclass(frozen=True, slots=True)
class EncodedRange:
    """Segments ``first`` to ``last`` that are encoded as one. ``text`` is what they were, written
    as ``original``.
    """

    first: int
    last: int
    text: str
    original: str
    encode: TextTransform


@dataclass(frozen=True, slots=True)
class TextPlan:
    """A text in segments; those of slots are empty."""

    chunks: list[str]
    tracked_slots: Sequence[LinkSlot]
    parameter_slots: Sequence[LinkSlot]
    """Links that are not tracked and still get the workspace's parameters."""
    links: Sequence[MessageLink]
    encoded_ranges: Sequence[EncodedRange] = ()
    pixel_slot: PixelSlot | None = None


def plan_text(
    text: str,
    occurrences: Sequence[LinkOccurrence],
    rules: LinkRules,
    first_position: int = 1,
    blocks: Sequence[EncodedBlock] = (),
) -> TextPlan:
    """Decide about every link of a text. ``places`` and ``blocks`` are in order and apart."""
    work = _TextPlanner(_TextSplitter(text), rules, first_position)
    encoded: list[EncodedRange] = []
    rest = list(occurrences)
    for block in blocks:
        inside = bisect_left(rest, block.start, key=lambda place: place.start)
        after = bisect_right(rest, block.end, key=lambda place: place.end)
        work.add_occurrences(rest[:inside])
        first = work.splitter.split(block.start)
        work.add_occurrences(rest[inside:after])
        last = work.splitter.split(block.end)
        content = text[block.start : block.end]
        encoded.append(EncodedRange(first, last, content, block.original, block.encode))
        rest = rest[after:]
    work.add_occurrences(rest)
    work.splitter.split(len(text))
    return TextPlan(
        chunks=work.splitter.chunks,
        tracked_slots=work.tracked_slots,
        parameter_slots=work.parameter_slots,
        links=work.links,
        encoded_ranges=encoded,
        pixel_slot=work.pixel_slot,
    )


@dataclass(slots=True)
class _TextPlanner:
    """What was decided about a text so far."""

    splitter: _TextSplitter
    rules: LinkRules
    position: int
    tracked_slots: list[LinkSlot] = field(default_factory=list)
    parameter_slots: list[LinkSlot] = field(default_factory=list)
    links: list[MessageLink] = field(default_factory=list)
    pixel_slot: PixelSlot | None = None
    """The last one: a message loads one image."""

    def add_occurrences(self, occurrences: Sequence[LinkOccurrence]) -> None:
        for place in occurrences:
            if place.find_pixel is not None:
                self._add_pixel_slot(place, place.find_pixel)
                continue
            verdict = decide_link(place, self.rules)
            link = MessageLink(self.position, place.identity, place.url, place.tag, verdict)
            self.position += 1
            self.links.append(link)
            self._add_link_slot(place, link)

    def _add_pixel_slot(
        self, occurrence: LinkOccurrence, find_existing_pixel: Callable[[], str]
    ) -> None:
        image = self.rules.needs_pixel(find_existing_pixel)
        honeypot = self.rules.track and self.rules.honeypot
        if image or honeypot:
            original = self.splitter.text[occurrence.start : occurrence.end]
            at = self.splitter.replace(occurrence, original)
            self.pixel_slot = PixelSlot(at, original, occurrence.encode_transfer, image, honeypot)

    def _add_link_slot(self, occurrence: LinkOccurrence, link: MessageLink) -> None:
        verdict = link.decision
        original = self.splitter.text[occurrence.start : occurrence.end]
        if occurrence.replacement is not None:
            original = occurrence.encode_transfer(occurrence.replacement)
        if verdict.is_tracked or verdict.has_parameters:
            destination = UrlQueryBuilder(verdict.destination)
            at = self.splitter.replace(occurrence, "")
            slot = LinkSlot(
                at, link, destination, occurrence.encode, occurrence.encode_transfer, original
            )
            (self.tracked_slots if verdict.is_tracked else self.parameter_slots).append(slot)
        elif occurrence.replacement is not None:
            self.splitter.replace(occurrence, original)


@dataclass(slots=True)
class _TextSplitter:
    """A text on its way into segments."""

    text: str
    offset: int = 0
    chunks: list[str] = field(default_factory=list)

    def replace(self, occurrence: LinkOccurrence, chunk: str) -> int:
        """Cut out a place and put a segment there; returns its index."""
        self.chunks += self.text[self.offset : occurrence.start], chunk
        self.offset = occurrence.end
        return len(self.chunks) - 1

    def split(self, end: int) -> int:
        """End a segment; returns the index of the next."""
        self.chunks.append(self.text[self.offset : end])
        self.offset = end
        return len(self.chunks)


@dataclass(frozen=True, slots=True)
class PlannedText:
    """One text of a message for one recipient, or for all."""

    path: ContentPath
    plan: TextPlan


@dataclass(frozen=True, slots=True)
class _CompiledText:
    """A text of the content: ready, with its places, or a template that gives them."""

    path: ContentPath
    markup: Markup | None
    """None for a MIME message, which has several."""
    content: RenderedText | LiquidTemplate

    def render(self, data: Mapping[str, object]) -> RenderedText:
        return (
            self.content.render(data) if isinstance(self.content, LiquidTemplate) else self.content
        )


class CompiledMessage:
    """A message that is stamped for any number of recipients."""

    def __init__(
        self, content: Mapping[str, Json], compiled_texts: Sequence[_CompiledText], rules: LinkRules
    ) -> None:
        self._content = content
        self._compiled_texts = compiled_texts
        self._rules = rules
        ready = not any(isinstance(part.content, LiquidTemplate) for part in compiled_texts)
        self._shared_plans = list(self._iter_plans({})) if ready else None

    @property
    def is_template(self) -> bool:
        """Whether recipients' messages differ in more than their tracking links."""
        return self._shared_plans is None

    def plan_texts(self, data: Mapping[str, object]) -> list[PlannedText]:
        """The message's texts for a recipient with this data.

        :raises InvalidRequest: when a template cannot be rendered with it.
        """
        return list(self._iter_plans(data)) if self._shared_plans is None else self._shared_plans

    def build_content(self, values: Mapping[ContentPath, str]) -> dict[str, Json]:
        """The content with its texts replaced."""
        return {name: _replace_texts(item, (name,), values) for name, item in self._content.items()}

    def _iter_plans(self, data: Mapping[str, object]) -> Iterator[PlannedText]:
        found = [part.render(data) for part in self._compiled_texts]
        anchors = [
            place
            for part, rendered in zip(self._compiled_texts, found, strict=True)
            if part.markup is HTML_LINKS
            for place in rendered.occurrences
        ]
        position = 1
        for part, rendered in zip(self._compiled_texts, found, strict=True):
            places = rendered.occurrences
            if part.markup is HTML_LINKS:
                places = add_pixel(places, rendered.text)
            if part.markup is TEXT_LINKS:
                places = apply_anchor_options(places, anchors)
            plan = plan_text(rendered.text, places, self._rules, position, rendered.blocks)
            position += len(plan.links)
            yield PlannedText(part.path, plan)


def compile_message(
    channel: Channel,
    content: Mapping[str, Json],
    rules: LinkRules,
    *,
    liquid: bool = False,
    track_text: bool = False,
) -> CompiledMessage:
    """Find the links of a message, or recall where they were found before.

    :raises InvalidRequest: naming the part of the content that cannot be read.
    """
    frozen = tuple(
        (name, value if isinstance(value, str) else _JsonText(json.dumps(value)))
        for name, value in content.items()
    )
    return CompiledMessage(content, compile_texts(channel, frozen, liquid, track_text), rules)


class _JsonText(str):
    """A value of a content as JSON, to tell it from a text."""


@lru_cache(maxsize=16)
def compile_texts(
    channel: Channel, content: tuple[tuple[str, str], ...], liquid: bool, track_text: bool
) -> tuple[_CompiledText, ...]:
    """The texts of a content, read: found again by the content itself."""
    given = {
        name: json.loads(value) if isinstance(value, _JsonText) else value
        for name, value in content
    }
    raw = given.get("mime")
    if isinstance(raw, str) and channel == "email":
        return (_compile_mime(raw, liquid=liquid, track_text=track_text),)
    return tuple(
        _CompiledText(text.path, text.markup, _compile_text(text, liquid=liquid))
        for text in extract_texts(channel, given, track_text=track_text)
    )


def _compile_mime(raw: str, *, liquid: bool, track_text: bool) -> _CompiledText:
    if liquid:
        raise InvalidRequest.from_field(
            "liquid", "a MIME message is rendered already; send html and text"
        )
    message = mime.parse_mime(raw, "content.mime", track_text=track_text)
    return _CompiledText(("mime",), None, message)


def iter_links(planned_texts: Iterable[PlannedText]) -> Iterator[MessageLink]:
    """Every link of a message, in the order of positions."""
    return (link for text in planned_texts for link in text.plan.links)


def _compile_text(text: ContentText, *, liquid: bool) -> RenderedText | LiquidTemplate:
    if liquid and is_liquid(text.source):
        return LiquidTemplate(text.markup, text.source, text.field)
    return RenderedText(text.source, find_links(text.markup, text.source, text.field))


def _replace_texts(value: Json, path: ContentPath, values: Mapping[ContentPath, str]) -> Json:
    match value:
        case str():
            return values[path]
        case dict():
            return {key: _replace_texts(item, (*path, key), values) for key, item in value.items()}
        case list():
            return [_replace_texts(item, (*path, i), values) for i, item in enumerate(value)]
        case _:
            return value


@dataclass(frozen=True, slots=True)
class RenderedRecipient:
    """A recipient whose texts are rendered and planned."""

    recipient: RewriteRecipient
    query: RecipientParameters
    texts: list[PlannedText]

    @property
    def has_person(self) -> bool:
        return self.recipient.person is not None

    @property
    def has_honeypot(self) -> bool:
        pixels = (text.plan.pixel_slot for text in self.texts)
        return any(pixel is not None and pixel.has_honeypot for pixel in pixels)


def render_recipient(
    recipient: RewriteRecipient,
    request: MessageRequest,
    message: CompiledMessage,
    parameters: UrlParameters,
) -> RenderedRecipient:
    """Render the message for a recipient, and the workspace's parameters.

    :raises InvalidRequest: when their data does not do.
    """
    data = _build_data(recipient, request)
    return RenderedRecipient(recipient, parameters.render(data), message.plan_texts(data))


def _build_data(recipient: RewriteRecipient, request: MessageRequest) -> dict[str, object]:
    """What a recipient's data renders with: their own, and what we know besides."""
    data: dict[str, object] = dict(recipient.data)
    data.setdefault("campaign", {"name": request.campaign, "type": request.kind})
    data.setdefault("delivery_id", recipient.delivery)
    customer = data.get("customer", {})
    if recipient.person is not None and isinstance(customer, dict):
        data["customer"] = {"cio_id": recipient.person} | customer
    return data
