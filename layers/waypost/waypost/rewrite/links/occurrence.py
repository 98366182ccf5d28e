"""Describe a link's position in a text, and a text together with its links."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

TextTransform = Callable[[str], str]


def pass_through(text: str) -> str:
    """Return the text: the encoding of plain text."""
    return text


@dataclass(slots=True, kw_only=True)  # frozen takes three times as long, forty times a message
class LinkOccurrence:
    """Characters ``start`` to ``end`` of a source that hold a link, and its author's options.

    ``href`` is decoded from the source; ``encode`` writes text the same way.
    """

    start: int
    end: int
    href: str
    url: str
    """The href in the template. It identifies a link without a tag in reports."""
    replacement: str | None = None
    """Text that replaces the source if the link stays untracked; None keeps the source."""
    encode: TextTransform = pass_through
    encode_transfer: TextTransform = pass_through
    """Writes already encoded text in the transfer encoding of its MIME part."""
    track: bool = True
    url_params: bool = True
    tag: str | None = None
    requested: bool = False
    """Written as ``cio_link``: the author asked for this link, with any scheme."""
    warning: str | None = None
    """About where it was found in the text, for the report."""
    is_from_data: bool = False
    """Found only after a template was rendered: ``url`` comes from the recipient's data."""
    find_pixel: Callable[[], str] | None = None
    """Marks the position of the open-tracking pixel instead of a link. The call returns the
    payload and signature of a pixel that the document already has, or an empty string.
    """

    @property
    def identity(self) -> str:
        """Return the key that is equal for two occurrences of one link."""
        return f"tag:{self.tag}" if self.tag else f"url:{self.url}"


@dataclass(frozen=True, slots=True)
class EncodedBlock:
    """Characters ``start`` to ``end`` of a text that are encoded as one base64 body.

    ``original`` is the body as the source encodes it.
    """

    start: int
    end: int
    original: str
    encode: TextTransform


@dataclass(frozen=True, slots=True)
class RenderedText:
    """The text of a message for one recipient, with its links in order."""

    text: str
    occurrences: list[LinkOccurrence]
    blocks: Sequence[EncodedBlock] = ()
    warnings: Sequence[str] = ()
    """About tags that stay as they are."""
