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

from waypost.reports.schemas import Point, SeriesStep

# pygal looks for maps, which it has none of here, each time that anything is imported; and in a way
# that Python no longer calls, and warns of instead.
sys.meta_path[:] = [one for one in sys.meta_path if not isinstance(one, PluginImportFixer)]

HUMAN_COLOR: Final = "#2f7d5b"
BOT_COLOR: Final = "#b8863b"
WIDE_CHART: Final = (900, 7)
NARROW_CHART: Final = (420, 3)
"""Widths in pixels, and how many times are written below the bars; all are equally high."""
CHART_HEIGHT: Final = 280
MIN_BARS: Final = 12
"""Room for so many bars at least, so that a campaign's first hour is a bar, too, and no block."""
MAX_GRID_LINES: Final = 5
"""Lines across the picture at most, each at a whole number of clicks."""

_DARK_STYLE: Final = (
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
    colors=(HUMAN_COLOR, BOT_COLOR),
    transition="none",
)


def render_clicks_chart(
    points: Sequence[Point], step: SeriesStep, size: tuple[int, int] = WIDE_CHART
) -> str:
    """The picture as a data URL."""
    width, most = size
    room = max(MIN_BARS, len(points))
    free = [None] * (room - len(points))
    labels = [_format_label(point.start, step) for point in points]
    chart = StackedBar(_chart_config(width))
    chart.y_labels = choose_grid_lines(max(1, *(point.total for point in points)))
    chart.x_labels = labels + [""] * len(free)
    chart.x_labels_major = labels[:: -(-room // most)]
    chart.add("Human", [point.human for point in points] + free)
    chart.add("Machine", [point.machine for point in points] + free)
    svg = str(chart.render())
    return f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}"


def _chart_config(width: int) -> Config:
    return Config(
        style=_STYLE,
        css=["file://style.css", "file://graph.css", _DARK_STYLE],
        js=[],
        height=CHART_HEIGHT,
        width=width,
        margin=8,
        spacing=6,
        show_minor_x_labels=False,
        show_legend=False,
        rounded_bars=1,
        disable_xml_declaration=True,
        truncate_label=-1,
        value_formatter=_format_count,
    )


def _format_count(clicks: float) -> str:
    """As the page writes counts (``rendering.number``), which is not imported while pygal is."""
    return f"{clicks:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def _format_label(start: str, step: SeriesStep) -> str:
    time = datetime.fromisoformat(start)
    return f"{time:%d %b}" if step == "day" else f"{time:%d %b %H:%M}"


def choose_grid_lines(max_clicks: int) -> list[int]:
    """Round numbers from 0 on, up to the first that is not below the most clicks."""
    digits = 10 ** max(0, len(str(max_clicks // MAX_GRID_LINES)) - 1)
    steps = (digits * factor for factor in (1, 2, 5, 10, 20))
    step = next(step for step in steps if step * MAX_GRID_LINES >= max_clicks)
    return list(range(0, max_clicks + step, step))
