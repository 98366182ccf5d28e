"""Lay out clicks over time as stacked bars: human clicks at the baseline, bot clicks above them.

``templates/chart.svg`` draws the layout inside the page. Horizontal positions are percentages of
the plot and vertical ones are pixels, so that one chart fits every screen without scaling its text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from waypost.reports.schemas import Point, SeriesStep

PLOT_TOP: Final = 8
PLOT_BOTTOM: Final = 248
CHART_HEIGHT: Final = 280
"""In pixels; the time labels are below the plot."""
BAR_PART: Final = 0.8
"""Part of a bar's slot that the bar fills; the rest is the gap to the next bar."""
MIN_BARS: Final = 12
"""Minimum number of slots: a campaign's first hour is a bar, too, and not a block."""
MAX_GRID_LINES: Final = 5
"""Maximum number of grid lines above 0, each at a whole number of clicks."""
MAX_TIME_LABELS: Final = 6
MAX_PHONE_TIME_LABELS: Final = 2
LABEL_PART: Final = 0.9
"""Part of a label's space that the longest text fills: "01 Nov 00:00" is 75 to 81 px wide."""


@dataclass(frozen=True, slots=True)
class GridLine:
    """A horizontal line at a number of clicks."""

    clicks: int
    y: float


@dataclass(frozen=True, slots=True)
class ChartBar:
    """The clicks of one hour or day. The human part ends at ``human_top``."""

    label: str
    human: int
    bots: int
    x: float
    human_top: float
    top: float


@dataclass(frozen=True, slots=True)
class TimeLabel:
    """A time below the plot. Phones show only those with ``is_on_phones``."""

    text: str
    x: float
    is_on_phones: bool


@dataclass(frozen=True, slots=True)
class ClicksChart:
    """Positions of all parts of a chart. ``bar_width`` is a percentage."""

    step: SeriesStep
    bar_width: float
    bars: Sequence[ChartBar]
    grid_lines: Sequence[GridLine]
    time_labels: Sequence[TimeLabel]
    plot_bottom: int = PLOT_BOTTOM
    height: int = CHART_HEIGHT


def build_clicks_chart(points: Sequence[Point], step: SeriesStep) -> ClicksChart | None:
    """Return the chart of a series, or None for a series without points."""
    if not points:
        return None
    slot = 100 / max(MIN_BARS, len(points))
    grid = choose_grid_lines(max(1, *(point.total for point in points)))
    return ClicksChart(
        step=step,
        bar_width=round(slot * BAR_PART, 3),
        bars=[_build_bar(point, step, slot * n, grid[-1]) for n, point in enumerate(points)],
        grid_lines=[GridLine(clicks, _to_y(clicks, grid[-1])) for clicks in grid],
        time_labels=_build_time_labels(points, step, slot),
    )


def choose_grid_lines(max_clicks: int) -> list[int]:
    """Return round numbers from 0 to the first one that is at least ``max_clicks``."""
    digits = 10 ** max(0, len(str(max_clicks // MAX_GRID_LINES)) - 1)
    steps = (digits * factor for factor in (1, 2, 5, 10, 20))
    step = next(step for step in steps if step * MAX_GRID_LINES >= max_clicks)
    return list(range(0, max_clicks + step, step))


def _build_bar(point: Point, step: SeriesStep, x: float, max_clicks: int) -> ChartBar:
    return ChartBar(
        label=_format_label(point.start, step),
        human=point.human,
        bots=point.machine,
        x=round(x, 3),
        human_top=_to_y(point.human, max_clicks),
        top=_to_y(point.human + point.machine, max_clicks),
    )


def _to_y(clicks: int, max_clicks: int) -> float:
    return round(PLOT_BOTTOM - (PLOT_BOTTOM - PLOT_TOP) * clicks / max_clicks, 2)


def _build_time_labels(points: Sequence[Point], step: SeriesStep, slot: float) -> list[TimeLabel]:
    """Label points at equal distances, each with enough room before the next one and the edge."""
    slots = round(100 / slot)
    every = -(-slots // MAX_TIME_LABELS)
    every_on_phones = every * -(-slots // (every * MAX_PHONE_TIME_LABELS))
    return [
        TimeLabel(
            text=_format_label(points[n].start, step),
            x=round(slot * n, 3),
            is_on_phones=n % every_on_phones == 0 and _has_room(slot * n, MAX_PHONE_TIME_LABELS),
        )
        for n in range(0, len(points), every)
        if _has_room(slot * n, MAX_TIME_LABELS)
    ]


def _has_room(x: float, max_labels: int) -> bool:
    return x + LABEL_PART * 100 / max_labels <= 100


def _format_label(start: str, step: SeriesStep) -> str:
    time = datetime.fromisoformat(start)
    return f"{time:%d %b}" if step == "day" else f"{time:%d %b %H:%M}"
