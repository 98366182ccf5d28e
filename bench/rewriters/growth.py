"""How time grows with links, size and recipients, and how straight the line is."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

from bench.rewriters import ours
from bench.rewriters.contestants import Person
from bench.rewriters.messages import mailing
from bench.rewriters.timing import in_turns
from waypost.rewrite.schemas import RewriteRecipient

LINKS = (10, 20, 40, 80, 160, 320)
KILOBYTES = (10, 20, 40, 80, 160, 320, 640)
RECIPIENTS = (1, 10, 100, 1_000)

_Message = TypeVar("_Message", str, int)


class Line(NamedTuple):
    """``start + slope * n``, and how much of what was measured it explains (1: all)."""

    start: float
    slope: float
    explained: float


def line(numbers: Sequence[float], seconds: Sequence[float]) -> Line:
    """The line of least squares."""
    slope, start = statistics.linear_regression(numbers, seconds)
    return Line(start, slope, statistics.correlation(numbers, seconds) ** 2)


def stamp_all(content: str, many: int) -> None:
    """Compile a message and stamp it for so many."""
    recipients = [RewriteRecipient(delivery=f"d{n}", person=f"p{n}", data={}) for n in range(many)]
    for _ in ours.mailing(content).render_recipients(recipients):
        pass


def show() -> None:
    """Print the times of ours by links, by size and by recipients, and their lines."""
    by_links = {n: mailing(n, 100_000) for n in LINKS}
    by_size = {n: mailing(40, n * 1_000) for n in KILOBYTES}
    for title, messages in (
        ("links (100 KB)", by_links),
        ("KB (40 links)", by_size),
    ):
        _show(f"{title}, never seen", messages, lambda m: partial(ours.never_seen, m, Person()))
        _show(f"{title}, one more", messages, _one_more)
    content = mailing(40, 100_000)
    calls = {many: many for many in RECIPIENTS}
    _show("recipients (40 links, 100 KB)", calls, lambda many: partial(stamp_all, content, many))


def _one_more(message: str) -> Callable[[], object]:
    return partial(ours.stamped, ours.mailing(message), Person())


def _show(
    title: str, given: Mapping[int, _Message], make: Callable[[_Message], Callable[[], object]]
) -> None:
    taken = in_turns({str(number): make(each) for number, each in given.items()})
    samples = [taken[str(number)] for number in given]
    fitted = line([*given], [each.median for each in samples])
    print(f"\nGrowth with {title}")
    _row("n", [f"{number:,}" for number in given])
    _row("ms", [f"{each.median * 1e3:.2f}" for each in samples])
    _row("±", [f"{each.spread * 1e3:.2f}" for each in samples])
    formula = f"{fitted.start * 1e3:.2f} ms + {fitted.slope * 1e6:.2f} µs each"
    print(f"  {formula}, R² {fitted.explained:.4f}")


def _row(name: str, cells: Sequence[str]) -> None:
    print(f"  {name:<4}" + "".join(f"{cell:>9}" for cell in cells))
