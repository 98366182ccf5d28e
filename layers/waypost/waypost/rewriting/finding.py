"""Finds the links of a text: those that it shows by itself, and those that ``cio_link`` names.

Every finder takes a text and the name of the field that it came from, and gives the places of its
links in order. What is left unrendered by Liquid is none of its business.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import replace

from waypost.rewriting import cio_link
from waypost.rewriting.attributes import decoded_anywhere, encoded
from waypost.rewriting.html import find_in_masked
from waypost.rewriting.masking import leftovers_masked, spans_masked
from waypost.rewriting.place import Encode, Place, as_is

Finder = Callable[[str, str], list[Place]]


def html_links(html: str, field: str) -> list[Place]:
    """``a`` and ``area`` of a document, what Outlook reads besides, and tags wherever they stand.

    :raises InvalidRequest: naming ``field``, when a tag cannot be read.
    """
    tags = html_tags(html, field)
    masked = spans_masked(html, [(tag.start, tag.end) for tag in tags])
    return _merged(html, find_in_masked(html, leftovers_masked(masked)), tags)


def html_tags(html: str, field: str) -> list[Place]:
    """Only the tags of a document, whose urls are written as HTML writes text."""
    return _tags(html, field, decoded_anywhere, encoded)


def text_tags(text: str, field: str) -> list[Place]:
    """Only the tags of a plain text."""
    return _tags(text, field, as_is, as_is)


def _tags(text: str, field: str, decode: Encode, encode: Encode) -> list[Place]:
    places = []
    for start, end, arguments in cio_link.found(text):
        tag = cio_link.parsed(arguments, field)
        url = decode(tag.url)
        places.append(
            Place(
                start=start,
                end=end,
                href=url,
                url=url,
                instead=tag.url,
                encode=encode,
                track=cio_link.flag("track", tag.track, field),
                url_params=cio_link.flag("url_params", tag.url_params, field),
                explicit=True,
            )
        )
    return places


def _merged(html: str, anchors: list[Place], tags: list[Place]) -> list[Place]:
    """Both kinds in order. A tag that is the whole href of an anchor takes over what the anchor
    says of it; an href that a tag is only part of is the tag's place, not the anchor's.
    """
    if not tags:
        return anchors
    starts = [anchor.start for anchor in anchors]
    places = {place.start: place for place in anchors}
    for tag in tags:
        at = bisect_right(starts, tag.start) - 1
        anchor = anchors[at] if at >= 0 and tag.end <= anchors[at].end else None
        if anchor is not None:
            places.pop(anchor.start, None)
            around = html[anchor.start : tag.start] + html[tag.end : anchor.end]
            tag = tag if around.strip() else _with_opt_outs(tag, anchor)
        places[tag.start] = tag
    return [places[start] for start in sorted(places)]


def _with_opt_outs(tag: Place, anchor: Place) -> Place:
    return replace(
        tag,
        track=tag.track and anchor.track,
        url_params=tag.url_params and anchor.url_params,
        tag=anchor.tag,
    )
