"""The tags of ours: ``cio_link``, and those by which a canvas learns where links stand.

Outputs, captures and static text are python-liquid's, told to the canvas.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TextIO, cast

from liquid import BoundTemplate, Node, RenderContext, Tag, Token, TokenStream
from liquid.builtin.content import ContentNode, Literal
from liquid.builtin.output import Output, OutputNode
from liquid.builtin.tags.capture_tag import CaptureNode
from liquid.builtin.tags.capture_tag import CaptureTag as PlainCaptureTag
from liquid.stringify import to_liquid_string
from liquid.token import TOKEN_CONTENT, TOKEN_EXPRESSION, TOKEN_TAG

from waypost.rewrite.links import cio_link
from waypost.rewriting.liquid.canvas import Canvas, MarkedText, SiteMark, TagMark
from waypost.rewriting.liquid.marking import MARK, LinkedText

if TYPE_CHECKING:
    from waypost.rewrite.liquid.environment import TemplateEnvironment


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
