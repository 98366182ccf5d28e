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
from waypost.rewrite.links.occurrence import Place
from waypost.rewrite.liquid.scanner import Span

if TYPE_CHECKING:
    from waypost.rewrite.liquid.environment import TemplateEnvironment


ANYTHING = re.compile("")
Guards = Mapping[int, re.Pattern[str]]
"""By the offset of an output: what its value must not hold."""


@dataclass(frozen=True, slots=True)
class SiteMark:
    """A link of the template, by its number, and where it came to stand."""

    site: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class TagMark:
    """A ``cio_link``: where its url came to stand, and what it asks for. ``url`` is Liquid."""

    start: int
    end: int
    href: str
    url: str
    track: bool
    url_params: bool


Mark = SiteMark | TagMark


class MarkedText(str):
    """Captured text with its marks."""

    marks: tuple[Mark, ...] = ()

    @classmethod
    def of(cls, canvas: Canvas) -> MarkedText:
        text = cls(canvas.getvalue())
        text.marks = tuple(canvas.marks)
        return text


class Canvas(StringIO):
    """The output of one rendering, of at most ``limit`` characters."""

    def __init__(self, limit: int, guards: Guards) -> None:
        super().__init__(newline="")
        self.limit = limit
        self.guards = guards
        self.size = 0
        self.steady = True
        self.marks: list[Mark] = []
        self._open: dict[int, int] = {}

    def write(self, text: str) -> int:
        self.size += len(text)
        if self.size > self.limit:
            raise OutputStreamLimitError("output limit", token=None)
        return super().write(text)

    def part(self) -> Canvas:
        """A canvas for a part that is not put out yet, within what is left of the limit."""
        return Canvas(self.limit - self.size, self.guards)

    def write_value(self, text: str, offset: int) -> int:
        """Write the value of the output at an offset of the template, and its marks."""
        if isinstance(text, MarkedText):
            self.marks += (_moved(mark, self.size) for mark in text.marks)
        if self.guards.get(offset, ANYTHING).search(text):
            self.steady = False
        return self.write(text)

    def note(self, links: Iterable[SiteMark]) -> None:
        """What is written next is static text with these links in it."""
        at = self.size
        self.marks += [SiteMark(link.site, at + link.start, at + link.end) for link in links]

    def begin(self, site: int) -> None:
        """Here a link of the template begins."""
        self._open[site] = self.size

    def end(self, site: int) -> None:
        """Here it ends."""
        start = self._open.pop(site, None)
        if start is not None:
            self.marks.append(SiteMark(site, start, self.size))


def _moved(mark: Mark, by: int) -> Mark:
    return replace(mark, start=mark.start + by, end=mark.end + by)


MARK = f"mark_{secrets.token_hex(8)}"
"""The name of the tags: none that an author can guess."""


class LinkedText(str):
    """Static text, and the links that stand in it."""

    links: tuple[SiteMark, ...] = ()

    @classmethod
    def of(cls, text: str, links: Sequence[SiteMark]) -> LinkedText:
        linked = cls(text)
        linked.links = tuple(links)
        return linked


@dataclass(frozen=True, slots=True)
class Marks:
    """The links of a template, by their numbers. ``fixed``: those without Liquid. ``edges``: where
    others begin (``+3``) and end (``-3``). All in order.
    """

    fixed: Sequence[SiteMark]
    edges: Sequence[tuple[int, str]]


NO_MARKS: Final = Marks((), ())


def marks_of(sites: Sequence[Place], spans: Sequence[Span]) -> Marks:
    """The marks of links that are apart, in any order; ``spans`` are in theirs."""
    starts = [span.start for span in spans]
    fixed: list[SiteMark] = []
    edges: list[tuple[int, str]] = []
    for number, site in sorted(enumerate(sites), key=lambda numbered: numbered[1].start):
        if bisect_left(starts, site.start) == bisect_left(starts, site.end):
            fixed.append(SiteMark(number, site.start, site.end))
        else:
            edges += (site.start, f"+{number}"), (site.end, f"-{number}")
    return Marks(fixed, edges)


