"""Compile a message into static text and slots, and render it for a recipient.

``compile_message`` reads a message's texts once for all recipients. ``render_recipient`` gives one
recipient's texts as plans: chunks of static text, with a slot for each link that is rewritten.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from waypost.errors import InvalidRequest
from waypost.rewrite.link_rules import LinkDecision, LinkRules, decide_link
from waypost.rewrite.links import mime
from waypost.rewrite.links.channels import (
    Channel,
    ContentPath,
    ContentText,
    Json,
    extract_texts,
    format_content_path,
)
from waypost.rewrite.links.extractor import (
    HTML_LINKS,
    TEXT_LINKS,
    Markup,
    apply_anchor_options,
    scan_links,
)
from waypost.rewrite.links.html import add_pixel
from waypost.rewrite.links.occurrence import (
    EncodedBlock,
    LinkOccurrence,
    RenderedText,
    TextTransform,
)
from waypost.rewrite.liquid.environment import is_liquid
from waypost.rewrite.liquid.runtime import WorkBudget
from waypost.rewrite.liquid.template import LiquidTemplate
from waypost.rewrite.schemas import MessageRequest, RewriteRecipient
from waypost.rewrite.url_parameters import RecipientParameters, UrlParameters, UrlQueryBuilder

MAX_TAG_LENGTH: Final = 255
"""Characters of a ``data-cio-tag``."""
MAX_TAG_WARNINGS: Final = 100
"""Texts of a message that get a warning about their tags."""
MAX_LINKS: Final = 10_000
"""Links of a message, with those that stay as they are."""


@dataclass(slots=True)  # frozen takes three times as long, forty times a message
class MessageLink:
    """A link of a message and the decision about it. ``position`` counts from 1."""

    position: int
    identity: str
    url: str
    tag: str | None
    decision: LinkDecision
    is_from_data: bool = False


@dataclass(slots=True)  # frozen takes three times as long, forty times a message
class LinkSlot:
    """A chunk of a text that each recipient's link fills."""

    index: int
    """Index of its chunk."""
    link: MessageLink
    destination: UrlQueryBuilder
    encode: TextTransform
    encode_transfer: TextTransform
    original: str
    """The chunk's text if nothing fills it."""


@dataclass(frozen=True, slots=True)
class PixelSlot:
    """A chunk before which the open pixel and the honeypot link are inserted."""

    index: int
    original: str
    encode_transfer: TextTransform
    has_image: bool
    has_honeypot: bool


@dataclass(frozen=True, slots=True)
class EncodedRange:
    """Chunks ``first`` up to ``last`` that are encoded as one block.

    ``text`` is the block's decoded text in the source, ``original`` its encoded form.
    """

    first: int
    last: int
    text: str
    original: str
    encode: TextTransform


@dataclass(frozen=True, slots=True)
class TextPlan:
    """A text in chunks; those of link slots are empty."""

    chunks: list[str]
    tracked_slots: Sequence[LinkSlot]
    parameter_slots: Sequence[LinkSlot]
    """Links that are not tracked but get the workspace's parameters."""
    links: Sequence[MessageLink]
    encoded_ranges: Sequence[EncodedRange] = ()
    pixel_slot: PixelSlot | None = None


@dataclass(frozen=True, slots=True)
class PlannedText:
    """The plan of one text of the content."""

    path: ContentPath
    plan: TextPlan


def iter_links(texts: Iterable[PlannedText]) -> Iterator[MessageLink]:
    """Iterate over the links of a message, by position."""
    return (link for text in texts for link in text.plan.links)


@dataclass(frozen=True, slots=True)
class _CompiledText:
    """A text of the content: with its links located, or as a template."""

    path: ContentPath
    markup: Markup | None
    """None for a MIME message, which has several."""
    content: RenderedText | LiquidTemplate

    def render(self, data: Mapping[str, object], budget: WorkBudget) -> RenderedText:
        if isinstance(self.content, LiquidTemplate):
            return self.content.render(data, budget)
        return self.content

    def list_warnings(self) -> Sequence[str]:
        return self.content.warnings if isinstance(self.content, RenderedText) else ()


