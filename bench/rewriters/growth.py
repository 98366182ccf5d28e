"""How time grows with links, size and recipients, and how straight the line is."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

from bench.rewriters import waypost_rewriter
from bench.rewriters.alternatives import BenchRecipient
from bench.rewriters.messages import build_mailing
from bench.rewriters.timing import measure_in_turns
from waypost.rewrite.schemas import RewriteRecipient

LINK_COUNTS = (10, 20, 40, 80, 160, 320)
KILOBYTES = (10, 20, 40, 80, 160, 320, 640)
RECIPIENTS = (1, 10, 100, 1_000)

_Message = TypeVar("_Message", str, int)


class Regression(NamedTuple):
    """``start + slope * n``, and how much of what was measured it explains (1: all)."""

    start: float
    slope: float
    r_squared: float


def fit_line(numbers: Sequence[float], seconds: Sequence[float]) -> Regression:
    """The line of least squares."""
    slope, start = statistics.linear_regression(numbers, seconds)
    return Regression(start, slope, statistics.correlation(numbers, seconds) ** 2)


def render_all(content: str, count: int) -> None:
    """Compile a message and stamp it for so many."""
    recipients = [RewriteRecipient(delivery=f"d{n}", person=f"p{n}", data={}) for n in range(count)]
    for _ in waypost_rewriter.prepare_message(content).render_recipients(recipients):
        pass


def print_growth() -> None:
    """Print the times of ours by links, by size and by recipients, and their lines."""
    by_links = {n: build_mailing(n, 100_000) for n in LINK_COUNTS}
    by_size = {n: build_mailing(40, n * 1_000) for n in KILOBYTES}
    for title, messages in (
        ("links (100 KB)", by_links),
        ("KB (40 links)", by_size),
    ):
        _print_measurement(
            f"{title}, never seen",
            messages,
            lambda m: partial(waypost_rewriter.rewrite_uncached, m, BenchRecipient()),
        )
        _print_measurement(f"{title}, one more", messages, _prepare_render)
    content = build_mailing(40, 100_000)
    calls = {many: many for many in RECIPIENTS}
    _print_measurement(
        "recipients (40 links, 100 KB)", calls, lambda many: partial(render_all, content, many)
    )


def _prepare_render(message: str) -> Callable[[], object]:
    return partial(
        waypost_rewriter.render_recipient,
        waypost_rewriter.prepare_message(message),
        BenchRecipient(),
    )


def _print_measurement(
    title: str,
    inputs: Mapping[int, _Message],
    build_call: Callable[[_Message], Callable[[], object]],
) -> None:
    taken = measure_in_turns({str(number): build_call(each) for number, each in inputs.items()})
    samples = [taken[str(number)] for number in inputs]
    fitted = fit_line([*inputs], [each.median for each in samples])
    print(f"\nGrowth with {title}")
    _print_row("n", [f"{number:,}" for number in inputs])
    _print_row("ms", [f"{each.median * 1e3:.2f}" for each in samples])
    _print_row("±", [f"{each.spread * 1e3:.2f}" for each in samples])
    formula = f"{fitted.start * 1e3:.2f} ms + {fitted.slope * 1e6:.2f} µs each"
    print(f"  {formula}, R² {fitted.r_squared:.4f}")


def _print_row(name: str, cells: Sequence[str]) -> None:
    print(f"  {name:<4}" + "".join(f"{cell:>9}" for cell in cells))
