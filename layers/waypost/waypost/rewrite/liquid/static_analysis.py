"""Where each piece of a template's Liquid stands in its HTML: in text, in a value, in a comment.

The parser gets a copy in which every piece is numbered with characters of the private use area; its
tree then shows in which text or comment a number came to stand. Values of attributes are looked up
by their offsets. Conditional comments for Outlook are documents of their own.

Whether a template's links stand where they stand, whatever its data: only then may they be
found once, in the template, instead of in every rendered message.

Every piece of Liquid must stand in one place of the HTML, in text or inside a quoted value, and
what belongs together (if … else … endif) in the same one. Then any rendering is a row of pieces
that begin and end in that place, and its links are those of the template. What a value must not
hold there (a ``<`` in text, the quote of its attribute) is its guard; a value that does sends that
one message the slow way. Where in doubt the answer is no: the slow way is always right.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from turbohtml import Comment, Document, Element, parse

from waypost.rewrite.links.html import find_outlook_spans, find_value_span, number_comments
from waypost.rewrite.links.occurrence import mask_newlines
from waypost.rewrite.liquid.scanner import LiquidScan, LiquidSpan

ContextType = Literal["text", "raw", "comment", '"', "'"]

_QUOTES: dict[str, ContextType] = {'"': '"', "'": "'"}
_RAW = "script,style,title,textarea,xmp,iframe,noembed,noframes"
# Values that decide about a link: they have to be the same for everybody.
_LINK_OPTION_ATTRIBUTES = {"class", "data-cio-tag"}
_FIRST_DIGIT = 0xE000
_RADIX = 4096
_MARKERS = "".join(map(chr, range(0xF000, 0xF8FF)))


@dataclass(frozen=True, slots=True)
class LiquidContext:
    """A place of a document. ``part`` tells parts of one kind apart."""

    context_type: ContextType
    part: int = 0
    outlook_offset: int | None = None
    """The offset of the conditional comment around it."""


@dataclass(frozen=True, slots=True)
class _Document:
    """The document itself, or what stands in one of its conditional comments. ``shift``: its offset
    in the source.
    """

    tree: Document
    offset: int = 0
    outlook_offset: int | None = None


def find_liquid_contexts(source: str, spans: list[LiquidSpan]) -> list[LiquidContext] | None:
    """Where each piece stands, in their order; None where one stands anywhere else: inside a tag,
    in a value without quotes, or in one that decides about a link.
    """
    mark = next(m for m in _MARKERS if m not in source)
    found: dict[int, LiquidContext | None] = {}
    for document in _iter_documents(mask_newlines(_insert_markers(source, spans, mark))):
        for number, place in _find_tree_contexts(document, mark):
            found.setdefault(number, place)
        for number, value in _find_value_contexts(document, mark, source, spans):
            found.setdefault(number, value)
    places = [known for number in range(len(spans)) if (known := found.get(number))]
    return places if len(places) == len(spans) else None


def _insert_markers(source: str, spans: list[LiquidSpan], marker: str) -> str:
    pieces: list[str] = []
    at = 0
    for number, span in enumerate(spans):
        high, low = divmod(number, _RADIX)
        name = chr(_FIRST_DIGIT + high) + chr(_FIRST_DIGIT + low) + marker
        pieces += source[at : span.start], name.ljust(span.end - span.start, chr(_FIRST_DIGIT))
        at = span.end
    pieces.append(source[at:])
    return "".join(pieces)


def _iter_documents(text: str) -> Iterator[_Document]:
    """The ones inside conditional comments, then the document itself."""
    copy = number_comments(text)
    tree = parse(copy.text if copy else text, source_locations=True)
    if copy is not None:
        for start, end in find_outlook_spans(tree, copy):
            yield _Document(parse(text[start:end], source_locations=True), start, start)
    yield _Document(tree)


def _find_tree_contexts(document: _Document, marker: str) -> Iterator[tuple[int, LiquidContext]]:
    """What stands in text and comments; in raw text first, which is text as well."""
    tree, outlook = document.tree, document.outlook_offset
    for part, element in enumerate(tree.select(_RAW)):
        for number in _parse_numbers(element.text, marker):
            yield number, LiquidContext("raw", part, outlook)
    for part, comment in enumerate(tree.xpath_iter("//comment()[contains(., $mark)]", mark=marker)):
        for number in _parse_numbers(comment.data if isinstance(comment, Comment) else "", marker):
            yield number, LiquidContext("comment", part, outlook)
    for text in tree.xpath_iter("//text()[contains(., $mark)]", mark=marker):
        for number in _parse_numbers(str(text), marker):
            yield number, LiquidContext("text", 0, outlook)


def _parse_numbers(text: str, marker: str) -> Iterator[int]:
    """The numbers that stand in a text, each before a mark."""
    for piece in text.split(marker)[:-1]:
        if len(piece) > 1:
            high, low = (ord(character) - _FIRST_DIGIT for character in piece[-2:])
            yield high * _RADIX + low


def _find_value_contexts(
    document: _Document, marker: str, source: str, spans: list[LiquidSpan]
) -> Iterator[tuple[int, LiquidContext | None]]:
    starts = [span.start for span in spans]
    for element in document.tree.xpath_iter("//*[@*[contains(., $mark)]]", mark=marker):
        location = element.source_location if isinstance(element, Element) else None
        attributes = location.attrs if location else {}
        for name, attribute in attributes.items():
            first = attribute.start_offset + document.offset
            last = attribute.end_offset + document.offset
            inside = range(bisect_left(starts, first), bisect_left(starts, last))
            if not inside:
                continue
            start, end, quote = find_value_span(source, first, last)
            decides = "href" in attributes and name in _LINK_OPTION_ATTRIBUTES
            for number in inside:
                span = spans[number]
                whole = start <= span.start and span.end <= end
                stands = _QUOTES.get(quote) if whole and not decides else None
                yield (
                    number,
                    LiquidContext(stands, start, document.outlook_offset) if stands else None,
                )


# Whether what stands inside is a link depends on these elements, and they on data.
_CONTEXT_ELEMENTS = re.compile(r"<(?:frameset|select|svg|math|template|plaintext)", re.IGNORECASE)
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
_ADJACENT_CHARACTERS = 256
_GUARDS: dict[ContextType, re.Pattern[str]] = {
    "text": re.compile(r"[<{]"),
    "raw": re.compile(r"[<>{]"),
    "comment": re.compile(r"[<>{!\-]"),
    '"': re.compile(r"[\"{]"),
    "'": re.compile(r"['{]"),
}
_OUTLOOK_GUARDS: dict[ContextType, re.Pattern[str]] = {
    "text": re.compile(r"[<>{]"),
    "raw": re.compile(r"[<>{]"),
    "comment": re.compile(r"[<>{!\-]"),
    '"': re.compile(r"[\"<>{]"),
    "'": re.compile(r"['<>{]"),
}


def build_value_guards(source: str, scan: LiquidScan) -> dict[int, re.Pattern[str]] | None:
    """What the value of each piece of Liquid (by its offset) must not hold; None where the
    template is not steady whatever its values.
    """
    if _CONTEXT_ELEMENTS.search(source):
        return None
    where = find_liquid_contexts(source, scan.spans)
    if where is None or not _has_static_blocks(scan.spans, where):
        return None
    found = {}
    for span, place in zip(scan.spans, where, strict=True):
        if _can_join_markup(source, span, place):
            return None
        found[span.start] = (_OUTLOOK_GUARDS if place.outlook_offset else _GUARDS)[
            place.context_type
        ]
    return found


def _has_static_blocks(spans: list[LiquidSpan], contexts: list[LiquidContext]) -> bool:
    """Whether every block begins, branches and ends in one place."""
    around: list[LiquidContext] = []
    for span, place in zip(spans, contexts, strict=True):
        if span.node_type != "tag":
            continue
        if span.name not in _STATIC_TAGS:
            return False
        if span.name in _BLOCK_TAGS:
            around.append(place)
        elif span.name in _JUMP_TAGS:
            if any(block != place for block in around):
                return False
        elif span.name in _BRANCH_TAGS or span.name in _END_TAGS:
            if around[-1:] != [place]:
                return False
            if span.name in _END_TAGS:
                around.pop()
    return True


def _can_join_markup(source: str, span: LiquidSpan, context: LiquidContext) -> bool:
    """Whether what stands next to a piece could join with it to markup."""
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
    """What stands before a piece, and the character after it, once its dashes took whitespace."""
    before = source[max(0, span.start - _ADJACENT_CHARACTERS) : span.start].rstrip()
    after = source[span.end : span.end + _ADJACENT_CHARACTERS].lstrip()
    return before[-16:] if before or not span.start else "<", after[:1]
