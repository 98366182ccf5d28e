"""The message that was sent, each link with its share of the clicks.

Links are found as the rewrite function found them, so that each is known by the same identity. In
the place of its destination every link gets a fragment that only the style sheet knows, which
outlines it and writes its share beside it; nothing else of the message is touched.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from waypost.reports.schemas import LinkFigures
from waypost.rewrite.links.extractor import HTML_LINKS, find_links
from waypost.rewrite.links.occurrence import LinkOccurrence

MAX_HEAT: Final = 4
"""Levels of heat above 0; the most clicked link has this one."""

_BEFORE_VALUE: Final = re.compile(r"""[\s"'/]href\s*=\s*["']?\Z""", re.IGNORECASE)
_HREF_LOOKBACK: Final = 40

_STYLE: Final = """<style>
a[href^="#waypost-"]{outline:2px solid #8a8f8c!important;outline-offset:2px!important}
a[href^="#waypost-"]::after{display:inline-block!important;margin-left:.4em!important;
padding:0 .45em!important;border-radius:.8em!important;
font:700 12px/1.5 system-ui,sans-serif!important;
color:#fff!important;background:#5d6461!important;text-decoration:none!important}
a[href^="#waypost-1-"]{outline-color:#8c6d1f!important}
a[href^="#waypost-1-"]::after{background:#8c6d1f!important}
a[href^="#waypost-2-"]{outline-color:#a65410!important}
a[href^="#waypost-2-"]::after{background:#a65410!important}
a[href^="#waypost-3-"]{outline-color:#bb3a12!important}
a[href^="#waypost-3-"]::after{background:#bb3a12!important}
a[href^="#waypost-4-"]{outline-color:#a3121f!important}
a[href^="#waypost-4-"]::after{background:#a3121f!important}
"""


@dataclass(frozen=True, slots=True)
class MapLink:
    """A link of the message: its number in the map, its heat of 0 to ``HEAT``, its figures."""

    number: int
    heat: int
    figures: LinkFigures

    @property
    def fragment(self) -> str:
        return f"#waypost-{self.heat}-{self.number}"


def build_map_links(links: Sequence[LinkFigures]) -> list[MapLink]:
    """The links as they stand in the message, numbered from 1, with their heat."""
    hottest = max((link.total for link in links), default=0)
    ordered = sorted(links, key=lambda link: link.position)
    return [
        MapLink(number, _heat_level(link, hottest), link) for number, link in enumerate(ordered, 1)
    ]


def render_click_map(html: str, map_links: Iterable[MapLink]) -> str:
    """The message with the heat of its links. Its own links lead nowhere any more."""
    spots_by_identity = {_link_identity(spot.figures): spot for spot in map_links}
    style = _STYLE + "".join(_badge_css(spot) for spot in spots_by_identity.values()) + "</style>"
    return "<!doctype html>" + style + "".join(_replace_links(html, spots_by_identity))


def _heat_level(link: LinkFigures, hottest: int) -> int:
    return -(-MAX_HEAT * link.total // hottest) if hottest else 0


def _link_identity(link: LinkFigures) -> str:
    """As ``waypost.rewrite.links.occurrence`` has it."""
    return f"tag:{link.tag}" if link.tag else f"url:{link.url}"


def _badge_css(map_link: MapLink) -> str:
    text = f"{map_link.number} · {map_link.figures.share:.0%}"
    return f'a[href="{map_link.fragment}"]::after{{content:"{text}"!important}}\n'


def _replace_links(html: str, map_links: Mapping[str, MapLink]) -> Iterator[str]:
    at = 0
    for place in find_links(HTML_LINKS, html, "html"):
        if place.find_pixel or place.start == place.end:  # no link, or an href without a value
            continue
        yield html[at : place.start]
        yield _replacement(html, place, map_links.get(place.identity))
        at = place.end
    yield html[at:]


def _replacement(html: str, occurrence: LinkOccurrence, map_link: MapLink | None) -> str:
    if _BEFORE_VALUE.search(html, max(0, occurrence.start - _HREF_LOOKBACK), occurrence.start):
        return map_link.fragment if map_link else "#"
    text = occurrence.encode(occurrence.url)  # a ``cio_link`` in running text
    return f"{text} ({map_link.number} · {map_link.figures.share:.0%})" if map_link else text