def _limit_warnings(warnings: Sequence[str]) -> Sequence[str]:
    excess = len(warnings) - MAX_TAG_WARNINGS
    if excess <= 0:
        return warnings
    return [
        *warnings[:MAX_TAG_WARNINGS],
        f"content has more texts with cio_link tags that stay as they are ({excess:,})",
    ]


class CompiledMessage:
    """A message that is ready to be planned for any number of recipients.

    ``warnings`` are about tags that stay as they are.
    """

    def __init__(
        self, content: Mapping[str, Json], texts: Sequence[_CompiledText], rules: LinkRules
    ) -> None:
        self._content = content
        self._texts = texts
        self._rules = rules
        self.warnings = _limit_warnings(
            [warning for text in texts for warning in text.list_warnings()]
        )
        is_template = any(isinstance(text.content, LiquidTemplate) for text in texts)
        self._shared_plans = None if is_template else list(self._iter_plans({}, WorkBudget()))

    @property
    def is_template(self) -> bool:
        """Recipients' messages differ in more than their tracking links."""
        return self._shared_plans is None

    def plan_texts(self, data: Mapping[str, object], budget: WorkBudget) -> list[PlannedText]:
        """Plan the message's texts for a recipient with this data.

        :raises InvalidRequest: if a template cannot be rendered with it.
        """
        if self._shared_plans is None:
            return list(self._iter_plans(data, budget))
        return self._shared_plans

    def build_content(self, texts: Mapping[ContentPath, str]) -> dict[str, Json]:
        """Build the content with its texts replaced."""
        return {name: _replace_texts(item, (name,), texts) for name, item in self._content.items()}

    def _iter_plans(self, data: Mapping[str, object], budget: WorkBudget) -> Iterator[PlannedText]:
        rendered_texts = [text.render(data, budget) for text in self._texts]
        anchors = [
            occurrence
            for text, rendered in zip(self._texts, rendered_texts, strict=True)
            if text.markup is HTML_LINKS
            for occurrence in rendered.occurrences
        ]
        position = 1
        for text, rendered in zip(self._texts, rendered_texts, strict=True):
            occurrences = rendered.occurrences
            if text.markup is HTML_LINKS:
                occurrences = add_pixel(occurrences, rendered.text)
            if text.markup is TEXT_LINKS:
                occurrences = apply_anchor_options(occurrences, anchors)
            _check_link_count(position - 1 + len(rendered.occurrences), text.path)
            _check_tags(occurrences, text.path)
            plan = _plan_text(rendered.text, occurrences, self._rules, position, rendered.blocks)
            position += len(plan.links)
            yield PlannedText(text.path, plan)


def _check_link_count(count: int, path: ContentPath) -> None:
    """Refuse too many links of a message. Raises InvalidRequest, naming the text that exceeds."""
    if count > MAX_LINKS:
        reason = f"has {count:,} links; at most {MAX_LINKS:,} are allowed"
        raise InvalidRequest.from_field(format_content_path(path), reason)


def _check_tags(occurrences: Iterable[LinkOccurrence], path: ContentPath) -> None:
    """Refuse a tag that is too long to group links by it.

    :raises InvalidRequest: naming the text.
    """
    for occurrence in occurrences:
        if occurrence.tag is not None and len(occurrence.tag) > MAX_TAG_LENGTH:
            start, length = occurrence.tag[:40], len(occurrence.tag)
            raise InvalidRequest.from_field(
                format_content_path(path),
                f"has a data-cio-tag of more than {MAX_TAG_LENGTH} characters "
                f"({length:,}: {start!r}…)",
            )


def compile_message(
    channel: Channel,
    content: Mapping[str, Json],
    rules: LinkRules,
    *,
    liquid: bool = False,
    track_text: bool = False,
    tags: bool = True,
) -> CompiledMessage:
    """Locate the links of a message; content that was compiled recently is not parsed again.

    :raises InvalidRequest: naming the field of the content that cannot be read.
    """
    cache_key = tuple(
        (name, value if isinstance(value, str) else _JsonText(json.dumps(value)))
        for name, value in content.items()
    )
    texts = _compile_texts(channel, cache_key, liquid, track_text, tags)
    return CompiledMessage(content, texts, rules)


