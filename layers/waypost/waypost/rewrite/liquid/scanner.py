"""Where the Liquid of a template stands, as python-liquid will read it, and what it is.

Reads a template once from left to right and refuses what is never closed, so that a template of
nothing but openings costs no more than any other; python-liquid itself would search to the end for
each of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from waypost.errors import InvalidRequest

_OPENING = re.compile(r"\{\{|\{%(?:-?\s*(#|\w+))?")
_VERBATIM = {
    name: re.compile(rf"\{{%-?\s*(?:(end{name})|{name})\b(?:(?!%\}}).)*%\}}", re.DOTALL)
    for name in ("raw", "doc", "comment")
}


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of Liquid. ``hidden`` pieces render to nothing, whatever is written inside."""

    start: int
    end: int
    kind: Literal["output", "tag", "hidden"]
    name: str = ""
    """Of a tag."""


@dataclass(frozen=True, slots=True)
class Lexed:
    """The Liquid of a template, in order; and the text between raw and endraw."""

    spans: list[Span]
    raw: list[tuple[int, int]]


def lexed(source: str, field: str) -> Lexed:
    """Find the Liquid of a template.

    :raises InvalidRequest: naming ``field`` and the line, when something is never closed.
    """
    spans: list[Span] = []
    raw: list[tuple[int, int]] = []
    at = 0
    while opening := _OPENING.search(source, at):
        start, name = opening.start(), opening[1] or ""
        close = source.find("}}" if opening[0] == "{{" else "%}", start + 2)
        if close < 0:
            raise _unclosed(source, start, field)
        at = close + 2
        if name not in _VERBATIM:
            spans.append(Span(start, at, "output" if opening[0] == "{{" else "tag", name))
            continue
        inner_end, end = _end_of(source, name, at, start, field)
        if name == "raw":
            raw.append((at, inner_end))
            spans += Span(start, at, "tag", "raw"), Span(inner_end, end, "tag", "endraw")
        else:
            spans.append(Span(start, end, "hidden", name))
        at = end
    return Lexed(spans, raw)


def _end_of(source: str, name: str, at: int, start: int, field: str) -> tuple[int, int]:
    """Where the tag that ends a verbatim block begins and ends; only comments nest."""
    depth = 1
    while tag := _VERBATIM[name].search(source, at):
        at = tag.end()
        if tag[1]:
            depth -= 1
        elif name == "comment":
            depth += 1
        if not depth:
            return tag.span()
    raise _unclosed(source, start, field)


def _unclosed(source: str, start: int, field: str) -> InvalidRequest:
    line = source.count("\n", 0, start) + 1
    return InvalidRequest.of(field, f"holds Liquid that is never closed (line {line})")
