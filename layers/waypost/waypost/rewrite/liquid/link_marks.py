"""The tags of ours: ``cio_link``, and those by which a canvas learns where links stand.

Outputs, captures and static text are python-liquid's, told to the canvas.

What a template is rendered onto: text that remembers where its links came to stand.

Marks travel with text that is captured into a variable and put out as it is; a filter makes plain
text of it. ``steady`` falls when a value came in that could change how the text around it reads.

Puts marks among a template's tokens: where its links begin and end.

No character of the template moves, so python-liquid knows every piece by its own offset. A link
without Liquid in it is noted on the static text around it; others stand between two tags.
"""

from __future__ import annotations

import re
import secrets
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from io import StringIO
from typing import TYPE_CHECKING, Final, TextIO, cast

from liquid import BoundTemplate, Node, RenderContext, Tag, Token, TokenStream
from liquid.builtin.content import ContentNode, Literal
from liquid.builtin.output import Output, OutputNode
from liquid.builtin.tags.capture_tag import CaptureNode
from liquid.builtin.tags.capture_tag import CaptureTag as PlainCaptureTag
from liquid.exceptions import OutputStreamLimitError
from liquid.stringify import to_liquid_string
from liquid.token import TOKEN_CONTENT, TOKEN_EXPRESSION, TOKEN_TAG

from waypost.rewrite.links import cio_link
from waypost.rewrite.links.occurrence import LinkOccurrence
from waypost.rewrite.liquid.scanner import LiquidSpan

if TYPE_CHECKING:
    from waypost.rewrite.liquid.environment import TemplateEnvironment


MATCH_ANYTHING = re.compile("")
ValueGuards = Mapping[int, re.Pattern[str]]
"""By the offset of an output: what its value must not hold."""


@dataclass(frozen=True, slots=True)
class TemplateLinkSpan:
    """A link of the template, by its number, and where it came to stand."""

    link_index: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class CioLinkSpan:
    """A ``cio_link``: where its url came to stand, and what it asks for. ``url`` is Liquid."""

    start: int
    end: int
    href: str
    url: str
    track: bool
    url_params: bool


LinkSpan = TemplateLinkSpan | CioLinkSpan


class CapturedText(str):
    """Captured text with its marks."""

    link_spans: tuple[LinkSpan, ...] = ()

    @classmethod
    def from_buffer(cls, buffer: LinkTrackingBuffer) -> CapturedText:
        text = cls(buffer.getvalue())
        text.link_spans = tuple(buffer.link_spans)
        return text


class LinkTrackingBuffer(StringIO):
    """The output of one rendering, of at most ``limit`` characters."""

    def __init__(self, limit: int, guards: ValueGuards) -> None:
        super().__init__(newline="")
        self.limit = limit
        self.guards = guards
        self.size = 0
        self.links_are_static = True
        self.link_spans: list[LinkSpan] = []
        self._open_links: dict[int, int] = {}

    def write(self, text: str) -> int:
        self.size += len(text)
        if self.size > self.limit:
            raise OutputStreamLimitError("output limit", token=None)
        return super().write(text)

    def create_child(self) -> LinkTrackingBuffer:
        """A canvas for a part that is not put out yet, within what is left of the limit."""
        return LinkTrackingBuffer(self.limit - self.size, self.guards)

    def write_value(self, text: str, offset: int) -> int:
        """Write the value of the output at an offset of the template, and its marks."""
        if isinstance(text, CapturedText):
            self.link_spans += (_shift_span(mark, self.size) for mark in text.link_spans)
        if self.guards.get(offset, MATCH_ANYTHING).search(text):
            self.links_are_static = False
        return self.write(text)

    def add_static_links(self, links: Iterable[TemplateLinkSpan]) -> None:
        """What is written next is static text with these links in it."""
        at = self.size
        self.link_spans += [
            TemplateLinkSpan(link.link_index, at + link.start, at + link.end) for link in links
        ]

    def begin_link(self, link_index: int) -> None:
        """Here a link of the template begins."""
        self._open_links[link_index] = self.size

    def end_link(self, link_index: int) -> None:
        """Here it ends."""
        start = self._open_links.pop(link_index, None)
        if start is not None:
            self.link_spans.append(TemplateLinkSpan(link_index, start, self.size))


