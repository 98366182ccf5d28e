"""A text that is Liquid: compiled once, then rendered for each recipient with its links' places.

A link of a template is known by the href that the template has (``{{ trigger.url }}`` is one link
for everybody), however each recipient's reads. Where the template is steady, rendering itself tells
where its links came to stand; else they are found in what was rendered, and known by where the
template's own links came to stand in it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from waypost.rewrite.links import cio_link, html
from waypost.rewrite.links.extractor import TEXT_LINKS, Markup, find_links_with_tags, merge_tags
from waypost.rewrite.links.html import decode_attribute
from waypost.rewrite.links.mime import EncodedBlock
from waypost.rewrite.links.occurrence import LinkOccurrence, mask_spans
from waypost.rewrite.liquid import environment as language
from waypost.rewrite.liquid.link_marks import (
    CioLinkSpan,
    LinkTrackingBuffer,
    TemplateLinkSpan,
    ValueGuards,
    locate_template_links,
)
from waypost.rewrite.liquid.scanner import LiquidScan, LiquidSpan, scan_liquid
from waypost.rewrite.liquid.static_analysis import build_value_guards

_ARGUMENTS = re.compile(r"\{%-?\s*cio_link\b(.*?)-?%\}", re.DOTALL)
_DASH_AT_START = re.compile(r"\{[{%]-")
_DASHES = ("-}}", "-%}")
_WORD = re.compile(r"\S+")
_TRAILING = ".,;:!?)]}'\""


@dataclass(frozen=True, slots=True)
class RenderedText:
    """One recipient's text, and where its links stand, in order."""

    text: str
    occurrences: list[LinkOccurrence]
    blocks: list[EncodedBlock] = field(default_factory=list)
    """What of it is encoded as one."""


class LiquidTemplate:
    """A compiled text of a message.

    :raises InvalidRequest: naming ``field`` and the line, when it is not Liquid.
    """

    def __init__(self, markup: Markup, source: str, field: str) -> None:
        found = scan_liquid(source, field)
        _check_cio_links(source, found, markup, field)
        self._markup = markup
        self._field = field
        self._source = source
        sites = _find_template_links(markup, source, found)
        self._template_links = [site for site in sites if _can_insert_marks(source, site, found)]
        all_marked = len(self._template_links) == len(sites)
        searched = markup.find_links is html.find_html_links
        steady = build_value_guards(source, found) if searched and all_marked else None
        self._has_static_links = steady is not None
        self._guards: ValueGuards = (
            {} if steady is None else _index_by_token(steady, source, found.spans)
        )
        environment = language.TemplateEnvironment(
            markup.decode_arguments,
            markup.encode,
            source,
            locate_template_links(self._template_links, found.spans),
        )
        self._template = language.compile_liquid(source, field, environment)

    @property
    def has_static_links(self) -> bool:
        """Whether links are found once, unless a recipient's data says otherwise."""
        return self._has_static_links

    def render(self, data: Mapping[str, object]) -> RenderedText:
        """Render for one recipient.

        :raises InvalidRequest: naming the field and the reason.
        """
        canvas = language.render_tracked(self._template, data, self._guards, self._field)
        text = language.check_characters(canvas.getvalue(), self._field)
        tags = [
            self._build_tag_occurrence(mark)
            for mark in canvas.link_spans
            if isinstance(mark, CioLinkSpan)
        ]
        if self._has_static_links and canvas.links_are_static:
            return RenderedText(
                text, merge_tags(text, self._locate_static_links(canvas, text), tags)
            )
        return RenderedText(text, self._find_links(canvas, text, tags))

    def _locate_static_links(self, buffer: LinkTrackingBuffer, text: str) -> list[LinkOccurrence]:
        """The template's own links, where they came to stand."""
        marks = [mark for mark in buffer.link_spans if isinstance(mark, TemplateLinkSpan)]
        return [self._shift_link(mark, text) for mark in sorted(marks, key=lambda mark: mark.start)]

    def _shift_link(self, span: TemplateLinkSpan, text: str) -> LinkOccurrence:
        site = self._template_links[span.link_index]
        raw = text[span.start : span.end]
        if raw == self._source[site.start : site.end]:
            return replace(site, start=span.start, end=span.end)
        href = decode_attribute(raw, text[span.end : span.end + 1])
        return replace(site, start=span.start, end=span.end, href=href)

    def _find_links(
        self, buffer: LinkTrackingBuffer, text: str, tags: list[LinkOccurrence]
    ) -> list[LinkOccurrence]:
        """The links of the rendered text, known as the template knows them where it does."""
        urls = {
            mark.start: self._template_links[mark.link_index].url
            for mark in buffer.link_spans
            if isinstance(mark, TemplateLinkSpan)
        }
        return [
            replace(place, url=urls[place.start])
            if place.start in urls and not place.requested
            else place
            for place in find_links_with_tags(self._markup, text, tags)
        ]

    def _build_tag_occurrence(self, span: CioLinkSpan) -> LinkOccurrence:
        return LinkOccurrence(
            start=span.start,
            end=span.end,
            href=self._markup.decode(span.href),
            url=self._markup.decode(span.url),
            encode=self._markup.encode,
            track=span.track,
            url_params=span.url_params,
            requested=True,
        )