def marked(tokens: Iterator[Token], marks: Marks) -> Iterator[Token]:
    """A template's tokens with marks among them."""
    edges, fixed = deque(marks.edges), deque(marks.fixed)
    source = ""
    for token in tokens:
        source = token.source
        if token.kind != TOKEN_CONTENT:
            while edges and edges[0][0] <= token.start_index:
                yield from _tag(source, *edges.popleft())
            yield token
            continue
        at = source.index(token.value, token.start_index)
        end = at + len(token.value)
        while edges and edges[0][0] <= end:
            offset, name = edges.popleft()
            if at < offset:
                yield _content(source, at, offset, fixed)
                at = offset
            yield from _tag(source, offset, name)
        if at < end:
            yield _content(source, at, end, fixed)
    while edges:
        yield from _tag(source, *edges.popleft())


def _tag(source: str, offset: int, name: str) -> tuple[Token, Token]:
    return Token(TOKEN_TAG, MARK, offset, source), Token(TOKEN_EXPRESSION, name, offset, source)


def _content(source: str, start: int, end: int, fixed: deque[SiteMark]) -> Token:
    """Static text, with the links in it taken from ``fixed``."""
    links: list[SiteMark] = []
    while fixed and fixed[0].end <= end:
        link = fixed.popleft()
        if link.start >= start:
            links.append(SiteMark(link.site, link.start - start, link.end - start))
    text = source[start:end]
    return Token(TOKEN_CONTENT, LinkedText.of(text, links) if links else text, start, source)


class _GuardedOutputNode(OutputNode):
    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        text = to_liquid_string(self.expression.evaluate(context), autoescape=False)
        if isinstance(buffer, Canvas):
            return buffer.write_value(text, self.token.start_index)
        return buffer.write(text)


class OutputTag(Output):
    """``{{ … }}``: values are held against what may stand there."""

    node_class = _GuardedOutputNode


class _LinkedContentNode(ContentNode):
    __slots__ = ("_links",)

    def __init__(self, token: Token, text: str, links: tuple[SiteMark, ...]) -> None:
        super().__init__(token, text)
        self._links = links

    def render_to_output(self, _context: RenderContext, buffer: TextIO) -> int:
        if isinstance(buffer, Canvas):
            buffer.note(self._links)
        return buffer.write(self.text)


class ContentTag(Literal):
    """Static text: where links stand in it is noted."""

    def parse(self, stream: TokenStream) -> ContentNode:
        token = stream.expect(TOKEN_CONTENT)
        if isinstance(token.value, LinkedText):
            return _LinkedContentNode(token, token.value, token.value.links)
        return super().parse(stream)


class _MarkedCaptureNode(CaptureNode):
    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        if not isinstance(buffer, Canvas):
            return super().render_to_output(context, buffer)
        part = buffer.part()
        self.block.render(context, part)
        context.assign(self.name, MarkedText.of(part))
        return 0


class CaptureTag(PlainCaptureTag):
    """``{% capture %}``: the captured text keeps its marks."""

    node_class = _MarkedCaptureNode


class _MarkNode(Node):
    def __init__(self, token: Token, site: int, *, begins: bool) -> None:
        super().__init__(token)
        self._site = site
        self._begins = begins

    def render_to_output(self, _context: RenderContext, buffer: TextIO) -> int:
        if isinstance(buffer, Canvas):
            (buffer.begin if self._begins else buffer.end)(self._site)
        return 0


class MarkTag(Tag):
    """Where a link of the template begins (``+3``) or ends (``-3``)."""

    name = MARK
    block = False

    def parse(self, stream: TokenStream) -> Node:
        token = stream.eat(TOKEN_TAG)
        text = stream.expect(TOKEN_EXPRESSION).value
        return _MarkNode(token, int(text[1:]), begins=text[0] == "+")


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
        url, track, url_params = (self._rendered(part, context) for part in self._parts)
        text = self._environment.encode(url)
        if not isinstance(buffer, Canvas):
            return buffer.write(text)
        start = buffer.size
        written = buffer.write_value(text, self.token.start_index)
        buffer.marks.append(
            TagMark(
                start=start,
                end=buffer.size,
                href=url,
                url=self._tag.url,
                track=cio_link.flag("track", track, "content"),
                url_params=cio_link.flag("url_params", url_params, "content"),
            )
        )
        return written

    def _rendered(self, part: BoundTemplate, context: RenderContext) -> str:
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
        arguments = environment.unescape(stream.expect(TOKEN_EXPRESSION).value)
        return _CioLinkNode(token, cio_link.parsed(arguments, "content"), environment)
