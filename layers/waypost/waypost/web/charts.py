"""Clicks over time as a picture: stacked bars, human and machine apart.

The picture is SVG by pygal, put into the page as an image: nothing in it can run, its style stays
its own, and what it shows stands in a table beside it.
"""

from __future__ import annotations

import sys
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from pygal import Config, PluginImportFixer, StackedBar
from pygal.style import Style

from waypost.reports.schemas import Point, Step

# pygal looks for maps, which it has none of here, each time that anything is imported; and in a way
# that Python no longer calls, and warns of instead.
sys.meta_path[:] = [one for one in sys.meta_path if not isinstance(one, PluginImportFixer)]

HUMAN: Final = "#2f7d5b"
MACHINE: Final = "#b8863b"
WIDE: Final = (900, 7)
NARROW: Final = (420, 3)
"""Widths in pixels, and how many times are written below the bars; all are equally high."""
HEIGHT: Final = 280
LEAST_BARS: Final = 12
"""Room for so many bars at least, so that a campaign's first hour is a bar, too, and no block."""
MOST_LINES: Final = 5
"""Lines across the picture at most, each at a whole number of clicks."""

_DARK: Final = (
    "inline:@media (prefers-color-scheme:dark){text{fill:#a9b3ad !important}"
    ".color-0{fill:#4fae84 !important;stroke:#4fae84 !important}"
    ".color-1{fill:#d3a45a !important;stroke:#d3a45a !important}}"
)
"""As the page's style has them. A browser applies it to a picture as to the page around it."""

_STYLE: Final = Style(
    background="transparent",
    plot_background="transparent",
    foreground="#55605a",
    foreground_strong="#55605a",
    foreground_subtle="#55605a",
    guide_stroke_color="rgba(111,118,114,.35)",
    major_guide_stroke_color="rgba(111,118,114,.35)",
    font_family="system-ui,sans-serif",
    label_font_size=13,
    major_label_font_size=13,
    opacity="1",
    colors=(HUMAN, MACHINE),
    transition="none",
)


def clicks_over_time(points: Sequence[Point], step: Step, size: tuple[int, int] = WIDE) -> str:
    """The picture as a data URL."""
    width, most = size
    room = max(LEAST_BARS, len(points))
    free = [None] * (room - len(points))
    labels = [_label(point.start, step) for point in points]
    chart = StackedBar(_config(width))
    chart.y_labels = lines(max(1, *(point.total for point in points)))
    chart.x_labels = labels + [""] * len(free)
    chart.x_labels_major = labels[:: -(-room // most)]
    chart.add("Human", [point.human for point in points] + free)
    chart.add("Machine", [point.machine for point in points] + free)
    svg = str(chart.render())
    return f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}"


def _config(width: int) -> Config:
    return Config(
        style=_STYLE,
        css=["file://style.css", "file://graph.css", _DARK],
        js=[],
        height=HEIGHT,
        width=width,
        margin=8,
        spacing=6,
        show_minor_x_labels=False,
        show_legend=False,
        rounded_bars=1,
        disable_xml_declaration=True,
        truncate_label=-1,
        value_formatter=_count,
    )


def _count(clicks: float) -> str:
    """As the page writes counts (``rendering.number``), which is not imported while pygal is."""
    return f"{clicks:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def _label(start: str, step: Step) -> str:
    time = datetime.fromisoformat(start)
    return f"{time:%d %b}" if step == "day" else f"{time:%d %b %H:%M}"


def lines(most: int) -> list[int]:
    """Round numbers from 0 on, up to the first that is not below the most clicks."""
    digits = 10 ** max(0, len(str(most // MOST_LINES)) - 1)
    steps = (digits * factor for factor in (1, 2, 5, 10, 20))
    step = next(step for step in steps if step * MOST_LINES >= most)
    return list(range(0, most + step, step))
