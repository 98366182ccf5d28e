"""A place in a message where a link stands.

Hides from the HTML parser what is not HTML, without moving a single character.

The parser counts characters after newline normalisation and knows nothing of Liquid. So it is
given a copy of the same length: carriage returns become whitespace, and Liquid, whose quotes and
angle brackets mean nothing to HTML, becomes letters of the private use area.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

TextTransform = Callable[[str], str]


def pass_through(text: str) -> str:
    """The encoding of plain text: none."""
    return text


@dataclass(slots=True, kw_only=True)  # frozen takes three times as long, forty times a message
class LinkOccurrence:
    """Characters ``start`` to ``end`` of a source that hold a link, and what its author asked for.

    ``href`` is decoded from how the place writes it; ``encode`` writes text the same way.
    """

    start: int
    end: int
    href: str
    url: str
    """The href as the template has it: what a link without a tag is known by in reports."""
    replacement: str | None = None
    """What stands there when the link is left alone; None: what stands there already."""
    encode: TextTransform = pass_through
    encode_transfer: TextTransform = pass_through
    """Writes text in the transfer encoding around the place, whatever it is in itself."""
    track: bool = True
    url_params: bool = True
    tag: str | None = None
    requested: bool = False
    """Written as ``cio_link``: its author named this very link, whatever its scheme."""
    find_pixel: Callable[[], str] | None = None
    """No link, but where the image that tells of opens may stand. Called, gives what one carries
    that the document has already: looked for when somebody wants to know.
    """

    @property
    def identity(self) -> str:
        """What makes two places the same link."""
        return f"tag:{self.tag}" if self.tag else f"url:{self.url}"


_FILLER = "\ue000"

# Rendered content: what looks like Liquid is left for somebody downstream. It may hide quotes and
# a ``>``, but never a tag: browsers would see that.
_LEFTOVER = re.compile(r"\{\{[^<{}]*\}\}|\{%[^<{}]*%\}")


def mask_newlines(text: str) -> str:
    """The text without carriage returns, every other character where it was."""
    if "\r" not in text:
        return text
    return text.replace("\r\n", " \n").replace("\r", "\n")


def mask_liquid(text: str) -> str:
    """The text with everything that looks like Liquid made harmless, of the same length."""
    if "{" not in text:
        return text
    return _LEFTOVER.sub(lambda found: _FILLER * len(found[0]), text)


def mask_spans(text: str, spans: list[tuple[int, int]]) -> str:
    """The text with the given spans, in order and apart, made harmless, of the same length."""
    if not spans:
        return text
    pieces: list[str] = []
    at = 0
    for start, end in spans:
        pieces += text[at:start], _FILLER * (end - start)
        at = end
    pieces.append(text[at:])
    return "".join(pieces)
