"""Where the image goes that tells of an open, and how it is written.

It stands right before the end tag of the body, the last one that a browser reads as such, not one
inside a comment, a script or a text field. A document without one gets it at its very end, where
browsers add to the body whatever comes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

from turbohtml import Document

from waypost.rewrite.links.occurrence import Place
from waypost.rewriting.links.attributes import encoded
from waypost.tokens.paths import PIXELS

_ADDRESS = re.compile(PIXELS + r"([\w-]+/[\w-]+)")


def image(address: str) -> str:
    """The pixel in HTML: a point that is seen by nobody, nor read out."""
    return f'<img src="{encoded(address)}" width="1" height="1" alt="" style="border:0">'


def hidden_link(address: str) -> str:
    """The link that only machines follow, in HTML: not shown, read out, nor reached by keyboard."""
    return (
        f'<a href="{encoded(address)}" rel="nofollow" tabindex="-1" aria-hidden="true" '
        f'style="display:none;mso-hide:all"></a>'
    )


def before_end_of_body(html: str, document: Document) -> Place | None:
    """The place of the body's end tag; None where the document has no such tag."""
    body = document.select_one("body")
    location = body.source_location if body is not None else None
    if location is None or location.end_tag is None:
        return None
    start, end = location.end_tag.start_offset, location.end_tag.end_offset
    return _pixel_place(start, end, html)


def with_pixel(places: Sequence[Place], html: str) -> list[Place]:
    """The places of a document with one for the pixel: where none was found, at the end."""
    if any(place.pixel for place in places):
        return list(places)
    return [*places, _pixel_place(len(html), len(html), html)]


def _pixel_place(start: int, end: int, html: str) -> Place:
    return Place(start=start, end=end, href="", url="", pixel=partial(_carried, html))


def _carried(html: str) -> str:
    """What the last pixel carries that a document has already."""
    at = html.rfind(PIXELS)
    while at >= 0:
        if found := _ADDRESS.match(html, at):
            return found[1]
        at = html.rfind(PIXELS, 0, at)
    return ""
