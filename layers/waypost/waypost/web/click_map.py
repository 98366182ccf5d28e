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
from waypost.rewrite.links.extractor import HTML_LINKS, find_places
from waypost.rewrite.links.occurrence import Place

HEAT: Final = 4
"""Levels of heat above 0; the most clicked link has this one."""

_BEFORE_VALUE: Final = re.compile(r"""[\s"'/]href\s*=\s*["']?\Z""", re.IGNORECASE)
_LOOK_BACK: Final = 40

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
class Spot:
    """A link of the message: its number in the map, its heat of 0 to ``HEAT``, its figures."""

    number: int
    heat: int
    figures: LinkFigures

    @property
    def fragment(self) -> str:
        return f"#waypost-{self.heat}-{self.number}"


def spots(links: Sequence[LinkFigures]) -> list[Spot]:
    """The links as they stand in the message, numbered from 1, with their heat."""
    hottest = max((link.total for link in links), default=0)
    ordered = sorted(links, key=lambda link: link.position)
    return [Spot(number, _heat(link, hottest), link) for number, link in enumerate(ordered, 1)]


def mapped(html: str, known: Iterable[Spot]) -> str:
    """The message with the heat of its links. Its own links lead nowhere any more."""
    spots_by_identity = {_identity(spot.figures): spot for spot in known}
    style = _STYLE + "".join(_badge(spot) for spot in spots_by_identity.values()) + "</style>"
    return "<!doctype html>" + style + "".join(_pieces(html, spots_by_identity))


def _heat(link: LinkFigures, hottest: int) -> int:
    return -(-HEAT * link.total // hottest) if hottest else 0


def _identity(link: LinkFigures) -> str:
    """As ``waypost.rewrite.links.occurrence`` has it."""
    return f"tag:{link.tag}" if link.tag else f"url:{link.url}"


def _badge(spot: Spot) -> str:
    text = f"{spot.number} · {spot.figures.share:.0%}"
    return f'a[href="{spot.fragment}"]::after{{content:"{text}"!important}}\n'


def _pieces(html: str, known: Mapping[str, Spot]) -> Iterator[str]:
    at = 0
    for place in find_places(HTML_LINKS, html, "html"):
        if place.pixel or place.start == place.end:  # no link, or an href without a value
            continue
        yield html[at : place.start]
        yield _instead(html, place, known.get(place.identity))
        at = place.end
    yield html[at:]


def _instead(html: str, place: Place, spot: Spot | None) -> str:
    if _BEFORE_VALUE.search(html, max(0, place.start - _LOOK_BACK), place.start):
        return spot.fragment if spot else "#"
    text = place.encode(place.url)  # a ``cio_link`` in running text
    return f"{text} ({spot.number} · {spot.figures.share:.0%})" if spot else text