def _shift_span(span: LinkSpan, shift: int) -> LinkSpan:
    return replace(span, start=span.start + shift, end=span.end + shift)


LINK_MARK_NAME = f"mark_{secrets.token_hex(8)}"
"""The name of the tags: none that an author can guess."""


class LinkedText(str):
    """Static text, and the links that stand in it."""

    link_spans: tuple[TemplateLinkSpan, ...] = ()

    @classmethod
    def from_text(cls, text: str, links: Sequence[TemplateLinkSpan]) -> LinkedText:
        linked = cls(text)
        linked.link_spans = tuple(links)
        return linked


@dataclass(frozen=True, slots=True)
class TemplateLinks:
    """The links of a template, by their numbers. ``fixed``: those without Liquid. ``edges``: where
    others begin (``+3``) and end (``-3``). All in order.
    """

    static_links: Sequence[TemplateLinkSpan]
    edges: Sequence[tuple[int, str]]


NO_TEMPLATE_LINKS: Final = TemplateLinks((), ())


def locate_template_links(
    occurrences: Sequence[LinkOccurrence], spans: Sequence[LiquidSpan]
) -> TemplateLinks:
    """The marks of links that are apart, in any order; ``spans`` are in theirs."""
    starts = [span.start for span in spans]
    fixed: list[TemplateLinkSpan] = []
    edges: list[tuple[int, str]] = []
    for number, site in sorted(enumerate(occurrences), key=lambda numbered: numbered[1].start):
        if bisect_left(starts, site.start) == bisect_left(starts, site.end):
            fixed.append(TemplateLinkSpan(number, site.start, site.end))
        else:
            edges += (site.start, f"+{number}"), (site.end, f"-{number}")
    return TemplateLinks(fixed, edges)


def insert_link_marks(tokens: Iterator[Token], template_links: TemplateLinks) -> Iterator[Token]:
    """A template's tokens with marks among them."""
    edges, fixed = deque(template_links.edges), deque(template_links.static_links)
    source = ""
    for token in tokens:
        source = token.source
        if token.kind != TOKEN_CONTENT:
            while edges and edges[0][0] <= token.start_index:
                yield from _build_mark_tokens(source, *edges.popleft())
            yield token
            continue
        at = source.index(token.value, token.start_index)
        end = at + len(token.value)
        while edges and edges[0][0] <= end:
            offset, name = edges.popleft()
            if at < offset:
                yield _build_content_token(source, at, offset, fixed)
                at = offset
            yield from _build_mark_tokens(source, offset, name)
        if at < end:
            yield _build_content_token(source, at, end, fixed)
    while edges:
        yield from _build_mark_tokens(source, *edges.popleft())


def _build_mark_tokens(source: str, offset: int, name: str) -> tuple[Token, Token]:
    return Token(TOKEN_TAG, LINK_MARK_NAME, offset, source), Token(
        TOKEN_EXPRESSION, name, offset, source
    )


def _build_content_token(
    source: str, start: int, end: int, static_links: deque[TemplateLinkSpan]
) -> Token:
    """Static text, with the links in it taken from ``fixed``."""
    links: list[TemplateLinkSpan] = []
    while static_links and static_links[0].end <= end:
        link = static_links.popleft()
        if link.start >= start:
            links.append(TemplateLinkSpan(link.link_index, link.start - start, link.end - start))
    text = source[start:end]
    return Token(TOKEN_CONTENT, LinkedText.from_text(text, links) if links else text, start, source)


class _GuardedOutputNode(OutputNode):
    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        text = to_liquid_string(self.expression.evaluate(context), autoescape=False)
        if isinstance(buffer, LinkTrackingBuffer):
            return buffer.write_value(text, self.token.start_index)
        return buffer.write(text)


class OutputTag(Output):
    """``{{ … }}``: values are held against what may stand there."""

    node_class = _GuardedOutputNode


