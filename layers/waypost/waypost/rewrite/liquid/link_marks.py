"""Mark the links of a template, and follow the marks through rendering.

``insert_link_marks`` adds marks to the tokens of a template. No character of the template moves, so
python-liquid's offsets stay valid. A link without Liquid is recorded on the static text around it;
any other link is enclosed in two mark tags.

``register_link_tags`` replaces the parts of python-liquid that write text. They write into a
``LinkTrackingBuffer``, which records where each link is in the output. Captured text keeps its
links if it is output unchanged; a filter returns plain text without them. If a value contains a
character that could change the markup around it, the buffer's ``links_are_static`` becomes false.
"""

from __future__ import annotations

import re
import secrets
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from io import StringIO
from typing import Final, TextIO

from liquid import BoundTemplate, Environment, Node, RenderContext, Tag, Token, TokenStream
from liquid.builtin.content import ContentNode, Literal
from liquid.builtin.output import Output, OutputNode
from liquid.builtin.tags.capture_tag import CaptureNode, CaptureTag
from liquid.exceptions import OutputStreamLimitError
from liquid.stringify import to_liquid_string
from liquid.token import TOKEN_CONTENT, TOKEN_EXPRESSION, TOKEN_TAG

from waypost.rewrite.links.cio_link import CioLink, parse_cio_link, parse_flag
from waypost.rewrite.links.occurrence import LinkOccurrence, TextTransform
from waypost.rewrite.liquid.scanner import LiquidSpan

ValueGuards = Mapping[int, re.Pattern[str]]
"""By the offset of an output's token: a pattern of values that could change the markup."""

_MATCH_ANYTHING = re.compile("")
_MARK_NAME: Final = f"mark_{secrets.token_hex(8)}"
"""The name of the mark tags, which an author cannot guess."""


@dataclass(frozen=True, slots=True)
class TemplateLinkSpan:
    """The position of one of the template's links, by its index, in the output."""

    link_index: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class CioLinkSpan:
    """The position of a ``cio_link``'s url in the output, and its options. ``url`` is Liquid."""

    start: int
    end: int
    href: str
    url: str
    track: bool
    url_params: bool


LinkSpan = TemplateLinkSpan | CioLinkSpan


@dataclass(frozen=True, slots=True)
class TemplateLinks:
    """The links of a template, in order."""

    static_links: Sequence[TemplateLinkSpan]
    """Links without Liquid."""
    edges: Sequence[tuple[int, str]]
    """Offsets at which other links begin (``+3``) and end (``-3``)."""


NO_TEMPLATE_LINKS: Final = TemplateLinks((), ())


class LinkTrackingBuffer(StringIO):
    """The output of one rendering, limited to ``limit`` characters, and the links in it."""

    def __init__(self, limit: int, guards: ValueGuards) -> None:
        super().__init__(newline="")
        self.limit = limit
        self.guards = guards
        self.size = 0
        self.links_are_static = True
        self.link_spans: list[LinkSpan] = []
        self._open_links: dict[int, int] = {}

    def write(self, text: str) -> int:
        """Write text within the limit."""
        self.size += len(text)
        if self.size > self.limit:
            raise OutputStreamLimitError("output limit", token=None)
        return super().write(text)

    def create_child(self) -> LinkTrackingBuffer:
        """Create a buffer for captured text, within the rest of the limit."""
        return LinkTrackingBuffer(self.limit - self.size, self.guards)

    def write_value(self, text: str, offset: int) -> int:
        """Write the value of the output at an offset of the template, and record its links."""
        if isinstance(text, _CapturedText):
            self.link_spans += (
                replace(span, start=span.start + self.size, end=span.end + self.size)
                for span in text.link_spans
            )
        if self.guards.get(offset, _MATCH_ANYTHING).search(text):
            self.links_are_static = False
        return self.write(text)

    def add_static_links(self, links: Iterable[TemplateLinkSpan]) -> None:
        """Record the links of the static text that is written next."""
        self.link_spans += [
            TemplateLinkSpan(link.link_index, self.size + link.start, self.size + link.end)
            for link in links
        ]

    def begin_link(self, link_index: int) -> None:
        """Record the start of a link at the current position."""
        self._open_links[link_index] = self.size

    def end_link(self, link_index: int) -> None:
        """Record the end of a link at the current position."""
        start = self._open_links.pop(link_index, None)
        if start is not None:
            self.link_spans.append(TemplateLinkSpan(link_index, start, self.size))


