"""Finds the links of an HTML document as a browser does, and those that only Outlook reads.

Links are the ``href`` of ``a`` and ``area``; inside conditional comments for Outlook those of VML
shapes as well. Offsets come from a parser that follows the HTML standard (turbohtml), so whatever
merely looks like a link, in scripts, comments or attributes, is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from turbohtml import Document, SourceSpan, parse

from waypost.rewrite.links.occurrence import Place
from waypost.rewriting.links.attributes import decoded, encoded, value_span
from waypost.rewriting.links.conditional import Numbered, numbered, outlook_spans
from waypost.rewriting.links.masking import newlines_masked
from waypost.rewriting.links.pixel import before_end_of_body

UNTRACKED = "untracked"
WITHOUT_PARAMETERS = "disable-url-params"

Spans = Mapping[str, SourceSpan]


def find_in_masked(html: str, masked: str) -> list[Place]:
    """The links of a document, found in a copy of the same length in which Liquid is masked; and
    the place for a pixel, where the document's body has an end tag.
    """
    found: dict[int, Place] = {}
    masked = newlines_masked(masked)
    copy = numbered(masked)
    document = parse(copy.text if copy else masked, source_locations=True)
    for attributes, shift in _attributes_of_links(masked, copy, document):
        place = _place(html, attributes, shift)
        found.setdefault(place.start, place)
    if pixel := before_end_of_body(html, document):
        found[pixel.start] = pixel
    return [found[start] for start in sorted(found)]


def _attributes_of_links(
    masked: str, copy: Numbered | None, document: Document
) -> Iterator[tuple[Spans, int]]:
    """The attributes' spans of every link, and what to add to their offsets."""
    for attributes in _hrefs(document, "a[href],area[href]"):
        yield attributes, 0
    if copy is None:
        return
    for start, end in outlook_spans(document, copy):
        if "href" not in masked[start:end].lower():
            continue
        inside = parse(masked[start:end], source_locations=True)
        for attributes in _hrefs(inside, "[href]", vml=True):
            yield attributes, start


def _hrefs(document: Document, selector: str, *, vml: bool = False) -> Iterator[Spans]:
    for element in document.select(selector):
        if vml and element.tag not in ("a", "area") and not element.tag.startswith("v:"):
            continue
        location = element.source_location
        # What the parser adds of its own, such as an <a> reopened in the next block, has none.
        attributes = location.attrs if location is not None else {}
        if "href" in attributes:
            yield attributes


def _place(html: str, attributes: Spans, shift: int) -> Place:
    start, end, quote = _span(html, attributes["href"], shift)
    href = decoded(html[start:end], quote)
    classes = _classes(html, attributes, shift)
    return Place(
        start=start,
        end=end,
        href=href,
        url=href,
        encode=encoded,
        track=UNTRACKED not in classes,
        url_params=WITHOUT_PARAMETERS not in classes,
        tag=_value(html, attributes, "data-cio-tag", shift).strip() or None,
    )


def _classes(html: str, attributes: Spans, shift: int) -> list[str]:
    """The classes of a link, or none of them where none can say anything about it."""
    attribute = attributes.get("class")
    if attribute is None:
        return []
    written = html[attribute.start_offset + shift : attribute.end_offset + shift]
    if UNTRACKED in written or WITHOUT_PARAMETERS in written or "&" in written:
        return _value(html, attributes, "class", shift).split()
    return []


def _value(html: str, attributes: Spans, name: str, shift: int) -> str:
    if name not in attributes:
        return ""
    start, end, quote = _span(html, attributes[name], shift)
    return decoded(html[start:end], quote)


def _span(html: str, attribute: SourceSpan, shift: int) -> tuple[int, int, str]:
    return value_span(html, attribute.start_offset + shift, attribute.end_offset + shift)
