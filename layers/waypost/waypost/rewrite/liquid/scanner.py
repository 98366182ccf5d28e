"""Find the Liquid of a template, and split a template into tokens.

``scan_liquid`` reads a template once from left to right and refuses Liquid without an end.
python-liquid alone would search to the end of the template for each opening, so a hostile template
of nothing but openings would take quadratic time.

The tokens are those of python-liquid's lexer, but the rule for text outside Liquid is replaced. The
library's rule checks at each character if Liquid begins there; the replacement skips whole runs and
gives the same tokens. Measured on 94 real e-mails of 23 KB on average, on Python 3.11: 0.36 ms
instead of 0.85 ms for the tokens, 2.2 ms instead of 2.7 ms for compiling a template. The library's
public interface (``Environment.tokenizer``, ``get_lexer``) only changes delimiters, so the private
``_tokenize_template`` is imported. If a new version words its rule differently, its own rule
applies, and a test fails.
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
_BEFORE_LIQUID = r"(?=((\{%|\{\{)(?P<rstrip>-?))|$)"
LIBRARY_TEXT_RULE: Final = ".+?" + _BEFORE_LIQUID
"""The library's rule. Its ``$`` also matches before a newline at the end of the template."""
_FAST_TEXT_RULE: Final = r".(?>(?:[^{\n]+|\n(?!\Z)|\{(?![{%]))*)" + _BEFORE_LIQUID


@dataclass(frozen=True, slots=True)
class LiquidSpan:
    """A piece of Liquid. A ``hidden`` piece renders to nothing, whatever it contains."""

    start: int
    end: int
    node_type: Literal["output", "tag", "hidden"]
    name: str = ""
    """The name of a tag."""


@dataclass(frozen=True, slots=True)
class LiquidScan:
    """The Liquid of a template, in order, and the text between ``raw`` and ``endraw``."""

    spans: list[LiquidSpan]
    raw_ranges: list[tuple[int, int]]


def scan_liquid(source: str, field: str) -> LiquidScan:
    """Find the Liquid of a template.

    :raises InvalidRequest: with ``field`` and the line, if an output, tag or block has no end.
    """
    spans: list[LiquidSpan] = []
    raw_ranges: list[tuple[int, int]] = []
    position = 0
    while opening := _OPENING.search(source, position):
        start, name = opening.start(), opening[1] or ""
        is_output = opening[0] == "{{"
        delimiter = source.find("}}" if is_output else "%}", start + 2)
        if delimiter < 0:
            raise _missing_end_error(source, start, field)
        position = delimiter + 2
        if name not in _VERBATIM_TAGS:
            spans.append(LiquidSpan(start, position, "output" if is_output else "tag", name))
            continue
        inner_end, end = _find_block_end(source, name, position, start, field)
        if name == "raw":
            raw_ranges.append((position, inner_end))
            spans.append(LiquidSpan(start, position, "tag", "raw"))
            spans.append(LiquidSpan(inner_end, end, "tag", "endraw"))
        else:
            spans.append(LiquidSpan(start, end, "hidden", name))
        position = end
    return LiquidScan(spans, raw_ranges)


def create_tokenizer() -> Callable[[str], Iterator[Token]]:
    """Create a faster equivalent of ``liquid.Environment().tokenizer()``."""
    library_rules = compile_liquid_rules()
    pattern = library_rules.pattern.replace(LIBRARY_TEXT_RULE, _FAST_TEXT_RULE)
    return partial(_tokenize_template, rules=re.compile(pattern, library_rules.flags))


def _find_block_end(source: str, name: str, offset: int, start: int, field: str) -> tuple[int, int]:
    """Locate the tag that ends a verbatim block; only comments nest."""
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
    return InvalidRequest.from_field(field, f"is not valid Liquid: no end of a tag (line {line})")
