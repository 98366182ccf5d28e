"""Puts marks among a template's tokens: where its links begin and end.

No character of the template moves, so python-liquid knows every piece by its own offset. A link
without Liquid in it is noted on the static text around it; others stand between two tags.
"""

from __future__ import annotations

import secrets
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from liquid import Token
from liquid.token import TOKEN_CONTENT, TOKEN_EXPRESSION, TOKEN_TAG

from waypost.rewrite.links.occurrence import Place
from waypost.rewrite.liquid.scanner import Span
from waypost.rewriting.liquid.canvas import SiteMark

MARK = f"mark_{secrets.token_hex(8)}"
"""The name of the tags: none that an author can guess."""


class LinkedText(str):
    """Static text, and the links that stand in it."""

    links: tuple[SiteMark, ...] = ()

    @classmethod
    def of(cls, text: str, links: Sequence[SiteMark]) -> LinkedText:
        linked = cls(text)
        linked.links = tuple(links)
        return linked


@dataclass(frozen=True, slots=True)
class Marks:
    """The links of a template, by their numbers. ``fixed``: those without Liquid. ``edges``: where
    others begin (``+3``) and end (``-3``). All in order.
    """

    fixed: Sequence[SiteMark]
    edges: Sequence[tuple[int, str]]


NO_MARKS: Final = Marks((), ())


def marks_of(sites: Sequence[Place], spans: Sequence[Span]) -> Marks:
    """The marks of links that are apart, in any order; ``spans`` are in theirs."""
    starts = [span.start for span in spans]
    fixed: list[SiteMark] = []
    edges: list[tuple[int, str]] = []
    for number, site in sorted(enumerate(sites), key=lambda numbered: numbered[1].start):
        if bisect_left(starts, site.start) == bisect_left(starts, site.end):
            fixed.append(SiteMark(number, site.start, site.end))
        else:
            edges += (site.start, f"+{number}"), (site.end, f"-{number}")
    return Marks(fixed, edges)


def marked(tokens: Iterator[Token], marks: Marks) -> Iterator[Token]:
    """A template's tokens with marks among them."""
    edges, fixed = deque(marks.edges), deque(marks.fixed)
    source = ""
    for token in tokens:
        source = token.source
        if token.kind != TOKEN_CONTENT:
            while edges and edges[0][0] <= token.start_index:
                yield from _tag(source, *edges.popleft())
            yield token
            continue
        at = source.index(token.value, token.start_index)
        end = at + len(token.value)
        while edges and edges[0][0] <= end:
            offset, name = edges.popleft()
            if at < offset:
                yield _content(source, at, offset, fixed)
                at = offset
            yield from _tag(source, offset, name)
        if at < end:
            yield _content(source, at, end, fixed)
    while edges:
        yield from _tag(source, *edges.popleft())


def _tag(source: str, offset: int, name: str) -> tuple[Token, Token]:
    return Token(TOKEN_TAG, MARK, offset, source), Token(TOKEN_EXPRESSION, name, offset, source)


def _content(source: str, start: int, end: int, fixed: deque[SiteMark]) -> Token:
    """Static text, with the links in it taken from ``fixed``."""
    links: list[SiteMark] = []
    while fixed and fixed[0].end <= end:
        link = fixed.popleft()
        if link.start >= start:
            links.append(SiteMark(link.site, link.start - start, link.end - start))
    text = source[start:end]
    return Token(TOKEN_CONTENT, LinkedText.of(text, links) if links else text, start, source)
