"""Tables of times by links and sizes, message shapes, templates, real e-mails and growth.

Growth is fitted by a line. Hostile input is a megabyte of one construct, which must not cost more
than in proportion.
"""

from __future__ import annotations

import re
import statistics
import time
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import NamedTuple, TypeVar

from liquid import Environment

from bench.rewriters import waypost_rewriter
from bench.rewriters.alternatives import BASE, BenchRecipient, Rewriter
from bench.rewriters.messages import build_mailing, build_shop_mailing, load_corpus
from bench.rewriters.timing import TimingSample, measure_in_turns
from waypost.errors import InvalidRequest
from waypost.rewrite.links.extractor import HTML_LINKS
from waypost.rewrite.liquid.runtime import WorkBudget
from waypost.rewrite.liquid.template import LiquidTemplate
from waypost.rewrite.schemas import RewriteRecipient

LINKS, SIZES = (5, 40, 200), (10_000, 100_000, 500_000)
UNCACHED, NEXT_RECIPIENT = "Waypost, never seen", "Waypost, one more"
RECIPIENT = BenchRecipient()
Calls = dict[str, Callable[[], str]]


def build_calls(html: str, others: Sequence[Rewriter]) -> Calls:
    """Build the calls of all rewriters for one message; Waypost also with the message compiled."""
    calls: Calls = {each.name: partial(each.rewrite, html, RECIPIENT) for each in others}
    calls[UNCACHED] = partial(waypost_rewriter.rewrite_uncached, html, RECIPIENT)
    calls[NEXT_RECIPIENT] = partial(
        waypost_rewriter.render_recipient, waypost_rewriter.prepare_message(html), RECIPIENT
    )
    return calls


def print_matrix(others: Sequence[Rewriter]) -> None:
    """Print times for each number of links and size, and the ratios to Waypost."""
    cells: dict[str, dict[str, TimingSample]] = {}
    for links in LINKS:
        for size in SIZES:
            calls = build_calls(build_mailing(links, size), others)
            _check_tracked_links(calls, links)
            cells[f"{links}, {size // 1000} KB"] = measure_in_turns(calls)
    _print_times("Links, size: ms of one message", cells)
    _print_ratios(cells)


def print_shapes(others: Sequence[Rewriter]) -> None:
    """Print the same for a shop's mailing with long links, in two shapes."""
    cells = {}
    for title, dense in (("tables in tables", True), ("long paragraphs", False)):
        calls = build_calls(build_shop_mailing(dense=dense), others)
        _check_tracked_links(calls, 40)
        cells[title] = measure_in_turns(calls)
    _print_times("A shop's mailing, 40 links, 100 KB: ms", cells)
    _print_ratios(cells)


def print_templates(others: Sequence[Rewriter]) -> None:
    """Print times of the shop's mailing as a template that prints a name 40 times."""
    template = build_shop_mailing("{{ name }}")
    ready = waypost_rewriter.prepare_message(template, liquid=True)
    plain = Environment().from_string(template)
    calls: Calls = {
        f"python-liquid, {each.name}": lambda each=each: each.rewrite(  # type: ignore[misc]
            plain.render(name="Ada"), RECIPIENT
        )
        for each in others
    }
    calls["Waypost, data with markup"] = partial(
        waypost_rewriter.render_recipient, ready, RECIPIENT, "<b>Ada</b>"
    )
    calls[UNCACHED] = partial(waypost_rewriter.rewrite_uncached, template, RECIPIENT, liquid=True)
    calls[NEXT_RECIPIENT] = partial(waypost_rewriter.render_recipient, ready, RECIPIENT)
    cells = {"as a template": measure_in_turns(calls)}
    _print_times("The same with 40 variables of Liquid: ms", cells)
    _print_ratios(cells)


def print_real_emails(others: Sequence[Rewriter]) -> None:
    """Print times for the real e-mails, and how many of them change outside their links."""
    mails = load_corpus()
    if not mails:
        print("\nReal e-mails: skipped; set WAYPOST_EMAIL_CORPUS to a folder of them")
        return
    size = sum(len(mail.encode()) for mail in mails)
    print(f"\n{len(mails)} real e-mails, {size / 1e6:.2f} MB: ms for all; ratios mail by mail")
    taken = [measure_in_turns(build_calls(mail, others), 3, turn_seconds=0.005) for mail in mails]
    heads = ("ms", "one more is", "never seen is", "bytes changed in")
    print(f"{'':<30}{heads[0]:>10}" + "".join(f"{head:>18}" for head in heads[1:]))
    for name in taken[0]:
        whole = sum(each[name].median for each in taken)
        changed = sum(_has_changed(mail, build_calls(mail, others)[name]()) for mail in mails)
        ratios = (
            statistics.median(each[name].median / each[base].median for each in taken)
            for base in (NEXT_RECIPIENT, UNCACHED)
        )
        cells = "".join(f"{f'×{ratio:.2f}':>18}" for ratio in ratios)
        print(f"{name:<30}{whole * 1e3:>10.0f}{cells}{changed:>18}")


def _has_changed(before: str, after: str) -> bool:
    """Check if anything but the values of href attributes differs."""
    return _strip_links(before) != _strip_links(after)


def _strip_links(html: str) -> str:
    return re.sub(r"""href\s*=\s*("[^"]*"|'[^']*'|[^\s>]+)""", "", html, flags=re.IGNORECASE)


def _check_tracked_links(calls: Mapping[str, Callable[[], str]], links: int) -> None:
    """Check that each rewriter tracks all links; otherwise, its time means nothing."""
    for name, call in calls.items():
        tracked = call().count(f'href="{BASE}/')
        if tracked != links:
            raise RuntimeError(f"{name} tracked {tracked} links of {links}")


