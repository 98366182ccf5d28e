"""Decide if the links of a template can be located once, at compile time.

They can if each piece of Liquid has one context in the HTML, in text or in a quoted value, and all
tags of a block (if … else … endif) have the same one. Then every rendering is a sequence of pieces
that begin and end in that context, and its links are those of the template. A value that contains
the guard of its context (``<`` in text, the quote of its attribute) could change the markup, so the
links of that one message are located in the rendered text. In doubt the links are not static:
locating them in every rendered text is slower but always correct.

To find the contexts, each piece of Liquid is replaced by a numbered placeholder in the copy that
the parser gets. The parser's tree then shows in which text or comment a number is; values of
attributes are found by their offsets. The HTML in a conditional comment for Outlook is parsed
as a separate document.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from turbohtml import Comment, Element

from waypost.rewrite.links.html import HtmlTree, locate_attribute_value, parse_html
from waypost.rewrite.links.placeholders import (
    LIQUID_MARKER,
    decode_placeholder,
    encode_placeholder,
    mask_marker,
    replace_spans,
)
from waypost.rewrite.liquid.scanner import LiquidScan, LiquidSpan

_ContextType = Literal["text", "raw", "comment", '"', "'"]

_QUOTES: dict[str, _ContextType] = {'"': '"', "'": "'"}
_RAW_ELEMENTS = "script,style,title,textarea,xmp,iframe,noembed,noframes"
# Attributes with the options of a link, which must be equal for all recipients.
_LINK_OPTION_ATTRIBUTES = {"class", "data-cio-tag"}
# Elements in which the data of a recipient can decide if content is a link.
_UNSTABLE_ELEMENTS = re.compile(r"<(?:frameset|select|svg|math|template|plaintext)", re.IGNORECASE)
_STATIC_TAGS = {
    *("if", "unless", "elsif", "else", "endif", "endunless", "case", "when", "endcase"),
    *("for", "endfor", "break", "continue", "assign", "capture", "endcapture"),
    *("raw", "endraw", "cio_link", "#"),
}
_BLOCK_TAGS = {"if", "unless", "case", "for", "capture"}
_BRANCH_TAGS = {"elsif", "else", "when"}
_JUMP_TAGS = {"break", "continue"}
_END_TAGS = {f"end{name}" for name in _BLOCK_TAGS}
_PARTIAL_TAG = re.compile(r"<[/!]?[a-zA-Z\-]*$")
_ADJACENT_CHARACTERS: Final = 256
_GUARDS: dict[_ContextType, re.Pattern[str]] = {
    "text": re.compile(r"[<{]"),
    "raw": re.compile(r"[<>{]"),
    "comment": re.compile(r"[<>{!\-]"),
    '"': re.compile(r"[\"{]"),
    "'": re.compile(r"['{]"),
}
_OUTLOOK_GUARDS: dict[_ContextType, re.Pattern[str]] = {
    "text": re.compile(r"[<>{]"),
    "raw": re.compile(r"[<>{]"),
    "comment": re.compile(r"[<>{!\-]"),
    '"': re.compile(r"[\"<>{]"),
    "'": re.compile(r"['<>{]"),
}


@dataclass(frozen=True, slots=True)
class _LiquidContext:
    """The context of a piece of Liquid in the HTML."""

    context_type: _ContextType
    node_id: int = 0
    """Distinguishes elements, comments and values of one type."""
    outlook_offset: int | None = None
    """The offset of the conditional comment around it."""


class _OpenBlock(NamedTuple):
    """A block that has not ended, and whether all blocks around it have its context."""

    context: _LiquidContext
    is_uniform: bool

    def is_uniform_with(self, context: _LiquidContext) -> bool:
        return self.is_uniform and self.context == context


def build_value_guards(source: str, scan: LiquidScan) -> dict[int, re.Pattern[str]] | None:
    """Map the token offset of each piece of Liquid to the guard of its value.

    A value that matches its guard makes the links of its message dynamic. Returns None if the links
    of the template are never static.
    """
    if _UNSTABLE_ELEMENTS.search(source):
        return None
    contexts = _find_contexts(source, scan.spans)
    if contexts is None or not _has_static_blocks(scan.spans, contexts):
        return None
    guards = {}
    for span, context in zip(scan.spans, contexts, strict=True):
        if _can_join_markup(source, span, context):
            return None
        guards_by_type = _OUTLOOK_GUARDS if context.outlook_offset else _GUARDS
        guards[_locate_token(source, span)] = guards_by_type[context.context_type]
    return guards


def _locate_token(source: str, span: LiquidSpan) -> int:
    """Return the offset of a piece's token: of its braces, or of the name of a tag."""
    return source.index(span.name, span.start) if span.node_type == "tag" else span.start


