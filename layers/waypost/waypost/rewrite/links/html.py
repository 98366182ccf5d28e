"""Find the links of an HTML document, and the position of its open-tracking pixel.

Links are the ``href`` of ``a`` and ``area`` and, inside conditional comments for Outlook, of VML
shapes. Offsets come from turbohtml, a parser that follows the HTML standard, so text that only
looks like a link, in a script, a comment or an attribute, is left unchanged.

Attribute values are read as the HTML standard's tokenizer reads them: ``?a=1&copy=2`` keeps its
``&copy``, which ``html.unescape`` reads as ©.

Outlook reads ``<!--[if mso]>…<![endif]-->`` as HTML. The parser knows which comments are real, but
not their offsets. Each candidate is therefore numbered in the parser's copy, in the characters
``[if``, and the numbers in the parser's tree identify the real comments.

The pixel goes before the end tag of the body: the last one that a browser reads as such, not one in
a comment, a script or a text field. In a document without one it goes to the end, where browsers
add all content to the body.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from typing import Final

from turbohtml import Comment, Document, SourceSpan, parse, tokenize

from waypost.rewrite.links.occurrence import LinkOccurrence
from waypost.rewrite.links.placeholders import (
    COMMENT_MARKER,
    PLACEHOLDER_LENGTH,
    decode_placeholder,
    encode_placeholder,
    mask_marker,
    mask_newlines,
    replace_spans,
)
from waypost.tokens import PIXEL_PATH

UNTRACKED_CLASS: Final = "untracked"
NO_PARAMETERS_CLASS: Final = "disable-url-params"

_AttributeSpans = Mapping[str, SourceSpan]

_ATTRIBUTE_START = re.compile(r"[a-zA-Z\-]+[\t\n\f\r ]*=[\t\n\f\r ]*([\"']?)")
_MERGED_TAG = re.compile("<(?:body|html)", re.IGNORECASE | re.ASCII)
_MAX_MERGED_TAGS: Final = 64
_COMMENT_START = "<!--[if"
_COMMENT_DELIMITER_LENGTH = len("<!--")
_READ_BY_OUTLOOK = re.compile(r"(?<![!\w])mso\b", re.IGNORECASE)
_PIXEL_TOKEN = re.compile(PIXEL_PATH + r"([\w-]+/[\w-]+)")


def find_html_links(html: str, masked_html: str) -> list[LinkOccurrence]:
    """Find the links, and the pixel's position if the body has an end tag, in order.

    ``masked_html`` is a copy of the same length in which Liquid is masked.
    """
    occurrences: dict[int, LinkOccurrence] = {}
    *outlook_comments, page = parse_html(masked_html, outlook_filter="href")
    for tree in (page, *outlook_comments):
        for attributes in _iter_link_attributes(tree):
            link = _build_occurrence(html, attributes, tree.offset)
            occurrences.setdefault(link.start, link)
    if pixel := _find_body_end(html, page.document):
        occurrences[pixel.start] = pixel
    return [occurrences[start] for start in sorted(occurrences)]


def _iter_link_attributes(tree: HtmlTree) -> Iterator[_AttributeSpans]:
    in_outlook = tree.outlook_offset is not None
    for element in tree.document.select("[href]" if in_outlook else "a[href],area[href]"):
        if in_outlook and element.tag not in ("a", "area") and not element.tag.startswith("v:"):
            continue
        location = element.source_location
        # Elements that the parser adds, such as an <a> reopened in the next block, have none.
        attributes = location.attrs if location is not None else {}
        if "href" in attributes:
            yield attributes


def _build_occurrence(html: str, attributes: _AttributeSpans, shift: int) -> LinkOccurrence:
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


def _read_classes(html: str, attributes: _AttributeSpans, shift: int) -> list[str]:
    """Return the classes of a link, or none if no class can be an option of it."""
    attribute = attributes.get("class")
    if attribute is None:
        return []
    source = html[attribute.start_offset + shift : attribute.end_offset + shift]
    if UNTRACKED_CLASS in source or NO_PARAMETERS_CLASS in source or "&" in source:
        return _read_attribute(html, attributes, "class", shift).split()
    return []


def _read_attribute(html: str, attributes: _AttributeSpans, name: str, shift: int) -> str:
    if name not in attributes:
        return ""
    start, end, quote = _locate_value(html, attributes[name], shift)
    return decode_attribute(html[start:end], quote)


def _locate_value(html: str, attribute: SourceSpan, shift: int) -> tuple[int, int, str]:
    return locate_attribute_value(
        html, attribute.start_offset + shift, attribute.end_offset + shift
    )


def locate_attribute_value(source: str, start: int, end: int) -> tuple[int, int, str]:
    """Return start and end of the value of the attribute at ``source[start:end]``, and its quote.

    The span excludes the quotes. An attribute without a value has an empty span at its end.
    """
    match = _ATTRIBUTE_START.match(source, start, end)
    if match is None:
        return end, end, ""
    quote = match[1]
    return match.end(), end - len(quote), quote


def decode_attribute(raw: str, quote: str) -> str:
    """Return the value that a browser reads from the characters between two quotes."""
    if raw.isprintable() and (ampersands := raw.count("&")) == raw.count("&amp;"):
        return raw.replace("&amp;", "&") if ampersands else raw
    if quote:  # only Liquid can hold the quote, and it is not HTML yet
        raw = raw.replace(quote, f"&#{ord(quote)};")
    tag = next(iter(tokenize(f"<a x={quote}{raw}{quote} >")))
    return tag.attr("x", "") or ""


def decode_attribute_text(raw: str) -> str:
    """Return the value that a browser reads from characters whose quotes are unknown."""
    return decode_attribute(raw, "'" if '"' in raw else '"')


def encode_attribute(value: str) -> str:
    """Encode a value so that browsers read it back in double, single or no quotes."""
    return escape(value).replace(" ", "&#32;")


@dataclass(frozen=True, slots=True)
class HtmlTree:
    """A parsed document, or the part of it that Outlook reads in one conditional comment."""

    document: Document
    outlook_offset: int | None = None
    """The offset in the source of a comment's HTML; None for the whole document."""

    @property
    def offset(self) -> int:
        """Return the difference between offsets in the source and in this tree."""
        return self.outlook_offset or 0