def _print_times(title: str, cells: Mapping[str, Mapping[str, TimingSample]]) -> None:
    print(f"\n{title}")
    print(f"{'':<44}" + "".join(f"{head:>16}" for head in cells))
    for name in next(iter(cells.values())):
        figures = "".join(f"{samples[name].milliseconds:>16}" for samples in cells.values())
        print(f"{name:<44}{figures}")


def _print_ratios(cells: Mapping[str, Mapping[str, TimingSample]]) -> None:
    for baseline in (NEXT_RECIPIENT, UNCACHED):
        print(f"{baseline}: times as fast as")
        for name in next(iter(cells.values())):
            if not name.startswith("Waypost"):
                ratios = (each[name].median / each[baseline].median for each in cells.values())
                print(f"{name:<44}" + "".join(f"{ratio:>16.2f}" for ratio in ratios))


LINK_COUNTS = (10, 20, 40, 80, 160, 320)
KILOBYTES = (10, 20, 40, 80, 160, 320, 640)
RECIPIENTS = (1, 10, 100, 1_000)

_Message = TypeVar("_Message", str, int)


class Regression(NamedTuple):
    """``start + slope * n``, and the share of the variance that it explains (1: all)."""

    start: float
    slope: float
    r_squared: float


def fit_line(numbers: Sequence[float], seconds: Sequence[float]) -> Regression:
    """Fit a line by least squares."""
    slope, start = statistics.linear_regression(numbers, seconds)
    return Regression(start, slope, statistics.correlation(numbers, seconds) ** 2)


def render_all(content: str, count: int) -> None:
    """Compile a message, and render it for this number of recipients."""
    recipients = [RewriteRecipient(delivery=f"d{n}", person=f"p{n}", data={}) for n in range(count)]
    for _ in waypost_rewriter.prepare_message(content).render_recipients(recipients):
        pass


def print_growth() -> None:
    """Print Waypost's times by links, by size and by recipients, with their lines."""
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


HOSTILE_UNITS = {
    "<a ": "<a ",
    "<": "<",
    "<!--": "<!--",
    "<!--[if mso]>": "<!--[if mso]>",
    '<a href="x (never closed)': '<a href="x',
    "<div> (nested)": "<div>",
    "<a href=x>": "<a href=https://e.com/>",
    "{% cio_link": "{% cio_link url:x ",
    "{{": "{{ ",
}


def print_hostile() -> None:
    """Print time and memory of each construct, compiled and rendered once or rejected."""
    print(f"\n{'A megabyte of':<36}{'ms':>8}{'MiB of Python objects':>24}")
    for name, unit in HOSTILE_UNITS.items():
        content = unit * (1_000_000 // len(unit))
        started = time.process_time()
        _rewrite_or_reject(content)
        spent = time.process_time() - started
        tracemalloc.start()
        _rewrite_or_reject(content)
        peak = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        print(f"{name:<36}{spent * 1000:>8.0f}{peak:>24.0f}")


def _rewrite_or_reject(content: str) -> None:
    with suppress(InvalidRequest):  # a cio_link tag without an end
        waypost_rewriter.rewrite_uncached(content, BenchRecipient())


_ROWS = "{% tablerow i in (1..10000) %}{% endtablerow %}"
_LOOP = "{% for i in (1..10000) %}"
_END = "{% endfor %}"
WORK_TEMPLATES = {
    "empty loops": (_LOOP + _END) * 50,
    "conditions": (_LOOP + "{% if text == list %}{% endif %}" + _END) * 20,
    "variables": (_LOOP + "{% assign x = i %}" + _END) * 50,
    "a filter of a short text": (_LOOP + "{% assign x = i | upcase %}" + _END) * 50,
    "a filter of a long text": _LOOP + "{% assign x = text | upcase %}" + _END,
    "sorted objects": _LOOP + "{% assign x = objects | sort: 'name' %}" + _END,
    "an uppercase list": _LOOP + "{% assign x = list | join | upcase %}" + _END,
    "text without tags": _LOOP + "{% assign x = markup | strip_html %}" + _END,
    "compared lists": _LOOP + "{% if list == copy %}{% endif %}" + _END,
    "rows of tables": ("{% capture x %}" + _ROWS + "{% endcapture %}") * 50,
    "dates": (_LOOP + "{% assign x = i | append: '.1.2020' | date: '%Y' %}" + _END) * 2,
}
WORK_DATA = {
    "text": "x" * 1_000_000,
    "markup": "<a " * 300_000 + ">",
    "list": ["x" * 10] * 10_000,
    "copy": ["x" * 10 for _ in range(10_000)],
    "objects": [{"name": f"{number}", "kind": "x" * 20} for number in range(10_000)],
}


def print_work() -> None:
    """Print time and memory of templates that take their whole budget of work, or most of it."""
    heads = ("ms", "steps", "µs a step", "MiB")
    print(f"\n{'Templates at the limit of work':<36}" + "".join(f"{head:>12}" for head in heads))
    for name, source in WORK_TEMPLATES.items():
        template = LiquidTemplate(HTML_LINKS, source, "content.html")
        budget = WorkBudget()
        started = time.process_time()
        _render_or_fail(template, budget)
        spent = time.process_time() - started
        tracemalloc.start()
        _render_or_fail(template, WorkBudget())
        peak = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        row = (f"{spent * 1e3:.0f}", f"{budget.spent:,}", f"{spent * 1e6 / budget.spent:.2f}")
        print(f"{name:<36}" + "".join(f"{cell:>12}" for cell in (*row, f"{peak:.0f}")))


def _render_or_fail(template: LiquidTemplate, budget: WorkBudget) -> None:
    with suppress(InvalidRequest):
        template.render(WORK_DATA, budget)
