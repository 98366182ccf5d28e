"""Finds the links of a text: those that it shows by itself, and those that ``cio_link`` names."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, replace

from waypost.rewrite.links import cio_link, html, plain_text
from waypost.rewrite.links.html import decode_attribute_text, encode_attribute
from waypost.rewrite.links.occurrence import (
    LinkOccurrence,
    TextTransform,
    mask_liquid,
    mask_spans,
    pass_through,
)
from waypost.urls import clean_href

LinkFinder = Callable[[str, str], list[LinkOccurrence]]


def find_no_links(_text: str, _masked: str) -> list[LinkOccurrence]:
    """The links that a text shows by itself where only tags count."""
    return []


@dataclass(frozen=True, slots=True)
class Markup:
    """A way of writing texts: how links show in it, and how a tag is read and written there."""

    find_links: LinkFinder
    """Gives the links of a text, found in a copy of the same length in which Liquid is masked."""
    decode: TextTransform = pass_through
    """Reads the url of a tag."""
    encode: TextTransform = pass_through
    decode_arguments: TextTransform = pass_through
    """Reads the arguments of a tag."""


def _unescape_json(text: str) -> str:
    try:
        value = json.loads(f'"{text}"', strict=False)
    except ValueError:
        return text
    return value if isinstance(value, str) else text


def _escape_json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


HTML_LINKS = Markup(html.find_html_links, decode_attribute_text, encode_attribute)
HTML_TAGS = Markup(find_no_links, decode_attribute_text, encode_attribute)
TEXT_LINKS = Markup(plain_text.find_plain_text_links)
TEXT_TAGS = Markup(find_no_links)
JSON_TAGS = Markup(find_no_links, encode=_escape_json, decode_arguments=_unescape_json)


def find_links(markup: Markup, text: str, field: str) -> list[LinkOccurrence]:
    """All links of a rendered text, in order.

    :raises InvalidRequest: naming ``field``, when a tag cannot be read.
    """
    return find_links_with_tags(markup, text, _find_tags(markup, text, field))


def find_links_with_tags(
    markup: Markup, text: str, tags: list[LinkOccurrence]
) -> list[LinkOccurrence]:
    """All links of a text whose tags are known, in order.

    A tag that is the whole href of an anchor takes over what the anchor says of it; an href that a
    tag is only part of is the tag's place, not the anchor's.
    """
    hidden = mask_spans(text, [(tag.start, tag.end) for tag in tags])
    return merge_tags(text, markup.find_links(text, mask_liquid(hidden)), tags)


def merge_tags(
    text: str, links: list[LinkOccurrence], tags: list[LinkOccurrence]
) -> list[LinkOccurrence]:
    """Links and tags together, in order, each character in one place only."""
    if not tags:
        return links
    starts = [link.start for link in links]
    places = {place.start: place for place in links}
    for tag in tags:
        at = bisect_right(starts, tag.start) - 1
        around = links[at] if at >= 0 and tag.end <= links[at].end else None
        if around is not None:
            places.pop(around.start, None)
        alone = around is not None and _is_whole_link(text, tag, around)
        places[tag.start] = _inherit_link_options(tag, around) if around and alone else tag
    return [places[start] for start in sorted(places)]


def build_tag_occurrence(
    markup: Markup, start: int, end: int, url: str, *, track: bool, url_params: bool
) -> LinkOccurrence:
    """The place of a tag whose url is written as the text writes urls."""
    href = markup.decode(url)
    return LinkOccurrence(
        start=start,
        end=end,
        href=href,
        url=href,
        replacement=url,
        encode=markup.encode,
        track=track,
        url_params=url_params,
        requested=True,
    )


def _find_tags(markup: Markup, text: str, field: str) -> list[LinkOccurrence]:
    cio_link.check_tag_ends(text, field)
    places = []
    for start, end, arguments in cio_link.find_cio_links(text):
        tag = cio_link.parse_cio_link(markup.decode_arguments(arguments), field)
        track = cio_link.parse_flag("track", tag.track, field)
        url_params = cio_link.parse_flag("url_params", tag.url_params, field)
        place = build_tag_occurrence(
            markup, start, end, tag.url, track=track, url_params=url_params
        )
        if markup.decode_arguments is not pass_through:
            place = replace(place, replacement=markup.encode(tag.url))
        places.append(place)
    return places


def _is_whole_link(text: str, tag: LinkOccurrence, link: LinkOccurrence) -> bool:
    return not (text[link.start : tag.start] + text[tag.end : link.end]).strip()


def _inherit_link_options(tag: LinkOccurrence, link: LinkOccurrence) -> LinkOccurrence:
    return replace(
        tag,
        track=tag.track and link.track,
        url_params=tag.url_params and link.url_params,
        tag=link.tag,
    )


def apply_anchor_options(
    occurrences: list[LinkOccurrence], anchors: list[LinkOccurrence]
) -> list[LinkOccurrence]:
    """The links of a text part; what the HTML part says of a URL holds for the same URL here."""
    said: dict[str, LinkOccurrence] = {}
    for anchor in anchors:
        before = said.get(clean_href(anchor.href), anchor)
        said[clean_href(anchor.href)] = replace(
            anchor,
            track=anchor.track and before.track,
            url_params=anchor.url_params and before.url_params,
            tag=before.tag or anchor.tag,
        )
    return [
        replace(place, track=same.track, url_params=same.url_params, tag=same.tag)
        if not place.requested and (same := said.get(clean_href(place.href)))
        else place
        for place in occurrences
    ]
