"""Compile a text that is Liquid once, and render it with its links for each recipient.

A link of a template is identified by the template's href: ``{{ trigger.url }}`` is one link for all
recipients, whatever its value. If the links of the template are static, rendering records their
positions. Otherwise they are found in the rendered text, and those at the position of a recorded
link get its identity.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from waypost.errors import InvalidRequest
from waypost.rewrite.links import cio_link, html
from waypost.rewrite.links.extractor import TEXT_LINKS, Markup, find_links_with_tags, merge_tags
from waypost.rewrite.links.html import decode_attribute
from waypost.rewrite.links.occurrence import LinkOccurrence, RenderedText
from waypost.rewrite.links.placeholders import mask_spans
from waypost.rewrite.liquid.environment import TemplateEnvironment, compile_liquid
from waypost.rewrite.liquid.link_marks import (
    CioLinkSpan,
    LinkTrackingBuffer,
    TemplateLinkSpan,
    locate_template_links,
)
from waypost.rewrite.liquid.runtime import WorkBudget, render_tracked
from waypost.rewrite.liquid.scanner import LiquidScan, LiquidSpan, scan_liquid
from waypost.rewrite.liquid.static_analysis import build_value_guards

_ARGUMENTS = re.compile(r"\{%-?\s*cio_link\b(.*?)-?%\}", re.DOTALL)
_DASH_AT_START = re.compile(r"\{[{%]-")
_DASHES_AT_END = ("-}}", "-%}")
_WORD = re.compile(r"\S{1,2000}")  # of longer words, the rest does not identify a link
_TAGS_OFF: Final = "cio_link: tags is false; remove the tag, or set tags to true"
_TRAILING_PUNCTUATION: Final = ".,;:!?)]}'\""


class LiquidTemplate:
    """A compiled text of a message. Without ``allow_tags`` it must contain no ``cio_link``.

    :raises InvalidRequest: with ``field`` and the line, if it is not valid Liquid.
    """

    def __init__(self, markup: Markup, source: str, field: str, *, allow_tags: bool = True) -> None:
        scan = scan_liquid(source, field)
        _check_cio_links(source, scan, markup, field, allow_tags=allow_tags)
        self._markup = markup
        self._field = field
        self._source = source
        links = _find_template_links(markup, source, scan)
        self._links = [link for link in links if _can_insert_marks(source, link, scan)]
        guards = None
        if markup.find_links is html.find_html_links and len(self._links) == len(links):
            guards = build_value_guards(source, scan)
        self._guards = guards or {}
        self._has_static_links = guards is not None
        environment = TemplateEnvironment(
            markup.decode_arguments,
            markup.encode,
            source,
            locate_template_links(self._links, scan.spans),
        )
        self._template = compile_liquid(source, field, environment)

    @property
    def has_static_links(self) -> bool:
        """Return True if links are located once, unless the data of a recipient forbids it."""
        return self._has_static_links

    def render(self, data: Mapping[str, object], budget: WorkBudget) -> RenderedText:
        """Render for one recipient.

        :raises InvalidRequest: with the field and a reason.
        """
        text, buffer = render_tracked(self._template, data, self._guards, self._field, budget)
        tags = [
            self._build_tag_occurrence(span)
            for span in buffer.link_spans
            if isinstance(span, CioLinkSpan)
        ]
        if self._has_static_links and buffer.links_are_static:
            return RenderedText(text, merge_tags(text, self._locate_links(buffer, text), tags))
        return RenderedText(text, self._find_links(buffer, text, tags))

    def _locate_links(self, buffer: LinkTrackingBuffer, text: str) -> list[LinkOccurrence]:
        """Locate the links of the template by the positions that rendering recorded."""
        spans = sorted(_select_template_spans(buffer), key=lambda span: span.start)
        return [self._build_occurrence(span, text) for span in spans]

    def _build_occurrence(self, span: TemplateLinkSpan, text: str) -> LinkOccurrence:
        link = self._links[span.link_index]
        raw = text[span.start : span.end]
        if raw == self._source[link.start : link.end]:
            return replace(link, start=span.start, end=span.end)
        href = decode_attribute(raw, text[span.end : span.end + 1])
        return replace(link, start=span.start, end=span.end, href=href)

    def _find_links(
        self, buffer: LinkTrackingBuffer, text: str, tags: list[LinkOccurrence]
    ) -> list[LinkOccurrence]:
        """Find the links of the rendered text, and identify those of the template."""
        urls = {
            span.start: self._links[span.link_index].url for span in _select_template_spans(buffer)
        }
        return [
            link
            if link.requested
            else replace(link, url=urls[link.start])
            if link.start in urls
            else replace(link, is_from_data=True)
            for link in find_links_with_tags(self._markup, text, tags)
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


def _select_template_spans(buffer: LinkTrackingBuffer) -> list[TemplateLinkSpan]:
    return [span for span in buffer.link_spans if isinstance(span, TemplateLinkSpan)]


def _check_cio_links(
    source: str, scan: LiquidScan, markup: Markup, field: str, *, allow_tags: bool
) -> None:
    """Check each ``cio_link`` first, because errors of python-liquid do not give the reason."""
    for span in scan.spans:
        if span.name != "cio_link":
            continue
        tag = _ARGUMENTS.match(source, span.start, span.end)
        try:
            if not allow_tags:
                raise InvalidRequest.from_field(field, _TAGS_OFF)
            cio_link.parse_cio_link(markup.decode_arguments(tag[1] if tag else ""), field)
        except InvalidRequest as error:
            line = source.count("\n", 0, span.start) + 1
            reason = f"{error.problems[0].reason} (line {line})"
            raise InvalidRequest.from_field(field, reason) from None


def _find_template_links(markup: Markup, source: str, scan: LiquidScan) -> list[LinkOccurrence]:
    """Find the links in the source of the template."""
    masked_source = mask_spans(source, ((span.start, span.end) for span in scan.spans))
    links = markup.find_links(source, masked_source)
    if markup is TEXT_LINKS:
        links += _find_variable_links(source, masked_source, links, scan.spans)
    return links


def _find_variable_links(
    source: str,
    masked_source: str,
    links: list[LinkOccurrence],
    spans: Iterable[LiquidSpan],
) -> list[LinkOccurrence]:
    """Find outputs of a plain text that may become links, although the source has no ``https:``."""
    link_offsets = {offset for link in links for offset in range(link.start, link.end)}
    variable_links = []
    for span in spans:
        word = _WORD.match(masked_source, span.start)
        if span.node_type == "output" and span.start not in link_offsets and word:
            url = source[span.start : word.end()].rstrip(_TRAILING_PUNCTUATION)
            url = url if len(url) > span.end - span.start else source[span.start : span.end]
            variable_links.append(LinkOccurrence(start=span.start, end=span.end, href=url, url=url))
    return variable_links


def _can_insert_marks(source: str, link: LinkOccurrence, scan: LiquidScan) -> bool:
    """Return False if marks around a link would change the rendered text.

    Inside ``raw`` they would be text. Between whitespace and a dash they would keep the whitespace
    that the dash removes.
    """
    nearest = bisect_right(scan.raw_ranges, (link.end, len(source))) - 1
    if nearest >= 0 and link.start <= scan.raw_ranges[nearest][1]:
        return False
    quotes = source[link.start - 1 : link.start] + source[link.end : link.end + 1]
    if quotes in ("''", '""'):
        return True
    has_dash = _DASH_AT_START.match(source, link.start) or source.endswith(
        _DASHES_AT_END, 0, link.end
    )
    return not has_dash
