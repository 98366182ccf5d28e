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

from pygal import Config, StackedBar
from pygal.style import Style

from waypost.reporting.answers import Point, Step

# pygal finds maps by an import hook of a kind that Python no longer calls, and warns of instead.
sys.meta_path[:] = [finder for finder in sys.meta_path if hasattr(finder, "find_spec")]

HUMAN: Final = "#2f7d5b"
MACHINE: Final = "#b8863b"
WIDE: Final = (900, 7)
NARROW: Final = (420, 3)
"""Widths in pixels, and how many times are written below the bars; all are equally high."""
HEIGHT: Final = 280

_STYLE: Final = Style(
    background="transparent",
    plot_background="transparent",
    foreground="#6f7672",
    foreground_strong="#6f7672",
    foreground_subtle="#6f7672",
    guide_stroke_color="rgba(111,118,114,.35)",
    major_guide_stroke_color="rgba(111,118,114,.35)",
    font_family="system-ui,sans-serif",
    label_font_size=13,
    major_label_font_size=13,
    legend_font_size=13,
    colors=(HUMAN, MACHINE),
    transition="none",
)


def clicks_over_time(points: Sequence[Point], step: Step, size: tuple[int, int] = WIDE) -> str:
    """The picture as a data URL."""
    width, most = size
    config = Config(
        style=_STYLE,
        js=[],
        height=HEIGHT,
        width=width,
        margin=8,
        spacing=6,
        show_minor_x_labels=False,
        legend_at_bottom=True,
        legend_box_size=13,
        rounded_bars=1,
        disable_xml_declaration=True,
        truncate_label=-1,
        value_formatter=lambda clicks: f"{clicks:,.0f}",
    )
    chart = StackedBar(config)
    chart.x_labels = [_label(point.start, step) for point in points]
    chart.x_labels_major = chart.x_labels[:: max(1, -(-len(points) // most))]
    chart.add("Human", [point.human for point in points])
    chart.add("Machine", [point.machine for point in points])
    svg = str(chart.render())
    return f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}"


def _label(start: str, step: Step) -> str:
    time = datetime.fromisoformat(start)
    return f"{time:%d %b}" if step == "day" else f"{time:%d %b %H:%M}"