def parse_html(masked_html: str, *, outlook_filter: str = "") -> list[HtmlTree]:
    """Parse the comments that Outlook reads, in order, then the whole document.

    Comments that do not contain ``outlook_filter`` in any case are omitted, to save time.
    """
    html = _limit_root_tags(mask_newlines(masked_html))
    starts = list(_find_comment_starts(html))
    if not starts:
        return [HtmlTree(parse(html, source_locations=True))]
    html = mask_marker(html, COMMENT_MARKER)
    document = parse(_number_comments(html, starts), source_locations=True)
    return [
        *(
            HtmlTree(parse(html[start:end], source_locations=True), start)
            for start, end in _find_outlook_spans(document, starts)
            if outlook_filter in html[start:end].lower()
        ),
        HtmlTree(document),
    ]


def _find_comment_starts(html: str) -> Iterator[int]:
    """Find the text that looks like the start of a conditional comment.

    A search for one character is thirty times as fast as for several; prose has few brackets.
    """
    bracket = html.find("[")
    while bracket >= 0:
        start = max(0, bracket - _COMMENT_DELIMITER_LENGTH)
        if html[start : bracket + 3].lower() == _COMMENT_START:
            yield start
        bracket = html.find("[", bracket + 1)


def _limit_root_tags(html: str) -> str:
    """Replace the tags of html and body after the first 64 with tags that the parser ignores.

    It merges the attributes of all of them into one element, and reads all attributes that the
    element has for each further tag.
    """
    starts = [tag.start() for tag in _MERGED_TAG.finditer(html)]
    if len(starts) <= _MAX_MERGED_TAGS:
        return html
    excess = starts[_MAX_MERGED_TAGS]
    return html[:excess] + _MERGED_TAG.sub("<head", html[excess:])


def _number_comments(html: str, starts: list[int]) -> str:
    first = _COMMENT_DELIMITER_LENGTH
    return replace_spans(
        html,
        (
            (
                start + first,
                start + first + PLACEHOLDER_LENGTH,
                encode_placeholder(number, COMMENT_MARKER),
            )
            for number, start in enumerate(starts)
        ),
    )


def _find_outlook_spans(document: Document, starts: list[int]) -> Iterator[tuple[int, int]]:
    """Find the HTML inside the comments that Outlook reads."""
    for comment in document.xpath_iter("//comment()"):
        data = comment.data if isinstance(comment, Comment) else ""
        if data[2:3] != COMMENT_MARKER:
            continue
        condition, bracket, _ = data[PLACEHOLDER_LENGTH:].partition("]>")
        if bracket and _READ_BY_OUTLOOK.search(condition):
            start = starts[decode_placeholder(data[:2])] + _COMMENT_DELIMITER_LENGTH
            prefix = PLACEHOLDER_LENGTH + len(condition) + len(bracket)
            yield start + prefix, start + len(data)


def add_pixel(occurrences: Sequence[LinkOccurrence], html: str) -> list[LinkOccurrence]:
    """Add the pixel's position at the end of a document in which it was not found."""
    if any(occurrence.find_pixel for occurrence in occurrences):
        return list(occurrences)
    return [*occurrences, _build_pixel_occurrence(len(html), len(html), html)]


def render_pixel(address: str) -> str:
    """Return the pixel's HTML: an image of one pixel that screen readers skip."""
    return f'<img src="{encode_attribute(address)}" width="1" height="1" alt="" style="border:0">'


def render_honeypot_link(address: str) -> str:
    """Return the HTML of a link that only bots follow.

    Mail programs do not show it, screen readers skip it, and the keyboard does not reach it.
    """
    return (
        f'<a href="{encode_attribute(address)}" rel="nofollow" tabindex="-1" aria-hidden="true" '
        f'style="display:none;mso-hide:all"></a>'
    )


def _find_body_end(html: str, document: Document) -> LinkOccurrence | None:
    body = document.select_one("body")
    location = body.source_location if body is not None else None
    if location is None or location.end_tag is None:
        return None
    return _build_pixel_occurrence(location.end_tag.start_offset, location.end_tag.end_offset, html)


def _build_pixel_occurrence(start: int, end: int, html: str) -> LinkOccurrence:
    return LinkOccurrence(
        start=start, end=end, href="", url="", find_pixel=partial(_find_last_pixel, html)
    )


def _find_last_pixel(html: str) -> str:
    """Return payload and signature of the last pixel in a document, or an empty string."""
    position = html.rfind(PIXEL_PATH)
    while position >= 0:
        if match := _PIXEL_TOKEN.match(html, position):
            return match[1]
        position = html.rfind(PIXEL_PATH, 0, position)
    return ""
