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

from waypost.rewrite.links.html import numbered, outlook_spans, value_span
from waypost.rewrite.links.occurrence import newlines_masked
from waypost.rewrite.liquid.scanner import Lexed, Span

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


# Whether what stands inside is a link depends on these elements, and they on data.
_DECIDES_OTHERS = re.compile(r"<(?:frameset|select|svg|math|template|plaintext)", re.IGNORECASE)
_STEADY_TAGS = {
    *("if", "unless", "elsif", "else", "endif", "endunless", "case", "when", "endcase"),
    *("for", "endfor", "break", "continue", "assign", "capture", "endcapture"),
    *("raw", "endraw", "cio_link", "#"),
}
_OPENS = {"if", "unless", "case", "for", "capture"}
_BRANCHES = {"elsif", "else", "when"}
_JUMPS = {"break", "continue"}
_ENDS = {f"end{name}" for name in _OPENS}
_HALF_A_TAG = re.compile(r"<[/!]?[a-zA-Z\-]*$")
_NEAR = 256
_GUARDS: dict[Stands, re.Pattern[str]] = {
    "text": re.compile(r"[<{]"),
    "raw": re.compile(r"[<>{]"),
    "comment": re.compile(r"[<>{!\-]"),
    '"': re.compile(r"[\"{]"),
    "'": re.compile(r"['{]"),
}
_OUTLOOK_GUARDS: dict[Stands, re.Pattern[str]] = {
    "text": re.compile(r"[<>{]"),
    "raw": re.compile(r"[<>{]"),
    "comment": re.compile(r"[<>{!\-]"),
    '"': re.compile(r"[\"<>{]"),
    "'": re.compile(r"['<>{]"),
}


def guards(source: str, liquid: Lexed) -> dict[int, re.Pattern[str]] | None:
    """What the value of each piece of Liquid (by its offset) must not hold; None where the
    template is not steady whatever its values.
    """
    if _DECIDES_OTHERS.search(source):
        return None
    where = standing(source, liquid.spans)
    if where is None or not _blocks_stay(liquid.spans, where):
        return None
    found = {}
    for span, place in zip(liquid.spans, where, strict=True):
        if _touches_markup(source, span, place):
            return None
        found[span.start] = (_OUTLOOK_GUARDS if place.outlook else _GUARDS)[place.stands]
    return found


def _blocks_stay(spans: list[Span], where: list[Standing]) -> bool:
    """Whether every block begins, branches and ends in one place."""
    around: list[Standing] = []
    for span, place in zip(spans, where, strict=True):
        if span.kind != "tag":
            continue
        if span.name not in _STEADY_TAGS:
            return False
        if span.name in _OPENS:
            around.append(place)
        elif span.name in _JUMPS:
            if any(block != place for block in around):
                return False
        elif span.name in _BRANCHES or span.name in _ENDS:
            if around[-1:] != [place]:
                return False
            if span.name in _ENDS:
                around.pop()
    return True


def _touches_markup(source: str, span: Span, place: Standing) -> bool:
    """Whether what stands next to a piece could join with it to markup."""
    before, after = _beside(source, span)
    if place.outlook and after in ("-", ">"):
        return True
    match place.stands:
        case "text":
            return before.endswith("<")
        case "raw":
            return _HALF_A_TAG.search(before) is not None
        case "comment":
            return before[-1:] in ("-", "!", "<") or after in ("-", ">", "!")
        case _:
            return False


def _beside(source: str, span: Span) -> tuple[str, str]:
    """What stands before a piece, and the character after it, once its dashes took whitespace."""
    before = source[max(0, span.start - _NEAR) : span.start].rstrip()
    after = source[span.end : span.end + _NEAR].lstrip()
    return before[-16:] if before or not span.start else "<", after[:1]
