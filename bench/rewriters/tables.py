"""The matrix of links and sizes, two shapes of a shop's mailing, templates, and real e-mails."""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from liquid import Environment

from bench.rewriters import waypost_rewriter
from bench.rewriters.alternatives import BASE, BenchRecipient, Rewriter
from bench.rewriters.messages import build_mailing, build_shop_mailing, load_corpus
from bench.rewriters.timing import TimingSample, measure_in_turns

LINKS, SIZES = (5, 40, 200), (10_000, 100_000, 500_000)
UNCACHED, NEXT_RECIPIENT = "Waypost, never seen", "Waypost, one more"
RECIPIENT = BenchRecipient()
Calls = dict[str, Callable[[], str]]


def build_calls(html: str, others: Sequence[Rewriter]) -> Calls:
    """What all contestants do with a message; ours with it ready, too."""
    calls: Calls = {each.name: partial(each.rewrite, html, RECIPIENT) for each in others}
    calls[UNCACHED] = partial(waypost_rewriter.rewrite_uncached, html, RECIPIENT)
    calls[NEXT_RECIPIENT] = partial(
        waypost_rewriter.render_recipient, waypost_rewriter.prepare_message(html), RECIPIENT
    )
    return calls


def print_matrix(others: Sequence[Rewriter]) -> None:
    """Print times for each number of links and size, and how often ours fit into others'."""
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
    """Print times over the real e-mails, and whose bytes outside of links are other ones then."""
    mails = load_corpus()
    if not mails:
        print("\nReal e-mails: left out, there are none (WAYPOST_EMAIL_CORPUS names a folder)")
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
    """Whether anything but values of attributes named href is another."""
    return _strip_links(before) != _strip_links(after)


def _strip_links(html: str) -> str:
    return re.sub(r"""href\s*=\s*("[^"]*"|'[^']*'|[^\s>]+)""", "", html, flags=re.IGNORECASE)


def _check_tracked_links(calls: Mapping[str, Callable[[], str]], links: int) -> None:
    """All must do the work, else their times say nothing."""
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
    for ours_ in (NEXT_RECIPIENT, UNCACHED):
        print(f"{ours_} is so many times as fast as")
        for name in next(iter(cells.values())):
            if not name.startswith("Waypost"):
                ratios = (each[name].median / each[ours_].median for each in cells.values())
                print(f"{name:<44}" + "".join(f"{ratio:>16.2f}" for ratio in ratios))