class _JsonText(str):
    """A value of the content as JSON, to distinguish it from a text."""


@lru_cache(maxsize=16)
def _compile_texts(
    channel: Channel,
    content: tuple[tuple[str, str], ...],
    liquid: bool,
    track_text: bool,
    tags: bool,
) -> tuple[_CompiledText, ...]:
    forms = {
        name: json.loads(value) if isinstance(value, _JsonText) else value
        for name, value in content
    }
    raw = forms.get("mime")
    if isinstance(raw, str) and channel == "email":
        return (_compile_mime(raw, liquid=liquid, track_text=track_text, tags=tags),)
    return tuple(
        _CompiledText(text.path, text.markup, _compile_text(text, liquid=liquid, tags=tags))
        for text in extract_texts(channel, forms, track_text=track_text)
    )


def _compile_mime(raw: str, *, liquid: bool, track_text: bool, tags: bool) -> _CompiledText:
    if liquid:
        raise InvalidRequest.from_field(
            "liquid", "a MIME message is rendered already; send html and text"
        )
    message = mime.parse_mime(raw, "content.mime", track_text=track_text, interpret_tags=tags)
    return _CompiledText(("mime",), None, message)


def _compile_text(text: ContentText, *, liquid: bool, tags: bool) -> RenderedText | LiquidTemplate:
    if liquid and is_liquid(text.source):
        return LiquidTemplate(text.markup, text.source, text.field, allow_tags=tags)
    scan = scan_links(text.markup, text.source, interpret_tags=tags)
    return RenderedText(text.source, scan.occurrences, warnings=scan.list_warnings(text.field))


def _replace_texts(value: Json, path: ContentPath, texts: Mapping[ContentPath, str]) -> Json:
    match value:
        case str():
            return texts[path]
        case dict():
            return {key: _replace_texts(item, (*path, key), texts) for key, item in value.items()}
        case list():
            return [_replace_texts(item, (*path, i), texts) for i, item in enumerate(value)]
        case _:
            return value


@dataclass(frozen=True, slots=True)
class RenderedRecipient:
    """A recipient with their rendered parameters and planned texts."""

    recipient: RewriteRecipient
    parameters: RecipientParameters
    texts: list[PlannedText]

    @property
    def has_person(self) -> bool:
        return self.recipient.person is not None

    @property
    def has_honeypot(self) -> bool:
        slots = (text.plan.pixel_slot for text in self.texts)
        return any(slot is not None and slot.has_honeypot for slot in slots)


def render_recipient(
    recipient: RewriteRecipient,
    request: MessageRequest,
    message: CompiledMessage,
    parameters: UrlParameters,
) -> RenderedRecipient:
    """Render the message and the workspace's parameters for a recipient.

    :raises InvalidRequest: if a template or a parameter cannot be rendered with their data.
    """
    data, budget = _build_data(recipient, request), WorkBudget()
    return RenderedRecipient(
        recipient, parameters.render(data, budget), message.plan_texts(data, budget)
    )


def _build_data(recipient: RewriteRecipient, request: MessageRequest) -> dict[str, object]:
    """Build a recipient's template data: their own, then the message's and person's ids."""
    data: dict[str, object] = dict(recipient.data)
    data.setdefault("campaign", {"name": request.campaign, "type": request.kind})
    data.setdefault("delivery_id", recipient.delivery)
    customer = data.get("customer", {})
    if recipient.person is not None and isinstance(customer, dict):
        data["customer"] = {"cio_id": recipient.person} | customer
    return data


