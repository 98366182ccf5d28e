"""A place in a message where a link stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Encode = Callable[[str], str]


def as_is(text: str) -> str:
    """The encoding of plain text: none."""
    return text


@dataclass(slots=True, kw_only=True)  # frozen takes three times as long, forty times a message
class Place:
    """Characters ``start`` to ``end`` of a source that hold a link, and what its author asked for.

    ``href`` is decoded from how the place writes it; ``encode`` writes text the same way.
    """

    start: int
    end: int
    href: str
    url: str
    """The href as the template has it: what a link without a tag is known by in reports."""
    instead: str | None = None
    """What stands there when the link is left alone; None: what stands there already."""
    encode: Encode = as_is
    transfer: Encode = as_is
    """Writes text in the transfer encoding around the place, whatever it is in itself."""
    track: bool = True
    url_params: bool = True
    tag: str | None = None
    explicit: bool = False
    """Written as ``cio_link``: its author named this very link, whatever its scheme."""
    pixel: Callable[[], str] | None = None
    """No link, but where the image that tells of opens may stand. Called, gives what one carries
    that the document has already: looked for when somebody wants to know.
    """

    @property
    def identity(self) -> str:
        """What makes two places the same link."""
        return f"tag:{self.tag}" if self.tag else f"url:{self.url}"
