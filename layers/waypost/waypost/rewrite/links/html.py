"""Finds the links of an HTML document as a browser does, and those that only Outlook reads.

Links are the ``href`` of ``a`` and ``area``; inside conditional comments for Outlook those of VML
shapes as well. Offsets come from a parser that follows the HTML standard (turbohtml), so whatever
merely looks like a link, in scripts, comments or attributes, is left alone.

How an attribute's value is read from the characters of a document, and written back.

Reading follows the HTML standard's attribute value states, in which ``?a=1&copy=2`` keeps its
``&copy`` (``html.unescape`` would read it as ©); a tokenizer that follows the standard does it.

Finds the conditional comments that Outlook reads as HTML: ``<!--[if mso]>…<![endif]-->``.

The parser knows which comments are real (and not text in a script, or in an attribute) but not
where they stand. So every place that looks like one is numbered in the copy that the parser gets,
in the three characters ``[if``; the comments in its tree then tell which numbers were real.

Where the image goes that tells of an open, and how it is written.

It stands right before the end tag of the body, the last one that a browser reads as such, not one
inside a comment, a script or a text field. A document without one gets it at its very end, where
browsers add to the body whatever comes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape

from turbohtml import Comment, Document, SourceSpan, parse, tokenize

from waypost.rewrite.links.occurrence import LinkOccurrence, mask_newlines
from waypost.tokens import PIXEL_PATH

_VALUE = re.compile(r"[a-zA-Z\-]+[\t\n\f\r ]*=[\t\n\f\r ]*([\"']?)")


def find_value_span(source: str, start: int, end: int) -> tuple[int, int, str]:
    """Where the value of the attribute at ``source[start:end]`` stands, quotes excluded, and its
    quote (empty where there is none). An attribute without a value has an empty span at its end.
    """
    match = _VALUE.match(source, start, end)
    if match is None:
        return end, end, ""
    quote = match[1]
    return match.end(), end - len(quote), quote


def decode_attribute(raw: str, quote: str) -> str:
    """The value that a browser reads from the characters between ``quote``s."""
    if raw.isprintable() and (ampersands := raw.count("&")) == raw.count("&amp;"):
        return raw.replace("&amp;", "&") if ampersands else raw
    if quote:  # only Liquid can hold one, and is no HTML yet
        raw = raw.replace(quote, f"&#{ord(quote)};")
    tag = next(iter(tokenize(f"<a x={quote}{raw}{quote} >")))
    return tag.attr("x", "") or ""


def decode_attribute_text(raw: str) -> str:
    """The same for text that is not known to stand between quotes."""
    return decode_attribute(raw, "'" if '"' in raw else '"')


def encode_attribute(value: str) -> str:
    """A value written so that it reads back the same, whatever quotes stand around it."""
    return escape(value).replace(" ", "&#32;")


_COMMENT_START = "<!--[if"
_FIRST_DIGIT = 0xE000
_RADIX = 4096
_MARKERS = "".join(map(chr, range(0xF000, 0xF8FF)))
_READ_BY_OUTLOOK = re.compile(r"(?<![!\w])\(?\s*(?:(?:[gl]te?)\s+)?mso\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class NumberedHtml:
    """A copy of a document, of the same length, with its conditional comments numbered."""

    text: str
    marker: str
    offsets: tuple[int, ...]
    """Where each numbered ``<!--`` stands."""


def number_comments(text: str) -> NumberedHtml | None:
    """Number what may be conditional comments; None where nothing looks like one."""
    offsets = tuple(_find_comment_starts(text))
    if not offsets:
        return None
    mark = next(m for m in _MARKERS if m not in text)
    pieces: list[str] = []
    at = 0
    for number, offset in enumerate(offsets):
        high, low = divmod(number, _RADIX)
        pieces += text[at : offset + 4], chr(_FIRST_DIGIT + high), chr(_FIRST_DIGIT + low), mark
        at = offset + 7
    pieces.append(text[at:])
    return NumberedHtml("".join(pieces), mark, offsets)


def _find_comment_starts(text: str) -> Iterator[int]:
    """Where comments begin that look conditional. A single character is found thirty times faster
    than several, and brackets are rare in prose.
    """
    bracket = text.find("[")
    while bracket >= 0:
        start = max(0, bracket - 4)
        if text[start : bracket + 3].lower() == _COMMENT_START:
            yield start
        bracket = text.find("[", bracket + 1)


def find_outlook_spans(document: Document, copy: NumberedHtml) -> Iterator[tuple[int, int]]:
    """The spans of HTML inside the comments that Outlook reads, in the document's order."""
    for comment in document.xpath_iter("//comment()"):
        data = comment.data if isinstance(comment, Comment) else ""
        if data[2:3] != copy.marker:
            continue
        high, low = ord(data[0]) - _FIRST_DIGIT, ord(data[1]) - _FIRST_DIGIT
        condition, closed, _ = data[3:].partition("]>")
        if closed and _READ_BY_OUTLOOK.search(condition):
            start = copy.offsets[high * _RADIX + low] + 4
            yield start + 3 + len(condition) + 2, start + len(data)


_PIXEL_TOKEN = re.compile(PIXEL_PATH + r"([\w-]+/[\w-]+)")