def _plan_text(
    text: str,
    occurrences: Sequence[LinkOccurrence],
    rules: LinkRules,
    first_position: int,
    blocks: Sequence[EncodedBlock],
) -> TextPlan:
    """Decide about each link of a text and cut out those that change.

    ``occurrences`` and ``blocks`` are sorted and do not overlap.
    """
    planner = _TextPlanner(_TextSplitter(text), rules, first_position)
    splitter = planner.splitter
    ranges: list[EncodedRange] = []
    done = 0
    for block in blocks:
        inside = bisect_left(occurrences, block.start, done, key=lambda each: each.start)
        after = bisect_right(occurrences, block.end, inside, key=lambda each: each.end)
        planner.add_occurrences(occurrences[done:inside])
        first = splitter.split(block.start)
        planner.add_occurrences(occurrences[inside:after])
        last = splitter.split(block.end)
        content = text[block.start : block.end]
        ranges.append(EncodedRange(first, last, content, block.original, block.encode))
        done = after
    planner.add_occurrences(occurrences[done:])
    splitter.split(len(text))
    return TextPlan(
        chunks=splitter.chunks,
        tracked_slots=planner.tracked_slots,
        parameter_slots=planner.parameter_slots,
        links=planner.links,
        encoded_ranges=ranges,
        pixel_slot=planner.pixel_slot,
    )


@dataclass(slots=True)
class _TextSplitter:
    """Cuts a text into chunks, from its beginning to its end."""

    text: str
    offset: int = 0
    chunks: list[str] = field(default_factory=list)

    def replace(self, occurrence: LinkOccurrence, chunk: str) -> int:
        """Replace an occurrence with a chunk; return the chunk's index."""
        self.chunks += self.text[self.offset : occurrence.start], chunk
        self.offset = occurrence.end
        return len(self.chunks) - 1

    def split(self, end: int) -> int:
        """End a chunk; return the index of the next."""
        self.chunks.append(self.text[self.offset : end])
        self.offset = end
        return len(self.chunks)


@dataclass(slots=True)
class _TextPlanner:
    """Decides about the links of a text, one after the other."""

    splitter: _TextSplitter
    rules: LinkRules
    position: int
    tracked_slots: list[LinkSlot] = field(default_factory=list)
    parameter_slots: list[LinkSlot] = field(default_factory=list)
    links: list[MessageLink] = field(default_factory=list)
    pixel_slot: PixelSlot | None = None
    """The last one: a message loads one image."""

    def add_occurrences(self, occurrences: Sequence[LinkOccurrence]) -> None:
        for occurrence in occurrences:
            if occurrence.find_pixel is not None:
                self._add_pixel_slot(occurrence, occurrence.find_pixel)
                continue
            decision = decide_link(occurrence, self.rules)
            link = MessageLink(
                self.position,
                occurrence.identity,
                occurrence.url,
                occurrence.tag,
                decision,
                occurrence.is_from_data,
            )
            self.position += 1
            self.links.append(link)
            self._add_link_slot(occurrence, link)

    def _add_pixel_slot(
        self, occurrence: LinkOccurrence, find_existing_pixel: Callable[[], str]
    ) -> None:
        has_image = self.rules.needs_pixel(find_existing_pixel)
        has_honeypot = self.rules.track and self.rules.honeypot
        if has_image or has_honeypot:
            original = self.splitter.text[occurrence.start : occurrence.end]
            index = self.splitter.replace(occurrence, original)
            self.pixel_slot = PixelSlot(
                index, original, occurrence.encode_transfer, has_image, has_honeypot
            )

    def _add_link_slot(self, occurrence: LinkOccurrence, link: MessageLink) -> None:
        decision = link.decision
        original = self.splitter.text[occurrence.start : occurrence.end]
        if occurrence.replacement is not None:
            original = occurrence.encode_transfer(occurrence.replacement)
        if decision.is_tracked or decision.has_parameters:
            slot = LinkSlot(
                index=self.splitter.replace(occurrence, ""),
                link=link,
                destination=UrlQueryBuilder(decision.destination),
                encode=occurrence.encode,
                encode_transfer=occurrence.encode_transfer,
                original=original,
            )
            (self.tracked_slots if decision.is_tracked else self.parameter_slots).append(slot)
        elif occurrence.replacement is not None:
            self.splitter.replace(occurrence, original)