class _LinkedContentNode(ContentNode):
    __slots__ = ("_links",)

    def __init__(self, token: Token, text: str, links: tuple[TemplateLinkSpan, ...]) -> None:
        super().__init__(token, text)
        self._links = links

    def render_to_output(self, _context: RenderContext, buffer: TextIO) -> int:
        if isinstance(buffer, LinkTrackingBuffer):
            buffer.add_static_links(self._links)
        return buffer.write(self.text)


class ContentTag(Literal):
    """Static text: where links stand in it is noted."""

    def parse(self, stream: TokenStream) -> ContentNode:
        token = stream.expect(TOKEN_CONTENT)
        if isinstance(token.value, LinkedText):
            return _LinkedContentNode(token, token.value, token.value.link_spans)
        return super().parse(stream)


class _TrackingCaptureNode(CaptureNode):
    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        if not isinstance(buffer, LinkTrackingBuffer):
            return super().render_to_output(context, buffer)
        part = buffer.create_child()
        self.block.render(context, part)
        context.assign(self.name, CapturedText.from_buffer(part))
        return 0


class CaptureTag(PlainCaptureTag):
    """``{% capture %}``: the captured text keeps its marks."""

    node_class = _TrackingCaptureNode


class _LinkMarkNode(Node):
    def __init__(self, token: Token, link_index: int, *, is_start: bool) -> None:
        super().__init__(token)
        self._link_index = link_index
        self._is_start = is_start

    def render_to_output(self, _context: RenderContext, buffer: TextIO) -> int:
        if isinstance(buffer, LinkTrackingBuffer):
            (buffer.begin_link if self._is_start else buffer.end_link)(self._link_index)
        return 0


class LinkMarkTag(Tag):
    """Where a link of the template begins (``+3``) or ends (``-3``)."""

    name = LINK_MARK_NAME
    block = False

    def parse(self, stream: TokenStream) -> Node:
        token = stream.eat(TOKEN_TAG)
        text = stream.expect(TOKEN_EXPRESSION).value
        return _LinkMarkNode(token, int(text[1:]), is_start=text[0] == "+")


class _CioLinkNode(Node):
    def __init__(
        self, token: Token, tag: cio_link.CioLink, environment: TemplateEnvironment
    ) -> None:
        super().__init__(token)
        self.blank = False
        self._tag = tag
        self._environment = environment
        self._parts = tuple(
            environment.from_string(text) for text in (tag.url, tag.track, tag.url_params)
        )

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        url, track, url_params = (self._render_part(part, context) for part in self._parts)
        text = self._environment.encode(url)
        if not isinstance(buffer, LinkTrackingBuffer):
            return buffer.write(text)
        start = buffer.size
        written = buffer.write_value(text, self.token.start_index)
        buffer.link_spans.append(
            CioLinkSpan(
                start=start,
                end=buffer.size,
                href=url,
                url=self._tag.url,
                track=cio_link.parse_flag("track", track, "content"),
                url_params=cio_link.parse_flag("url_params", url_params, "content"),
            )
        )
        return written

    def _render_part(self, part: BoundTemplate, context: RenderContext) -> str:
        buffer = context.get_buffer()
        for node in part.nodes:
            node.render(context, buffer)
        return buffer.getvalue().strip()

    def children(
        self,
        static_context: RenderContext,  # noqa: ARG002
        *,
        include_partials: bool = True,  # noqa: ARG002
    ) -> Iterable[Node]:
        return [node for part in self._parts for node in part.nodes]


class CioLinkTag(Tag):
    """``{% cio_link url:… %}``: writes the url, and tells the canvas that it is to be tracked."""

    name = "cio_link"
    block = False

    def parse(self, stream: TokenStream) -> Node:
        environment = cast("TemplateEnvironment", self.env)
        token = stream.eat(TOKEN_TAG)
        arguments = environment.decode_arguments(stream.expect(TOKEN_EXPRESSION).value)
        return _CioLinkNode(token, cio_link.parse_cio_link(arguments, "content"), environment)