def render_pixel(address: str) -> str:
    """The pixel in HTML: a point that is seen by nobody, nor read out."""
    return f'<img src="{encode_attribute(address)}" width="1" height="1" alt="" style="border:0">'


def render_honeypot_link(address: str) -> str:
    """The link that only machines follow, in HTML: not shown, read out, nor reached by keyboard."""
    return (
        f'<a href="{encode_attribute(address)}" rel="nofollow" tabindex="-1" aria-hidden="true" '
        f'style="display:none;mso-hide:all"></a>'
    )


def find_body_end(html: str, document: Document) -> LinkOccurrence | None:
    """The place of the body's end tag; None where the document has no such tag."""
    body = document.select_one("body")
    location = body.source_location if body is not None else None
    if location is None or location.end_tag is None:
        return None
    start, end = location.end_tag.start_offset, location.end_tag.end_offset
    return _build_pixel_occurrence(start, end, html)


def add_pixel(occurrences: Sequence[LinkOccurrence], html: str) -> list[LinkOccurrence]:
    """The places of a document with one for the pixel: where none was found, at the end."""
    if any(place.find_pixel for place in occurrences):
        return list(occurrences)
    return [*occurrences, _build_pixel_occurrence(len(html), len(html), html)]


def _build_pixel_occurrence(start: int, end: int, html: str) -> LinkOccurrence:
    return LinkOccurrence(
        start=start, end=end, href="", url="", find_pixel=partial(_find_last_pixel, html)
    )


def _find_last_pixel(html: str) -> str:
    """What the last pixel carries that a document has already."""
    at = html.rfind(PIXEL_PATH)
    while at >= 0:
        if found := _PIXEL_TOKEN.match(html, at):
            return found[1]
        at = html.rfind(PIXEL_PATH, 0, at)
    return ""


UNTRACKED_CLASS = "untracked"
NO_PARAMETERS_CLASS = "disable-url-params"

AttributeSpans = Mapping[str, SourceSpan]


def find_html_links(html: str, masked_html: str) -> list[LinkOccurrence]:
    """The links of a document, found in a copy of the same length in which Liquid is masked; and
    the place for a pixel, where the document's body has an end tag.
    """
    found: dict[int, LinkOccurrence] = {}
    masked_html = mask_newlines(masked_html)
    copy = number_comments(masked_html)
    document = parse(copy.text if copy else masked_html, source_locations=True)
    for attributes, shift in _iter_link_attributes(masked_html, copy, document):
        place = _build_occurrence(html, attributes, shift)
        found.setdefault(place.start, place)
    if pixel := find_body_end(html, document):
        found[pixel.start] = pixel
    return [found[start] for start in sorted(found)]


def _iter_link_attributes(
    masked_html: str, copy: NumberedHtml | None, document: Document
) -> Iterator[tuple[AttributeSpans, int]]:
    """The attributes' spans of every link, and what to add to their offsets."""
    for attributes in _iter_href_attributes(document, "a[href],area[href]"):
        yield attributes, 0
    if copy is None:
        return
    for start, end in find_outlook_spans(document, copy):
        if "href" not in masked_html[start:end].lower():
            continue
        inside = parse(masked_html[start:end], source_locations=True)
        for attributes in _iter_href_attributes(inside, "[href]", vml=True):
            yield attributes, start


def _iter_href_attributes(
    document: Document, selector: str, *, vml: bool = False
) -> Iterator[AttributeSpans]:
    for element in document.select(selector):
        if vml and element.tag not in ("a", "area") and not element.tag.startswith("v:"):
            continue
        location = element.source_location
        # What the parser adds of its own, such as an <a> reopened in the next block, has none.
        attributes = location.attrs if location is not None else {}
        if "href" in attributes:
            yield attributes


def _build_occurrence(html: str, attributes: AttributeSpans, shift: int) -> LinkOccurrence:
    start, end, quote = _locate_value(html, attributes["href"], shift)
    href = decode_attribute(html[start:end], quote)
    classes = _read_classes(html, attributes, shift)
    return LinkOccurrence(
        start=start,
        end=end,
        href=href,
        url=href,
        encode=encode_attribute,
        track=UNTRACKED_CLASS not in classes,
        url_params=NO_PARAMETERS_CLASS not in classes,
        tag=_read_attribute(html, attributes, "data-cio-tag", shift).strip() or None,
    )


def _read_classes(html: str, attributes: AttributeSpans, shift: int) -> list[str]:
    """The classes of a link, or none of them where none can say anything about it."""
    attribute = attributes.get("class")
    if attribute is None:
        return []
    written = html[attribute.start_offset + shift : attribute.end_offset + shift]
    if UNTRACKED_CLASS in written or NO_PARAMETERS_CLASS in written or "&" in written:
        return _read_attribute(html, attributes, "class", shift).split()
    return []


def _read_attribute(html: str, attributes: AttributeSpans, name: str, shift: int) -> str:
    if name not in attributes:
        return ""
    start, end, quote = _locate_value(html, attributes[name], shift)
    return decode_attribute(html[start:end], quote)


def _locate_value(html: str, attribute: SourceSpan, shift: int) -> tuple[int, int, str]:
    return find_value_span(html, attribute.start_offset + shift, attribute.end_offset + shift)
