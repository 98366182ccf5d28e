"""Finds the links of a text: those that it shows by itself, and those that ``cio_link`` names."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, replace

from waypost.rewrite.links import cio_link, html, plain_text
from waypost.rewrite.links.html import decoded_anywhere, encoded
from waypost.rewrite.links.occurrence import Encode, Place, as_is, leftovers_masked, spans_masked
from waypost.urls import cleaned

FindMasked = Callable[[str, str], list[Place]]


def no_links(_text: str, _masked: str) -> list[Place]:
    """The links that a text shows by itself where only tags count."""
    return []


@dataclass(frozen=True, slots=True)
class Markup:
    """A way of writing texts: how links show in it, and how a tag is read and written there."""

    links: FindMasked
    """Gives the links of a text, found in a copy of the same length in which Liquid is masked."""
    decode: Encode = as_is
    """Reads the url of a tag."""
    encode: Encode = as_is
    unescape: Encode = as_is
    """Reads the arguments of a tag."""


def _json_unescaped(text: str) -> str:
    try:
        value = json.loads(f'"{text}"', strict=False)
    except ValueError:
        return text
    return value if isinstance(value, str) else text


def _json_escaped(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


HTML_LINKS = Markup(html.find_in_masked, decoded_anywhere, encoded)
HTML_TAGS = Markup(no_links, decoded_anywhere, encoded)
TEXT_LINKS = Markup(plain_text.find_in_masked)
TEXT_TAGS = Markup(no_links)
JSON_TAGS = Markup(no_links, encode=_json_escaped, unescape=_json_unescaped)


def find_places(markup: Markup, text: str, field: str) -> list[Place]:
    """All links of a rendered text, in order.

    :raises InvalidRequest: naming ``field``, when a tag cannot be read.
    """
    return find_with_tags(markup, text, _tags(markup, text, field))


def find_with_tags(markup: Markup, text: str, tags: list[Place]) -> list[Place]:
    """All links of a text whose tags are known, in order.

    A tag that is the whole href of an anchor takes over what the anchor says of it; an href that a
    tag is only part of is the tag's place, not the anchor's.
    """
    hidden = spans_masked(text, [(tag.start, tag.end) for tag in tags])
    return merged(text, markup.links(text, leftovers_masked(hidden)), tags)


def merged(text: str, links: list[Place], tags: list[Place]) -> list[Place]:
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
        alone = around is not None and _is_all_of(text, tag, around)
        places[tag.start] = _with_opt_outs(tag, around) if around and alone else tag
    return [places[start] for start in sorted(places)]


def tag_place(
    markup: Markup, start: int, end: int, url: str, *, track: bool, url_params: bool
) -> Place:
    """The place of a tag whose url is written as the text writes urls."""
    href = markup.decode(url)
    return Place(
        start=start,
        end=end,
        href=href,
        url=href,
        instead=url,
        encode=markup.encode,
        track=track,
        url_params=url_params,
        explicit=True,
    )


def _tags(markup: Markup, text: str, field: str) -> list[Place]:
    cio_link.check_closed(text, field)
    places = []
    for start, end, arguments in cio_link.found(text):
        tag = cio_link.parsed(markup.unescape(arguments), field)
        track = cio_link.flag("track", tag.track, field)
        url_params = cio_link.flag("url_params", tag.url_params, field)
        place = tag_place(markup, start, end, tag.url, track=track, url_params=url_params)
        if markup.unescape is not as_is:
            place = replace(place, instead=markup.encode(tag.url))
        places.append(place)
    return places


def _is_all_of(text: str, tag: Place, link: Place) -> bool:
    return not (text[link.start : tag.start] + text[tag.end : link.end]).strip()


def _with_opt_outs(tag: Place, link: Place) -> Place:
    return replace(
        tag,
        track=tag.track and link.track,
        url_params=tag.url_params and link.url_params,
        tag=link.tag,
    )


def with_opt_outs(places: list[Place], anchors: list[Place]) -> list[Place]:
    """The links of a text part; what the HTML part says of a URL holds for the same URL here."""
    said: dict[str, Place] = {}
    for anchor in anchors:
        before = said.get(cleaned(anchor.href), anchor)
        said[cleaned(anchor.href)] = replace(
            anchor,
            track=anchor.track and before.track,
            url_params=anchor.url_params and before.url_params,
            tag=before.tag or anchor.tag,
        )
    return [
        replace(place, track=same.track, url_params=same.url_params, tag=same.tag)
        if not place.explicit and (same := said.get(cleaned(place.href)))
        else place
        for place in places
    ]
