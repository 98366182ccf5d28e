"""Escape tags in values of users, before the values are rendered into a message."""

from __future__ import annotations

import re
from typing import Final

ZERO_WIDTH_NON_JOINER: Final = "\u200c"

# Between these characters a value, or a value and the text next to it, could begin a tag.
_TAG_OPENING = re.compile(r"\{(?=%|\Z)|\A(?=%)")


def escape_tags(value: str) -> str:
    """Separate ``{`` and ``%`` in a value, so that no ``cio_link`` tag can begin in it.

    An invisible character (U+200C) goes between them, and at an end of the value where the text
    next to it could complete the pair. A reader sees no difference, in HTML, in plain text and in
    JSON. Escape for HTML or JSON before or after it, in any order. In a URL, percent-encode the
    value instead.
    """
    return _TAG_OPENING.sub(rf"\g<0>{ZERO_WIDTH_NON_JOINER}", value)
