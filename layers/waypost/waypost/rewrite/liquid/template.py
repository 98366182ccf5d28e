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
from waypost.rewrite.links.extractor import TEXT_LINKS, Markup, find_with_tags, merged
from waypost.rewrite.links.html import decoded
from waypost.rewrite.links.mime import Block
from waypost.rewrite.links.occurrence import Place, spans_masked
from waypost.rewrite.liquid import environment as language
from waypost.rewrite.liquid.link_tracking import Canvas, Guards, SiteMark, TagMark, marks_of
from waypost.rewrite.liquid.scanner import Lexed, Span, lexed
from waypost.rewrite.liquid.static_analysis import guards

_ARGUMENTS = re.compile(r"\{%-?\s*cio_link\b(.*?)-?%\}", re.DOTALL)
_DASH_AT_START = re.compile(r"\{[{%]-")
_DASHES = ("-}}", "-%}")
_WORD = re.compile(r"\S+")
_TRAILING = ".,;:!?)]}'\""


@dataclass(frozen=True, slots=True)
class Rendered:
    """One recipient's text, and where its links stand, in order."""

    text: str
    places: list[Place]
    blocks: list[Block] = field(default_factory=list)
    """What of it is encoded as one."""


class Template:
    """A compiled text of a message.

    :raises InvalidRequest: naming ``field`` and the line, when it is not Liquid.
    """

    def __init__(self, markup: Markup, source: str, field: str) -> None:
        found = lexed(source, field)
        _check_tags(source, found, markup, field)
        self._markup = markup
        self._field = field
        self._source = source
        sites = _sites(markup, source, found)
        self._sites = [site for site in sites if _can_be_marked(source, site, found)]
        all_marked = len(self._sites) == len(sites)
        searched = markup.links is html.find_in_masked
        steady = guards(source, found) if searched and all_marked else None
        self._steady = steady is not None
        self._guards: Guards = {} if steady is None else _by_token(steady, source, found.spans)
        environment = language.TemplateEnvironment(
            markup.unescape, markup.encode, source, marks_of(self._sites, found.spans)
        )
        self._template = language.compiled(source, field, environment)

    @property
    def is_steady(self) -> bool:
        """Whether links are found once, unless a recipient's data says otherwise."""
        return self._steady

    def rendered(self, data: Mapping[str, object]) -> Rendered:
        """Render for one recipient.

        :raises InvalidRequest: naming the field and the reason.
        """
        canvas = language.painted(self._template, data, self._guards, self._field)
        text = language.checked(canvas.getvalue(), self._field)
        tags = [self._tag(mark) for mark in canvas.marks if isinstance(mark, TagMark)]
        if self._steady and canvas.steady:
            return Rendered(text, merged(text, self._placed(canvas, text), tags))
        return Rendered(text, self._found(canvas, text, tags))

    def _placed(self, canvas: Canvas, text: str) -> list[Place]:
        """The template's own links, where they came to stand."""
        marks = [mark for mark in canvas.marks if isinstance(mark, SiteMark)]
        return [self._moved(mark, text) for mark in sorted(marks, key=lambda mark: mark.start)]

    def _moved(self, mark: SiteMark, text: str) -> Place:
        site = self._sites[mark.site]
        raw = text[mark.start : mark.end]
        if raw == self._source[site.start : site.end]:
            return replace(site, start=mark.start, end=mark.end)
        href = decoded(raw, text[mark.end : mark.end + 1])
        return replace(site, start=mark.start, end=mark.end, href=href)

    def _found(self, canvas: Canvas, text: str, tags: list[Place]) -> list[Place]:
        """The links of the rendered text, known as the template knows them where it does."""
        urls = {
            mark.start: self._sites[mark.site].url
            for mark in canvas.marks
            if isinstance(mark, SiteMark)
        }
        return [
            replace(place, url=urls[place.start])
            if place.start in urls and not place.explicit
            else place
            for place in find_with_tags(self._markup, text, tags)
        ]

    def _tag(self, mark: TagMark) -> Place:
        return Place(
            start=mark.start,
            end=mark.end,
            href=self._markup.decode(mark.href),
            url=self._markup.decode(mark.url),
            encode=self._markup.encode,
            track=mark.track,
            url_params=mark.url_params,
            explicit=True,
        )


def _sites(markup: Markup, source: str, found: Lexed) -> list[Place]:
    """The links that the template itself has."""
    masked = spans_masked(source, [(span.start, span.end) for span in found.spans])
    sites = markup.links(source, masked)
    if markup is TEXT_LINKS:
        sites += _variable_links(source, masked, sites, found.spans)
    return sites


def _can_be_marked(source: str, site: Place, found: Lexed) -> bool:
    """Not inside raw, where a mark would be text; nor where it would stand between whitespace and
    the dash that takes it away.
    """
    nearest = bisect_right(found.raw, (site.end, len(source))) - 1
    if nearest >= 0 and site.start <= found.raw[nearest][1]:
        return False
    quotes = source[site.start - 1 : site.start] + source[site.end : site.end + 1]
    if quotes in ("''", '""'):
        return True
    return not (_DASH_AT_START.match(source, site.start) or source.endswith(_DASHES, 0, site.end))


def _variable_links(
    source: str, masked: str, sites: list[Place], spans: Iterable[Span]
) -> list[Place]:
    """Outputs of a plain text that may turn out to be links: the template shows no ``https:``."""
    within = {offset for site in sites for offset in range(site.start, site.end)}
    places = []
    for span in spans:
        word = _WORD.match(masked, span.start)
        if span.kind == "output" and span.start not in within and word:
            url = source[span.start : word.end()].rstrip(_TRAILING)
            url = url if len(url) > span.end - span.start else source[span.start : span.end]
            places.append(Place(start=span.start, end=span.end, href=url, url=url))
    return places


def _by_token(guards: Guards, source: str, spans: Iterable[Span]) -> Guards:
    """Guards by the offsets of tokens: outputs are known by their braces, tags by their name."""
    return {
        source.index(span.name, span.start) if span.kind == "tag" else span.start: guard
        for span in spans
        if (guard := guards.get(span.start))
    }


def _check_tags(source: str, found: Lexed, markup: Markup, field: str) -> None:
    """Read every ``cio_link`` now: python-liquid would not say what is wrong with it."""
    for span in found.spans:
        if span.name == "cio_link":
            tag = _ARGUMENTS.match(source, span.start, span.end)
            cio_link.parsed(markup.unescape(tag[1] if tag else ""), field)