def locate_template_links(
    occurrences: Sequence[LinkOccurrence], spans: Sequence[LiquidSpan]
) -> TemplateLinks:
    """Sort the links of a template, which do not overlap, into static links and edges.

    A link's index is its position in ``occurrences``. ``spans`` are in order.
    """
    starts = [span.start for span in spans]
    static_links: list[TemplateLinkSpan] = []
    edges: list[tuple[int, str]] = []
    for index, link in sorted(enumerate(occurrences), key=lambda indexed: indexed[1].start):
        if bisect_left(starts, link.start) == bisect_left(starts, link.end):
            static_links.append(TemplateLinkSpan(index, link.start, link.end))
        else:
            edges += (link.start, f"+{index}"), (link.end, f"-{index}")
    return TemplateLinks(static_links, edges)


def insert_link_marks(tokens: Iterator[Token], template_links: TemplateLinks) -> Iterator[Token]:
    """Insert marks into the tokens of a template."""
    edges, static_links = deque(template_links.edges), deque(template_links.static_links)
    source = ""
    for token in tokens:
        source = token.source
        if token.kind != TOKEN_CONTENT:
            while edges and edges[0][0] <= token.start_index:
                yield from _build_mark_tokens(source, *edges.popleft())
            yield token
            continue
        position = source.index(token.value, token.start_index)
        end = position + len(token.value)
        while edges and edges[0][0] <= end:
            offset, mark = edges.popleft()
            if position < offset:
                yield _build_content_token(source, position, offset, static_links)
                position = offset
            yield from _build_mark_tokens(source, offset, mark)
        if position < end:
            yield _build_content_token(source, position, end, static_links)
    while edges:
        yield from _build_mark_tokens(source, *edges.popleft())


def register_link_tags(
    environment: Environment, decode_arguments: TextTransform, encode: TextTransform
) -> None:
    """Register the tags that record links in a ``LinkTrackingBuffer``.

    ``decode_arguments`` reads the arguments of ``cio_link`` and ``encode`` writes its url.
    """
    for tag in (_LinkedContentTag, _GuardedOutputTag, _TrackingCaptureTag, _LinkMarkTag):
        environment.add_tag(tag)
    environment.tags[_CioLinkTag.name] = _CioLinkTag(environment, decode_arguments, encode)


class _CapturedText(str):
    """Captured text with its links."""

    link_spans: tuple[LinkSpan, ...] = ()

    @classmethod
    def from_buffer(cls, buffer: LinkTrackingBuffer) -> _CapturedText:
        text = cls(buffer.getvalue())
        text.link_spans = tuple(buffer.link_spans)
        return text


class _LinkedText(str):
    """Static text with its links."""

    link_spans: tuple[TemplateLinkSpan, ...] = ()

    @classmethod
    def from_text(cls, text: str, links: Sequence[TemplateLinkSpan]) -> _LinkedText:
        linked = cls(text)
        linked.link_spans = tuple(links)
        return linked


def _build_mark_tokens(source: str, offset: int, mark: str) -> tuple[Token, Token]:
    return (
        Token(TOKEN_TAG, _MARK_NAME, offset, source),
        Token(TOKEN_EXPRESSION, mark, offset, source),
    )


def _build_content_token(
    source: str, start: int, end: int, static_links: deque[TemplateLinkSpan]
) -> Token:
    """Build a token of static text, and take its links from ``static_links``."""
    links: list[TemplateLinkSpan] = []
    while static_links and static_links[0].end <= end:
        link = static_links.popleft()
        if link.start >= start:
            links.append(TemplateLinkSpan(link.link_index, link.start - start, link.end - start))
    text = source[start:end]
    value = _LinkedText.from_text(text, links) if links else text
    return Token(TOKEN_CONTENT, value, start, source)


class _LinkedContentNode(ContentNode):
    __slots__ = ("_links",)

    def __init__(self, token: Token, text: str, links: tuple[TemplateLinkSpan, ...]) -> None:
        super().__init__(token, text)
        self._links = links

    def render_to_output(self, _context: RenderContext, buffer: TextIO) -> int:
        if isinstance(buffer, LinkTrackingBuffer):
            buffer.add_static_links(self._links)
        return buffer.write(self.text)


