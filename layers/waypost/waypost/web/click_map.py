"""Render the sent message, each link marked with its number and its share of the clicks.

The rewrite function's parser finds the links, so each has the identity under which its clicks are
counted. A fragment replaces each link's destination; the style sheet outlines a link and adds a
label by its fragment. The rest of the message stays unchanged.
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
"""Heat of the most clicked link; a link without clicks has 0."""

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
    """A link of the message: number in the map, heat from 0 to ``MAX_HEAT``, figures."""

    number: int
    heat: int
    figures: LinkFigures

    @property
    def fragment(self) -> str:
        return f"#waypost-{self.heat}-{self.number}"


def build_map_links(links: Sequence[LinkFigures]) -> list[MapLink]:
    """Build map links, numbered from 1 in the order of the message, with their heat."""
    max_clicks = max((link.total for link in links), default=0)
    ordered = sorted(links, key=lambda link: link.position)
    return [
        MapLink(number, _compute_heat(link, max_clicks), link)
        for number, link in enumerate(ordered, 1)
    ]


def render_click_map(html: str, map_links: Iterable[MapLink]) -> str:
    """Return the message with marked links, which no longer have a destination."""
    by_identity = {_build_link_identity(map_link.figures): map_link for map_link in map_links}
    style = _STYLE + "".join(map(_build_badge_css, by_identity.values())) + "</style>"
    return "<!doctype html>" + style + "".join(_replace_links(html, by_identity))


def _compute_heat(link: LinkFigures, max_clicks: int) -> int:
    return -(-MAX_HEAT * link.total // max_clicks) if max_clicks else 0


def _build_link_identity(link: LinkFigures) -> str:
    """Return the identity of ``waypost.rewrite.links.occurrence``."""
    return f"tag:{link.tag}" if link.tag else f"url:{link.url}"


def _build_badge_css(map_link: MapLink) -> str:
    text = f"{map_link.number} · {map_link.figures.share:.0%}"
    return f'a[href="{map_link.fragment}"]::after{{content:"{text}"!important}}\n'


def _replace_links(html: str, map_links: Mapping[str, MapLink]) -> Iterator[str]:
    position = 0
    for occurrence in find_links(HTML_LINKS, html):
        if occurrence.find_pixel or occurrence.start == occurrence.end:
            continue  # a pixel, or an href without a value
        yield html[position : occurrence.start]
        yield _build_replacement(html, occurrence, map_links.get(occurrence.identity))
        position = occurrence.end
    yield html[position:]


def _build_replacement(html: str, occurrence: LinkOccurrence, map_link: MapLink | None) -> str:
    if _BEFORE_VALUE.search(html, max(0, occurrence.start - _HREF_LOOKBACK), occurrence.start):
        return map_link.fragment if map_link else "#"
    text = occurrence.encode(occurrence.url)  # a ``cio_link`` in text
    return f"{text} ({map_link.number} · {map_link.figures.share:.0%})" if map_link else text
