"""The tag by which an author asks for a link: ``{% cio_link url:… track:… url_params:… %}``.

Values are bare or quoted, with or without spaces after the colon, in any order, with or without
commas between them; they may hold Liquid of their own. ``track`` and ``url_params`` are true
unless they say otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from waypost.errors import InvalidRequest

# Up to the end of this tag or the beginning of the next one: nothing is read twice.
CIO_LINK_TAG = re.compile(r"\{%(-?)\s*cio_link\b((?:[^%{]|%(?!\})|\{(?!%))*?)(-?)%\}")
_OPENING = re.compile(r"\{%-?\s*cio_link\b")
_NAME = re.compile(r"[\s,]*(?:(\w+)\s*:\s*|$)")
_ATOM = r"\{\{(?:(?!\}\}).)*\}\}"
_VALUE = re.compile(
    rf"""(?P<quote>["'])(?P<quoted>(?:{_ATOM}|(?!(?P=quote)).)*)(?P=quote)|(?P<bare>(?:{_ATOM}|\S)*)""",
    re.DOTALL,
)
_FLAG_VALUES = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class CioLink:
    """What one tag asks for. Values are as the tag has them, Liquid included."""

    url: str
    track: str = "true"
    url_params: str = "true"


def find_cio_links(text: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and arguments of every tag; with the whitespace that its dashes take away."""
    if "{" not in text:  # one character is found faster than an expression
        return
    before = 0
    for tag in CIO_LINK_TAG.finditer(text):
        start, end = tag.span()
        while tag[1] and start > before and text[start - 1].isspace():
            start -= 1
        while tag[3] and end < len(text) and text[end].isspace():
            end += 1
        yield start, end, tag[2]
        before = end


def check_tag_ends(text: str, field: str) -> None:
    """Refuse a text in which a tag begins that does not end: its recipients would read it.

    :raises InvalidRequest: naming ``field``.
    """
    for opening in _OPENING.finditer(text) if "{" in text else ():
        if not CIO_LINK_TAG.match(text, opening.start()):
            end = opening.end()
            raise _syntax_error(field, text[end : end + 100].partition("\n")[0], "it never ends")


def parse_cio_link(arguments: str, field: str) -> CioLink:
    """Read what stands between ``cio_link`` and the end of its tag.

    :raises InvalidRequest: naming ``field``, when it cannot be read or has no url.
    """
    values: dict[str, str] = {}
    for name, value in _iter_arguments(arguments, field):
        if name not in ("url", "track", "url_params"):
            raise _syntax_error(field, arguments, f"{name!r} is not url, track or url_params")
        values[name] = value
    if not values.get("url"):
        raise _syntax_error(field, arguments, "it has no url")
    return CioLink(**values)


def parse_flag(name: str, value: str, field: str) -> bool:
    """What ``track`` or ``url_params`` says.

    :raises InvalidRequest: naming ``field``, when it is neither true nor false.
    """
    truth = _FLAG_VALUES.get(value.strip().lower())
    if truth is None:
        raise InvalidRequest.from_field(
            field, f"cio_link: {name} is {value[:40]!r}, not true or false"
        )
    return truth


def _iter_arguments(arguments: str, field: str) -> Iterator[tuple[str, str]]:
    at = 0
    while True:
        name = _NAME.match(arguments, at)
        if name is None:
            raise _syntax_error(field, arguments, "it is not a list of name:value")
        if name[1] is None:
            return
        value = _VALUE.match(arguments, name.end())
        assert value is not None  # noqa: S101 - a bare value may be empty
        at = value.end()
        yield name[1], value["quoted"] if value["quote"] else value["bare"].removesuffix(",")


def _syntax_error(field: str, arguments: str, reason: str) -> InvalidRequest:
    return InvalidRequest.from_field(field, f"cio_link{arguments[:100].rstrip()}: {reason}")
