"""What a template is rendered onto: text that remembers where its links came to stand.

Marks travel with text that is captured into a variable and put out as it is; a filter makes plain
text of it. ``steady`` falls when a value came in that could change how the text around it reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from io import StringIO

from liquid.exceptions import OutputStreamLimitError

ANYTHING = re.compile("")
Guards = Mapping[int, re.Pattern[str]]
"""By the offset of an output: what its value must not hold."""


@dataclass(frozen=True, slots=True)
class SiteMark:
    """A link of the template, by its number, and where it came to stand."""

    site: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class TagMark:
    """A ``cio_link``: where its url came to stand, and what it asks for. ``url`` is Liquid."""

    start: int
    end: int
    href: str
    url: str
    track: bool
    url_params: bool


Mark = SiteMark | TagMark


class MarkedText(str):
    """Captured text with its marks."""

    marks: tuple[Mark, ...] = ()

    @classmethod
    def of(cls, canvas: Canvas) -> MarkedText:
        text = cls(canvas.getvalue())
        text.marks = tuple(canvas.marks)
        return text


class Canvas(StringIO):
    """The output of one rendering, of at most ``limit`` characters."""

    def __init__(self, limit: int, guards: Guards) -> None:
        super().__init__(newline="")
        self.limit = limit
        self.guards = guards
        self.size = 0
        self.steady = True
        self.marks: list[Mark] = []
        self._open: dict[int, int] = {}

    def write(self, text: str) -> int:
        self.size += len(text)
        if self.size > self.limit:
            raise OutputStreamLimitError("output limit", token=None)
        return super().write(text)

    def part(self) -> Canvas:
        """A canvas for a part that is not put out yet, within what is left of the limit."""
        return Canvas(self.limit - self.size, self.guards)

    def write_value(self, text: str, offset: int) -> int:
        """Write the value of the output at an offset of the template, and its marks."""
        if isinstance(text, MarkedText):
            self.marks += (_moved(mark, self.size) for mark in text.marks)
        if self.guards.get(offset, ANYTHING).search(text):
            self.steady = False
        return self.write(text)

    def note(self, links: Iterable[SiteMark]) -> None:
        """What is written next is static text with these links in it."""
        at = self.size
        self.marks += [SiteMark(link.site, at + link.start, at + link.end) for link in links]

    def begin(self, site: int) -> None:
        """Here a link of the template begins."""
        self._open[site] = self.size

    def end(self, site: int) -> None:
        """Here it ends."""
        start = self._open.pop(site, None)
        if start is not None:
            self.marks.append(SiteMark(site, start, self.size))


def _moved(mark: Mark, by: int) -> Mark:
    return replace(mark, start=mark.start + by, end=mark.end + by)
