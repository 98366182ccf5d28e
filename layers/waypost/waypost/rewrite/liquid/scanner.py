"""Where the Liquid of a template stands, as python-liquid will read it, and what it is.

Reads a template once from left to right and refuses what is never closed, so that a template of
nothing but openings costs no more than any other; python-liquid itself would search to the end for
each of them.

How a template is cut into tokens: by python-liquid's own lexer, its static text read in runs.

The library's rule for text between Liquid looks at every single character whether Liquid begins
there, which is most of what compiling an e-mail takes. The same rule is written here so that it
passes over what cannot begin any; every token stays what it was, to the offset. Where the library
words its rule otherwise one day, its own is used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

from liquid import Token
from liquid.lex import _tokenize_template, compile_liquid_rules

from waypost.errors import InvalidRequest

_OPENING = re.compile(r"\{\{|\{%(?:-?\s*(#|\w+))?")
_VERBATIM_TAGS = {
    name: re.compile(rf"\{{%-?\s*(?:(end{name})|{name})\b(?:(?!%\}}).)*%\}}", re.DOTALL)
    for name in ("raw", "doc", "comment")
}


@dataclass(frozen=True, slots=True)
class LiquidSpan:
    """A piece of Liquid. ``hidden`` pieces render to nothing, whatever is written inside."""

    start: int
    end: int
    node_type: Literal["output", "tag", "hidden"]
    name: str = ""
    """Of a tag."""


@dataclass(frozen=True, slots=True)
class LiquidScan:
    """The Liquid of a template, in order; and the text between raw and endraw."""

    spans: list[LiquidSpan]
    raw_ranges: list[tuple[int, int]]


def scan_liquid(source: str, field: str) -> LiquidScan:
    """Find the Liquid of a template.

    :raises InvalidRequest: naming ``field`` and the line, when something is never closed.
    """
    spans: list[LiquidSpan] = []
    raw: list[tuple[int, int]] = []
    at = 0
    while opening := _OPENING.search(source, at):
        start, name = opening.start(), opening[1] or ""
        close = source.find("}}" if opening[0] == "{{" else "%}", start + 2)
        if close < 0:
            raise _missing_end_error(source, start, field)
        at = close + 2
        if name not in _VERBATIM_TAGS:
            spans.append(LiquidSpan(start, at, "output" if opening[0] == "{{" else "tag", name))
            continue
        inner_end, end = _find_block_end(source, name, at, start, field)
        if name == "raw":
            raw.append((at, inner_end))
            spans += (
                LiquidSpan(start, at, "tag", "raw"),
                LiquidSpan(inner_end, end, "tag", "endraw"),
            )
        else:
            spans.append(LiquidSpan(start, end, "hidden", name))
        at = end
    return LiquidScan(spans, raw)


def _find_block_end(source: str, name: str, offset: int, start: int, field: str) -> tuple[int, int]:
    """Where the tag that ends a verbatim block begins and ends; only comments nest."""
    depth = 1
    while tag := _VERBATIM_TAGS[name].search(source, offset):
        offset = tag.end()
        if tag[1]:
            depth -= 1
        elif name == "comment":
            depth += 1
        if not depth:
            return tag.span()
    raise _missing_end_error(source, start, field)


def _missing_end_error(source: str, start: int, field: str) -> InvalidRequest:
    line = source.count("\n", 0, start) + 1
    return InvalidRequest.from_field(field, f"holds Liquid that is never closed (line {line})")


_UP_TO_LIQUID = r"(?=((\{%|\{\{)(?P<rstrip>-?))|$)"
LIBRARY_TEXT_RULE: Final = ".+?" + _UP_TO_LIQUID
"""The library's rule. Its ``$`` matches before a newline at the very end, too."""
FAST_TEXT_RULE: Final = r".(?>(?:[^{\n]+|\n(?!\Z)|\{(?![{%]))*)" + _UP_TO_LIQUID


def create_tokenizer() -> Callable[[str], Iterator[Token]]:
    """What ``liquid.Environment.tokenizer`` gives."""
    theirs = compile_liquid_rules()
    ours = re.compile(theirs.pattern.replace(LIBRARY_TEXT_RULE, FAST_TEXT_RULE), theirs.flags)
    return partial(_tokenize_template, rules=ours)
