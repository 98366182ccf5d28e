"""Parse the tag that tracks one link: ``{% cio_link url:… track:… url_params:… %}``.

Arguments are in any order, with or without commas between them. Values are bare or quoted, with
or without spaces after the colon, and may contain Liquid. ``track`` and ``url_params`` default to
true.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from waypost.errors import InvalidRequest

# Matches up to the end of this tag or the start of the next, so no text is scanned twice.
_TAG = re.compile(r"\{%(-?)\s*cio_link\b((?:[^%{]|%(?!\})|\{(?!%))*?)(-?)%\}")
_TAG_START = re.compile(r"\{%-?\s*cio_link\b")
_NAME = re.compile(r"[\s,]*(?:(\w+)\s*:\s*|$)")
_SPACE = re.compile(r"\s")
_QUOTES = ('"', "'")
_FLAG_VALUES = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class CioLink:
    """The arguments of one tag as written, Liquid included."""

    url: str
    track: str = "true"
    url_params: str = "true"


def find_cio_links(text: str) -> Iterator[tuple[int, int, str]]:
    """Find start, end and arguments of each tag.

    The span includes the whitespace that the dashes of a tag remove.
    """
    if "{" not in text:  # a search for one character is faster than for an expression
        return
    previous_end = 0
    for tag in _TAG.finditer(text):
        start, end = tag.span()
        while tag[1] and start > previous_end and text[start - 1].isspace():
            start -= 1
        while tag[3] and end < len(text) and text[end].isspace():
            end += 1
        yield start, end, tag[2]
        previous_end = end


def find_open_tags(text: str) -> Iterator[tuple[int, str]]:
    """Find the offset of each tag without an end, and the reason to report."""
    for opening in _iter_tag_starts(text):
        if not _TAG.match(text, opening.start()):
            end = opening.end()
            line = text[end : end + 100].partition("\n")[0]
            yield opening.start(), _describe_error(line, "no end; add %}")


def count_tags(text: str) -> int:
    """Count the tags of a text, readable or not."""
    return sum(1 for _ in _iter_tag_starts(text))


def _iter_tag_starts(text: str) -> Iterator[re.Match[str]]:
    return _TAG_START.finditer(text) if "{" in text else iter(())


def parse_cio_link(arguments: str, field: str) -> CioLink:
    """Parse the text between ``cio_link`` and the end of its tag.

    :raises InvalidRequest: with ``field``, if the syntax is invalid or the url is missing.
    """
    values: dict[str, str] = {}
    for name, value in _iter_arguments(arguments, field):
        if name not in ("url", "track", "url_params"):
            raise _syntax_error(
                field, arguments, f"unknown argument ({name!r}); use url, track or url_params"
            )
        values[name] = value
    if not values.get("url"):
        raise _syntax_error(field, arguments, "no url; add url:https://…")
    try:
        values["url"].encode()
    except UnicodeEncodeError:
        raise _syntax_error(
            field, arguments, "half of a surrogate pair in the url; remove it"
        ) from None
    return CioLink(**values)


def parse_flag(name: str, value: str, field: str) -> bool:
    """Parse the value of ``track`` or ``url_params``.

    :raises InvalidRequest: with ``field``, if the value is neither true nor false.
    """
    flag = _FLAG_VALUES.get(value.strip().lower())
    if flag is None:
        raise InvalidRequest.from_field(
            field, f"cio_link: {name} is not true or false ({value[:40]!r})"
        )
    return flag


def _iter_arguments(arguments: str, field: str) -> Iterator[tuple[str, str]]:
    position = 0
    while True:
        name = _NAME.match(arguments, position)
        if name is None:
            raise _syntax_error(field, arguments, "arguments not of the form name:value")
        if name[1] is None:
            return
        value, position = _read_value(arguments, name.end())
        yield name[1], value


def _read_value(text: str, start: int) -> tuple[str, int]:
    """Read the value at an offset; return it and the offset after it."""
    quote = text[start : start + 1]
    if quote in _QUOTES:
        end = _find_closing_quote(text, start + 1, quote)
        if end >= 0:
            return text[start + 1 : end], end + 1
    end = _find_bare_end(text, start)
    return text[start:end].removesuffix(","), end


def _find_closing_quote(text: str, start: int, quote: str) -> int:
    """Find the quote that ends a value, or -1.

    A quote inside ``{{ … }}`` belongs to the Liquid. If no other quote follows, the first one
    inside the last ``{{ … }}`` that has one ends the value.
    """
    position, inside = start, -1
    closing = text.find(quote, start)
    while closing >= 0:
        output = _find_output(text, position, closing)
        if output is None:
            return closing
        position = output[1]
        if closing < position:
            inside = closing
            closing = text.find(quote, position)
    return inside


def _find_bare_end(text: str, start: int) -> int:
    """Find the whitespace outside ``{{ … }}`` that ends a value, or the end of the text."""
    position, space = start, -1
    while True:
        if space < position:
            found = _SPACE.search(text, position)
            space = found.start() if found else len(text)
        output = _find_output(text, position, space)
        if output is None:
            return space
        position = output[1]


def _find_output(text: str, start: int, end: int) -> tuple[int, int] | None:
    """Find the first ``{{ … }}`` that begins between two offsets."""
    opening = text.find("{{", start, end)
    closing = text.find("}}", opening + 2) if opening >= 0 else -1
    return (opening, closing + 2) if closing >= 0 else None


def _syntax_error(field: str, arguments: str, reason: str) -> InvalidRequest:
    return InvalidRequest.from_field(field, _describe_error(arguments, reason))


def _describe_error(arguments: str, reason: str) -> str:
    start = arguments[:100].rstrip().encode(errors="backslashreplace").decode()
    return f"cio_link{start}: {reason}"