class _LinkedContentTag(Literal):
    """Static text, which records its links."""

    def parse(self, stream: TokenStream) -> ContentNode:
        token = stream.expect(TOKEN_CONTENT)
        if isinstance(token.value, _LinkedText):
            return _LinkedContentNode(token, token.value, token.value.link_spans)
        return super().parse(stream)


class _GuardedOutputNode(OutputNode):
    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        text = to_liquid_string(self.expression.evaluate(context), autoescape=False)
        if isinstance(buffer, LinkTrackingBuffer):
            return buffer.write_value(text, self.token.start_index)
        return buffer.write(text)


class _GuardedOutputTag(Output):
    """``{{ … }}``, whose value is matched against its guard."""

    node_class = _GuardedOutputNode


class _TrackingCaptureNode(CaptureNode):
    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        if not isinstance(buffer, LinkTrackingBuffer):
            return super().render_to_output(context, buffer)
        child = buffer.create_child()
        self.block.render(context, child)
        context.assign(self.name, _CapturedText.from_buffer(child))
        return 0


class _TrackingCaptureTag(CaptureTag):
    """``{% capture %}``, whose text keeps its links."""

    node_class = _TrackingCaptureNode


class _LinkMarkNode(Node):
    def __init__(self, token: Token, link_index: int, *, is_start: bool) -> None:
        super().__init__(token)
        self._link_index = link_index
        self._is_start = is_start

    def render_to_output(self, _context: RenderContext, buffer: TextIO) -> int:
        if isinstance(buffer, LinkTrackingBuffer):
            record = buffer.begin_link if self._is_start else buffer.end_link
            record(self._link_index)
        return 0


class _LinkMarkTag(Tag):
    """The start (``+3``) or end (``-3``) of a link of the template."""

    name = _MARK_NAME
    block = False

    def parse(self, stream: TokenStream) -> Node:
        token = stream.eat(TOKEN_TAG)
        mark = stream.expect(TOKEN_EXPRESSION).value
        return _LinkMarkNode(token, int(mark[1:]), is_start=mark[0] == "+")


class _CioLinkNode(Node):
    def __init__(
        self, token: Token, link: CioLink, environment: Environment, encode: TextTransform
    ) -> None:
        super().__init__(token)
        self.blank = False
        self._link = link
        self._encode = encode
        self._arguments = tuple(
            environment.from_string(text) for text in (link.url, link.track, link.url_params)
        )

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        url, track, url_params = (_render_argument(part, context) for part in self._arguments)
        text = self._encode(url)
        if not isinstance(buffer, LinkTrackingBuffer):
            return buffer.write(text)
        start = buffer.size
        size = buffer.write_value(text, self.token.start_index)
        buffer.link_spans.append(
            CioLinkSpan(
                start=start,
                end=buffer.size,
                href=url,
                url=self._link.url,
                track=parse_flag("track", track, "content"),
                url_params=parse_flag("url_params", url_params, "content"),
            )
        )
        return size

    def children(
        self,
        static_context: RenderContext,  # noqa: ARG002
        *,
        include_partials: bool = True,  # noqa: ARG002
    ) -> Iterable[Node]:
        return [node for argument in self._arguments for node in argument.nodes]


def _render_argument(template: BoundTemplate, context: RenderContext) -> str:
    buffer = context.get_buffer()
    for node in template.nodes:
        node.render(context, buffer)
    return buffer.getvalue().strip()


class _CioLinkTag(Tag):
    """``{% cio_link url:… %}``, which writes its url and records it as a link."""

    name = "cio_link"
    block = False

    def __init__(
        self, environment: Environment, decode_arguments: TextTransform, encode: TextTransform
    ) -> None:
        super().__init__(environment)
        self._decode_arguments = decode_arguments
        self._encode = encode

    def parse(self, stream: TokenStream) -> Node:
        token = stream.eat(TOKEN_TAG)
        arguments = self._decode_arguments(stream.expect(TOKEN_EXPRESSION).value)
        link = parse_cio_link(arguments, "content")
        return _CioLinkNode(token, link, self.env, self._encode)
