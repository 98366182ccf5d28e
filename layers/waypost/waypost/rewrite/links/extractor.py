"""Find the links of one text: those in its markup, and those in ``cio_link`` tags."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from waypost.errors import InvalidRequest
from waypost.rewrite.links import cio_link, html, plain_text
from waypost.rewrite.links.html import decode_attribute_text, encode_attribute
from waypost.rewrite.links.occurrence import LinkOccurrence, TextTransform, pass_through
from waypost.rewrite.links.placeholders import mask_liquid, mask_spans
from waypost.urls import normalize_url


@dataclass(frozen=True, slots=True)
class Markup:
    """The syntax of a text: how to find its links, and how to read and write its tags."""

    find_links: Callable[[str, str], list[LinkOccurrence]]
    """Finds the links of a text, given also a copy of the same length with Liquid masked."""
    decode: TextTransform = pass_through
    """Reads the url of a tag."""
    encode: TextTransform = pass_through
    decode_arguments: TextTransform = pass_through
    """Reads the arguments of a tag."""


def _find_no_links(_text: str, _masked_text: str) -> list[LinkOccurrence]:
    return []


def _unescape_json(text: str) -> str:
    try:
        value = json.loads(f'"{text}"', strict=False)
    except ValueError:
        return text
    return value if isinstance(value, str) else text


def _escape_json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


HTML_LINKS = Markup(html.find_html_links, decode_attribute_text, encode_attribute)
HTML_TAGS = Markup(_find_no_links, decode_attribute_text, encode_attribute)
TEXT_LINKS = Markup(plain_text.find_plain_text_links)
FLOWED_TEXT_LINKS = Markup(plain_text.find_links_across_soft_breaks)
TEXT_TAGS = Markup(_find_no_links)
JSON_TAGS = Markup(_find_no_links, encode=_escape_json, decode_arguments=_unescape_json)


@dataclass(frozen=True, slots=True)
class LinkScan:
    """The links of a rendered text, in order, and the tags that stay as they are."""

    occurrences: list[LinkOccurrence]
    ignored_tags: int = 0
    reason: str = ""
    """The reason for the first ignored tag."""

    def list_warnings(self, label: str) -> list[str]:
        """List the warning about ignored tags, if any. ``label`` names the text."""
        if not self.ignored_tags:
            return []
        count = f"{self.ignored_tags:,}"
        return [f"{label} has cio_link tags that stay as they are ({count}): {self.reason}"]


def find_links(markup: Markup, text: str) -> list[LinkOccurrence]:
    """Find all links of a rendered text, in order."""
    return scan_links(markup, text).occurrences


def scan_links(markup: Markup, text: str, *, interpret_tags: bool = True) -> LinkScan:
    """Find all links of a rendered text; without ``interpret_tags`` no tag is a link.

    A tag that cannot be read is ignored, because it may come from the data of a recipient, which
    must not stop the message.
    """
    if not interpret_tags:
        links = find_links_with_tags(markup, text, [])
        return LinkScan(links, cio_link.count_tags(text), "tags is false")
    tags, problems = _find_tags(markup, text)
    links = find_links_with_tags(markup, text, tags)
    if not problems:
        return LinkScan(links)
    offset, reason = min(problems)
    line = text.count("\n", 0, offset) + 1
    return LinkScan(links, len(problems), f"line {line}: {reason}")


def find_links_with_tags(
    markup: Markup, text: str, tags: list[LinkOccurrence]
) -> list[LinkOccurrence]:
    """Find all links of a text whose tags are located already, in order.

    A tag that is the whole href of an anchor inherits the anchor's options. A tag that is a part of
    an href replaces the anchor's link.
    """
    without_tags = mask_spans(text, [(tag.start, tag.end) for tag in tags])
    return merge_tags(text, markup.find_links(text, mask_liquid(without_tags)), tags)


def merge_tags(
    text: str, links: list[LinkOccurrence], tags: list[LinkOccurrence]
) -> list[LinkOccurrence]:
    """Merge links and tags, in order and without overlap."""
    if not tags:
        return links
    starts = [link.start for link in links]
    merged = {link.start: link for link in links}
    stripped_spans: dict[int, tuple[int, int]] = {}
    for tag in tags:
        index = bisect_right(starts, tag.start) - 1
        if index < 0 or tag.end > links[index].end:
            merged[tag.start] = tag
            continue
        anchor = links[index]
        merged.pop(anchor.start, None)
        if index not in stripped_spans:
            stripped_spans[index] = _strip_span(text, anchor.start, anchor.end)
        first, last = stripped_spans[index]
        is_whole = tag.start <= first and last <= tag.end
        merged[tag.start] = _inherit_options(tag, anchor) if is_whole else tag
    return [merged[start] for start in sorted(merged)]


def apply_anchor_options(
    occurrences: Sequence[LinkOccurrence], anchors: Iterable[LinkOccurrence]
) -> list[LinkOccurrence]:
    """Apply the options of the HTML part's anchors to the same URLs in a text part."""
    anchors_by_url: dict[str, LinkOccurrence] = {}
    for anchor in anchors:
        url = normalize_url(anchor.href)
        previous = anchors_by_url.get(url, anchor)
        anchors_by_url[url] = replace(
            anchor,
            track=anchor.track and previous.track,
            url_params=anchor.url_params and previous.url_params,
            tag=previous.tag or anchor.tag,
        )
    return [
        replace(link, track=same.track, url_params=same.url_params, tag=same.tag)
        if not link.requested and (same := anchors_by_url.get(normalize_url(link.href)))
        else link
        for link in occurrences
    ]


def _find_tags(markup: Markup, text: str) -> tuple[list[LinkOccurrence], list[tuple[int, str]]]:
    """Find the tags that can be read, and offset and reason of each that cannot."""
    tags: list[LinkOccurrence] = []
    problems = list(cio_link.find_open_tags(text))
    for start, end, arguments in cio_link.find_cio_links(text):
        try:
            tags.append(_build_tag_occurrence(markup, start, end, arguments))
        except InvalidRequest as error:
            problems.append((start, error.problems[0].reason))
    return tags, problems


def _build_tag_occurrence(markup: Markup, start: int, end: int, arguments: str) -> LinkOccurrence:
    """Build the occurrence of a tag. Raises InvalidRequest if it cannot be read."""
    field = "content"
    tag = cio_link.parse_cio_link(markup.decode_arguments(arguments), field)
    href = markup.decode(tag.url)
    has_encoded_arguments = markup.decode_arguments is not pass_through
    return LinkOccurrence(
        start=start,
        end=end,
        href=href,
        url=href,
        replacement=markup.encode(tag.url) if has_encoded_arguments else tag.url,
        encode=markup.encode,
        track=cio_link.parse_flag("track", tag.track, field),
        url_params=cio_link.parse_flag("url_params", tag.url_params, field),
        requested=True,
    )


def _strip_span(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the span without whitespace around it; the end is before the start if all is blank."""
    span = text[start:end]
    return end - len(span.lstrip()), start + len(span.rstrip())


def _inherit_options(tag: LinkOccurrence, anchor: LinkOccurrence) -> LinkOccurrence:
    return replace(
        tag,
        track=tag.track and anchor.track,
        url_params=tag.url_params and anchor.url_params,
        tag=anchor.tag,
    )