def _find_template_links(markup: Markup, source: str, scan: LiquidScan) -> list[LinkOccurrence]:
    """The links that the template itself has."""
    masked = mask_spans(source, [(span.start, span.end) for span in scan.spans])
    sites = markup.find_links(source, masked)
    if markup is TEXT_LINKS:
        sites += _find_variable_links(source, masked, sites, scan.spans)
    return sites


def _can_insert_marks(source: str, occurrence: LinkOccurrence, scan: LiquidScan) -> bool:
    """Not inside raw, where a mark would be text; nor where it would stand between whitespace and
    the dash that takes it away.
    """
    nearest = bisect_right(scan.raw_ranges, (occurrence.end, len(source))) - 1
    if nearest >= 0 and occurrence.start <= scan.raw_ranges[nearest][1]:
        return False
    quotes = (
        source[occurrence.start - 1 : occurrence.start]
        + source[occurrence.end : occurrence.end + 1]
    )
    if quotes in ("''", '""'):
        return True
    return not (
        _DASH_AT_START.match(source, occurrence.start)
        or source.endswith(_DASHES, 0, occurrence.end)
    )


def _find_variable_links(
    source: str,
    masked_source: str,
    template_links: list[LinkOccurrence],
    spans: Iterable[LiquidSpan],
) -> list[LinkOccurrence]:
    """Outputs of a plain text that may turn out to be links: the template shows no ``https:``."""
    within = {offset for site in template_links for offset in range(site.start, site.end)}
    places = []
    for span in spans:
        word = _WORD.match(masked_source, span.start)
        if span.node_type == "output" and span.start not in within and word:
            url = source[span.start : word.end()].rstrip(_TRAILING)
            url = url if len(url) > span.end - span.start else source[span.start : span.end]
            places.append(LinkOccurrence(start=span.start, end=span.end, href=url, url=url))
    return places


def _index_by_token(guards: ValueGuards, source: str, spans: Iterable[LiquidSpan]) -> ValueGuards:
    """Guards by the offsets of tokens: outputs are known by their braces, tags by their name."""
    return {
        source.index(span.name, span.start) if span.node_type == "tag" else span.start: guard
        for span in spans
        if (guard := guards.get(span.start))
    }


def _check_cio_links(source: str, scan: LiquidScan, markup: Markup, field: str) -> None:
    """Read every ``cio_link`` now: python-liquid would not say what is wrong with it."""
    for span in scan.spans:
        if span.name == "cio_link":
            tag = _ARGUMENTS.match(source, span.start, span.end)
            cio_link.parse_cio_link(markup.decode_arguments(tag[1] if tag else ""), field)