def _find_contexts(source: str, spans: list[LiquidSpan]) -> list[_LiquidContext] | None:
    """Find the context of each piece, in order.

    Returns None if a piece has none of the contexts: it is inside a tag, in a value without quotes,
    or in an attribute with options of a link.
    """
    placeholders = (
        (span.start, span.end, encode_placeholder(number, LIQUID_MARKER))
        for number, span in enumerate(spans)
    )
    starts = [span.start for span in spans]
    contexts: dict[int, _LiquidContext | None] = {}
    masked_source = mask_marker(source, LIQUID_MARKER)
    for tree in parse_html(replace_spans(masked_source, placeholders)):
        for number, context in _find_tree_contexts(tree):
            contexts.setdefault(number, context)
        for number, value_context in _find_value_contexts(tree, source, spans, starts):
            contexts.setdefault(number, value_context)
    ordered = [known for number in range(len(spans)) if (known := contexts.get(number))]
    return ordered if len(ordered) == len(spans) else None


def _find_tree_contexts(tree: HtmlTree) -> Iterator[tuple[int, _LiquidContext]]:
    """Find the contexts in text and comments; raw text first, because it is also text."""
    document, outlook = tree.document, tree.outlook_offset
    for node_id, element in enumerate(document.select(_RAW_ELEMENTS)):
        for number in _parse_numbers(element.text):
            yield number, _LiquidContext("raw", node_id, outlook)
    comments = document.xpath_iter("//comment()[contains(., $mark)]", mark=LIQUID_MARKER)
    for node_id, comment in enumerate(comments):
        for number in _parse_numbers(comment.data if isinstance(comment, Comment) else ""):
            yield number, _LiquidContext("comment", node_id, outlook)
    for text in document.xpath_iter("//text()[contains(., $mark)]", mark=LIQUID_MARKER):
        for number in _parse_numbers(str(text)):
            yield number, _LiquidContext("text", 0, outlook)


def _parse_numbers(text: str) -> Iterator[int]:
    """Parse the numbers of the placeholders in a text."""
    for piece in text.split(LIQUID_MARKER)[:-1]:
        if len(piece) > 1:
            yield decode_placeholder(piece[-2:])


def _find_value_contexts(
    tree: HtmlTree, source: str, spans: list[LiquidSpan], starts: list[int]
) -> Iterator[tuple[int, _LiquidContext | None]]:
    for element in tree.document.xpath_iter("//*[@*[contains(., $mark)]]", mark=LIQUID_MARKER):
        location = element.source_location if isinstance(element, Element) else None
        attributes = location.attrs if location else {}
        for name, attribute in attributes.items():
            first = attribute.start_offset + tree.offset
            last = attribute.end_offset + tree.offset
            numbers = range(bisect_left(starts, first), bisect_left(starts, last))
            if not numbers:
                continue
            start, end, quote = locate_attribute_value(source, first, last)
            is_option = "href" in attributes and name in _LINK_OPTION_ATTRIBUTES
            context_type = None if is_option else _QUOTES.get(quote)
            for number in numbers:
                context = None
                if context_type and start <= spans[number].start and spans[number].end <= end:
                    context = _LiquidContext(context_type, start, tree.outlook_offset)
                yield number, context


def _has_static_blocks(spans: list[LiquidSpan], contexts: list[_LiquidContext]) -> bool:
    """Return True if every block begins, branches and ends in one context."""
    open_blocks: list[_OpenBlock] = []
    for span, context in zip(spans, contexts, strict=True):
        if span.node_type != "tag":
            continue
        if span.name not in _STATIC_TAGS:
            return False
        if span.name in _BLOCK_TAGS:
            is_uniform = not open_blocks or open_blocks[-1].is_uniform_with(context)
            open_blocks.append(_OpenBlock(context, is_uniform))
        elif span.name in _JUMP_TAGS:
            if open_blocks and not open_blocks[-1].is_uniform_with(context):
                return False
        elif span.name in _BRANCH_TAGS or span.name in _END_TAGS:
            if not open_blocks or open_blocks[-1].context != context:
                return False
            if span.name in _END_TAGS:
                open_blocks.pop()
    return True


def _can_join_markup(source: str, span: LiquidSpan, context: _LiquidContext) -> bool:
    """Return True if a value and the characters next to it could form markup."""
    before, after = _read_adjacent_text(source, span)
    if context.outlook_offset and after in ("-", ">"):
        return True
    match context.context_type:
        case "text":
            return before.endswith("<")
        case "raw":
            return _PARTIAL_TAG.search(before) is not None
        case "comment":
            return before[-1:] in ("-", "!", "<") or after in ("-", ">", "!")
        case _:
            return False


def _read_adjacent_text(source: str, span: LiquidSpan) -> tuple[str, str]:
    """Return the text before a piece and the character after it.

    Whitespace is skipped, because the dashes of the piece can remove it.
    """
    before = source[max(0, span.start - _ADJACENT_CHARACTERS) : span.start].rstrip()
    after = source[span.end : span.end + _ADJACENT_CHARACTERS].lstrip()
    return before[-16:] if before or not span.start else "<", after[:1]
