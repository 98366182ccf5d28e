"""Find the Liquid of a template, and split a template into tokens, both in linear time.

``scan_liquid`` reads a template once from left to right and refuses Liquid without an end.

``tokenize_template`` gives the tokens of python-liquid's lexer, whose expressions take quadratic
time on ``{% raw %}`` blocks without an end and on whitespace. Its public interface
(``Environment.tokenizer``, ``get_lexer``) only changes delimiters. A property test compares the
tokens of both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from liquid import Token
from liquid.exceptions import LiquidSyntaxError
from liquid.token import (
    TOKEN_COMMENT,
    TOKEN_CONTENT,
    TOKEN_DOC,
    TOKEN_EOF,
    TOKEN_EXPRESSION,
    TOKEN_OUTPUT,
    TOKEN_TAG,
)

from waypost.errors import InvalidRequest

_OPENING = re.compile(r"\{\{|\{%(?:-?\s*(#|\w+))?")
_VERBATIM_TAGS = {
    name: re.compile(rf"\{{%-?\s*(?:(end{name})|{name})\b") for name in ("raw", "doc", "comment")
}


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


def _find_block_end(source: str, name: str, offset: int, start: int, field: str) -> tuple[int, int]:
    """Locate the tag that ends a verbatim block; only comments nest."""
    depth = 1
    while tag := _VERBATIM_TAGS[name].search(source, offset):
        delimiter = source.find("%}", tag.end())
        if delimiter < 0:
            break
        offset = delimiter + 2
        if tag[1]:
            depth -= 1
        elif name == "comment":
            depth += 1
        if not depth:
            return tag.start(), offset
    raise _missing_end_error(source, start, field)


def _missing_end_error(source: str, start: int, field: str) -> InvalidRequest:
    line = source.count("\n", 0, start) + 1
    return InvalidRequest.from_field(field, f"is not valid Liquid: no end of a tag (line {line})")


_MARKUP = re.compile(r"\{[{%]")
_OUTPUT_START = re.compile(r"(\{\{-?)\s*")
_TAG_START = re.compile(r"\{%-?\s*(#|\w+)\s*")
_BLOCK_START = re.compile(r"\{%-?\s*(raw|doc)\s*(-?)%\}")
_BLOCK_ENDS = {name: re.compile(rf"\{{%-?\s*end{name}\s*(-?)%\}}") for name in ("raw", "doc")}


class _Piece(NamedTuple):
    """A match of one rule of python-liquid's lexer, at ``start`` to ``end``.

    ``value`` begins at ``value_start``: the expression of an output or a tag, or the text of a
    block. With ``strips_text``, a dash removes the whitespace of the text that follows.
    """

    kind: str
    start: int
    end: int
    value: str = ""
    value_start: int = 0
    name: str = ""
    name_start: int = 0
    strips_text: bool = False


def tokenize_template(source: str) -> Iterator[Token]:
    """Split a template into the tokens of ``liquid.Environment().tokenizer()``.

    :raises LiquidSyntaxError: if an output or a tag has no end, or a tag has no name.
    """
    strips_text = False
    comment: list[str] = []
    comment_start = depth = 0
    for piece in _PieceReader(source).iter_pieces():
        if depth:
            depth += (piece.name == "comment") - (piece.name == "endcomment")
            if depth:
                comment.append(source[piece.start : piece.end])
                continue
            yield Token(TOKEN_COMMENT, "".join(comment), comment_start, source)
            yield Token(TOKEN_TAG, piece.name, piece.name_start, source)
            comment.clear()
        elif piece.kind == TOKEN_CONTENT:
            if text := _strip_text(source, piece, strips_start=strips_text):
                yield Token(TOKEN_CONTENT, text, piece.start, source)
            continue
        else:
            yield from _build_tokens(source, piece)
            if piece.name == "comment":
                comment_start, depth = piece.end, 1
        strips_text = piece.strips_text


def _strip_text(source: str, piece: _Piece, *, strips_start: bool) -> str:
    """Return a text without the whitespace that dashes remove. Raises LiquidSyntaxError."""
    text = source[piece.start : piece.end]
    if text.startswith(("{{", "{%")):
        token = Token(TOKEN_EOF, text, piece.start, source)
        raise LiquidSyntaxError("output or tag: no end or no name", token=token)
    if strips_start:
        text = text.lstrip()
    return text.rstrip() if source.startswith("-", piece.end + 2) else text


def _build_tokens(source: str, piece: _Piece) -> Iterator[Token]:
    """Build the tokens of an output, a tag or a block."""
    if piece.kind == TOKEN_OUTPUT:
        yield Token(TOKEN_OUTPUT, source[piece.start : piece.end], piece.start, source)
        yield Token(TOKEN_EXPRESSION, piece.value, piece.value_start, source)
    elif piece.kind == TOKEN_TAG:
        yield Token(TOKEN_TAG, piece.name, piece.name_start, source)
        if piece.value:
            yield Token(TOKEN_EXPRESSION, piece.value, piece.value_start, source)
    else:
        kind = TOKEN_DOC if piece.kind == "doc" else TOKEN_CONTENT
        yield Token(kind, piece.value, piece.start, source)


class _PieceReader:
    """Reads a template from its beginning to its end.

    An end that is missing after one piece is missing after all later ones, and not searched again.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._missing_ends: set[str] = set()

    def iter_pieces(self) -> Iterator[_Piece]:
        position = 0
        while position < len(self._source):
            piece = self._read_liquid(position) or self._read_text(position)
            yield piece
            position = piece.end

    def _read_liquid(self, start: int) -> _Piece | None:
        if self._source.startswith("{{", start):
            return self._read_output(start)
        if self._source.startswith("{%", start):
            return self._read_block(start) or self._read_tag(start)
        return None

    def _read_output(self, start: int) -> _Piece | None:
        opening = _OUTPUT_START.match(self._source, start)
        if opening is None or (closing := self._find("}}", opening.end())) < 0:
            return None
        value, has_dash = self._read_value(opening.end(), closing)
        value_start = opening.end() if value else opening.end(1)
        return _Piece(TOKEN_OUTPUT, start, closing + 2, value, value_start, strips_text=has_dash)

    def _read_tag(self, start: int) -> _Piece | None:
        opening = _TAG_START.match(self._source, start)
        if opening is None or (closing := self._find("%}", opening.end())) < 0:
            return None
        value, has_dash = self._read_value(opening.end(), closing)
        return _Piece(
            TOKEN_TAG,
            start,
            closing + 2,
            value,
            opening.end(),
            name=opening[1],
            name_start=opening.start(1),
            strips_text=has_dash,
        )

    def _read_block(self, start: int) -> _Piece | None:
        """Read a ``raw`` or ``doc`` block, whose content is not Liquid."""
        opening = _BLOCK_START.match(self._source, start)
        if opening is None or opening[1] in self._missing_ends:
            return None
        name = opening[1]
        ending = _BLOCK_ENDS[name].search(self._source, opening.end())
        if ending is None:
            self._missing_ends.add(name)
            return None
        value = self._source[opening.end() : ending.start()]
        dash = opening[2] if name == "raw" else ending[1]
        return _Piece(name, start, ending.end(), value, strips_text=bool(dash))

    def _read_text(self, start: int) -> _Piece:
        """Read text up to the next Liquid; a newline at the end of a template is a text alone."""
        markup = _MARKUP.search(self._source, start + 1)
        if markup is not None:
            return _Piece(TOKEN_CONTENT, start, markup.start())
        end = len(self._source)
        has_newline = self._source.endswith("\n") and end - 1 > start
        return _Piece(TOKEN_CONTENT, start, end - has_newline)

    def _read_value(self, start: int, end: int) -> tuple[str, bool]:
        """Return the text between delimiters, and True if a dash follows it."""
        has_dash = end > start and self._source[end - 1] == "-"
        return self._source[start : end - has_dash].rstrip(), has_dash

    def _find(self, delimiter: str, start: int) -> int:
        if delimiter in self._missing_ends:
            return -1
        position = self._source.find(delimiter, start)
        if position < 0:
            self._missing_ends.add(delimiter)
        return position
