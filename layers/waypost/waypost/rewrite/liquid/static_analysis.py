"""Where each piece of a template's Liquid stands in its HTML: in text, in a value, in a comment.

The parser gets a copy in which every piece is numbered with characters of the private use area; its
tree then shows in which text or comment a number came to stand. Values of attributes are looked up
by their offsets. Conditional comments for Outlook are documents of their own.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from turbohtml import Comment, Document, Element, parse

from waypost.rewrite.liquid.scanner import Span
from waypost.rewriting.links.attributes import value_span
from waypost.rewriting.links.conditional import numbered, outlook_spans
from waypost.rewriting.links.masking import newlines_masked

Stands = Literal["text", "raw", "comment", '"', "'"]

_QUOTES: dict[str, Stands] = {'"': '"', "'": "'"}
_RAW = "script,style,title,textarea,xmp,iframe,noembed,noframes"
# Values that decide about a link: they have to be the same for everybody.
_DECISIVE = {"class", "data-cio-tag"}
_FIRST = 0xE000
_RADIX = 4096
_MARKS = "".join(map(chr, range(0xF000, 0xF8FF)))


@dataclass(frozen=True, slots=True)
class Standing:
    """A place of a document. ``part`` tells parts of one kind apart."""

    stands: Stands
    part: int = 0
    outlook: int | None = None
    """The offset of the conditional comment around it."""


@dataclass(frozen=True, slots=True)
class _Document:
    """The document itself, or what stands in one of its conditional comments. ``shift``: its offset
    in the source.
    """

    tree: Document
    shift: int = 0
    outlook: int | None = None


def standing(source: str, spans: list[Span]) -> list[Standing] | None:
    """Where each piece stands, in their order; None where one stands anywhere else: inside a tag,
    in a value without quotes, or in one that decides about a link.
    """
    mark = next(m for m in _MARKS if m not in source)
    found: dict[int, Standing | None] = {}
    for document in _documents(newlines_masked(_marked(source, spans, mark))):
        for number, place in _in_tree(document, mark):
            found.setdefault(number, place)
        for number, value in _in_values(document, mark, source, spans):
            found.setdefault(number, value)
    places = [known for number in range(len(spans)) if (known := found.get(number))]
    return places if len(places) == len(spans) else None


def _marked(source: str, spans: list[Span], mark: str) -> str:
    pieces: list[str] = []
    at = 0
    for number, span in enumerate(spans):
        high, low = divmod(number, _RADIX)
        name = chr(_FIRST + high) + chr(_FIRST + low) + mark
        pieces += source[at : span.start], name.ljust(span.end - span.start, chr(_FIRST))
        at = span.end
    pieces.append(source[at:])
    return "".join(pieces)


def _documents(text: str) -> Iterator[_Document]:
    """The ones inside conditional comments, then the document itself."""
    copy = numbered(text)
    tree = parse(copy.text if copy else text, source_locations=True)
    if copy is not None:
        for start, end in outlook_spans(tree, copy):
            yield _Document(parse(text[start:end], source_locations=True), start, start)
    yield _Document(tree)


def _in_tree(document: _Document, mark: str) -> Iterator[tuple[int, Standing]]:
    """What stands in text and comments; in raw text first, which is text as well."""
    tree, outlook = document.tree, document.outlook
    for part, element in enumerate(tree.select(_RAW)):
        for number in _numbers(element.text, mark):
            yield number, Standing("raw", part, outlook)
    for part, comment in enumerate(tree.xpath_iter("//comment()[contains(., $mark)]", mark=mark)):
        for number in _numbers(comment.data if isinstance(comment, Comment) else "", mark):
            yield number, Standing("comment", part, outlook)
    for text in tree.xpath_iter("//text()[contains(., $mark)]", mark=mark):
        for number in _numbers(str(text), mark):
            yield number, Standing("text", 0, outlook)


def _numbers(text: str, mark: str) -> Iterator[int]:
    """The numbers that stand in a text, each before a mark."""
    for piece in text.split(mark)[:-1]:
        if len(piece) > 1:
            high, low = (ord(character) - _FIRST for character in piece[-2:])
            yield high * _RADIX + low


def _in_values(
    document: _Document, mark: str, source: str, spans: list[Span]
) -> Iterator[tuple[int, Standing | None]]:
    starts = [span.start for span in spans]
    for element in document.tree.xpath_iter("//*[@*[contains(., $mark)]]", mark=mark):
        location = element.source_location if isinstance(element, Element) else None
        attributes = location.attrs if location else {}
        for name, attribute in attributes.items():
            first = attribute.start_offset + document.shift
            last = attribute.end_offset + document.shift
            inside = range(bisect_left(starts, first), bisect_left(starts, last))
            if not inside:
                continue
            start, end, quote = value_span(source, first, last)
            decides = "href" in attributes and name in _DECISIVE
            for number in inside:
                span = spans[number]
                whole = start <= span.start and span.end <= end
                stands = _QUOTES.get(quote) if whole and not decides else None
                yield number, Standing(stands, start, document.outlook) if stands else None
