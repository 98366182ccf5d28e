"""The matrix of links and sizes, two shapes of a shop's mailing, templates, and real e-mails."""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from liquid import Environment

from bench.rewriters import ours
from bench.rewriters.contestants import BASE, Contestant, Person
from bench.rewriters.messages import corpus, mailing, shop
from bench.rewriters.timing import Sample, in_turns

LINKS, SIZES = (5, 40, 200), (10_000, 100_000, 500_000)
NEVER_SEEN, ONE_MORE = "Waypost, never seen", "Waypost, one more"
PERSON = Person()
Calls = dict[str, Callable[[], str]]


def calls_on(html: str, others: Sequence[Contestant]) -> Calls:
    """What all contestants do with a message; ours with it ready, too."""
    calls: Calls = {each.name: partial(each.rewrite, html, PERSON) for each in others}
    calls[NEVER_SEEN] = partial(ours.never_seen, html, PERSON)
    calls[ONE_MORE] = partial(ours.stamped, ours.mailing(html), PERSON)
    return calls


def matrix(others: Sequence[Contestant]) -> None:
    """Print times for each number of links and size, and how often ours fit into others'."""
    cells: dict[str, dict[str, Sample]] = {}
    for links in LINKS:
        for size in SIZES:
            calls = calls_on(mailing(links, size), others)
            _check(calls, links)
            cells[f"{links}, {size // 1000} KB"] = in_turns(calls)
    _times("Links, size: ms of one message", cells)
    _ratios(cells)


def shapes(others: Sequence[Contestant]) -> None:
    """Print the same for a shop's mailing with long links, in two shapes."""
    cells = {}
    for title, dense in (("tables in tables", True), ("long paragraphs", False)):
        calls = calls_on(shop(dense=dense), others)
        _check(calls, 40)
        cells[title] = in_turns(calls)
    _times("A shop's mailing, 40 links, 100 KB: ms", cells)
    _ratios(cells)


def templates(others: Sequence[Contestant]) -> None:
    """Print times of the shop's mailing as a template that prints a name 40 times."""
    template = shop("{{ name }}")
    ready = ours.mailing(template, liquid=True)
    plain = Environment().from_string(template)
    calls: Calls = {
        f"python-liquid, {each.name}": lambda each=each: each.rewrite(  # type: ignore[misc]
            plain.render(name="Ada"), PERSON
        )
        for each in others
    }
    calls["Waypost, data with markup"] = partial(ours.stamped, ready, PERSON, "<b>Ada</b>")
    calls[NEVER_SEEN] = partial(ours.never_seen, template, PERSON, liquid=True)
    calls[ONE_MORE] = partial(ours.stamped, ready, PERSON)
    cells = {"as a template": in_turns(calls)}
    _times("The same with 40 variables of Liquid: ms", cells)
    _ratios(cells)


def real(others: Sequence[Contestant]) -> None:
    """Print times over the real e-mails, and whose bytes outside of links are other ones then."""
    mails = corpus()
    if not mails:
        print("\nReal e-mails: left out, there are none (WAYPOST_EMAIL_CORPUS names a folder)")
        return
    size = sum(len(mail.encode()) for mail in mails)
    print(f"\n{len(mails)} real e-mails, {size / 1e6:.2f} MB: ms for all; ratios mail by mail")
    taken = [in_turns(calls_on(mail, others), 3, turn_seconds=0.005) for mail in mails]
    heads = ("ms", "one more is", "never seen is", "bytes changed in")
    print(f"{'':<30}{heads[0]:>10}" + "".join(f"{head:>18}" for head in heads[1:]))
    for name in taken[0]:
        whole = sum(each[name].median for each in taken)
        changed = sum(_changed(mail, calls_on(mail, others)[name]()) for mail in mails)
        ratios = (
            statistics.median(each[name].median / each[base].median for each in taken)
            for base in (ONE_MORE, NEVER_SEEN)
        )
        cells = "".join(f"{f'×{ratio:.2f}':>18}" for ratio in ratios)
        print(f"{name:<30}{whole * 1e3:>10.0f}{cells}{changed:>18}")


def _changed(before: str, after: str) -> bool:
    """Whether anything but values of attributes named href is another."""
    return _without_links(before) != _without_links(after)


def _without_links(html: str) -> str:
    return re.sub(r"""href\s*=\s*("[^"]*"|'[^']*'|[^\s>]+)""", "", html, flags=re.IGNORECASE)


def _check(calls: Mapping[str, Callable[[], str]], links: int) -> None:
    """All must do the work, else their times say nothing."""
    for name, call in calls.items():
        tracked = call().count(f'href="{BASE}/')
        if tracked != links:
            raise RuntimeError(f"{name} tracked {tracked} links of {links}")


def _times(title: str, cells: Mapping[str, Mapping[str, Sample]]) -> None:
    print(f"\n{title}")
    print(f"{'':<44}" + "".join(f"{head:>16}" for head in cells))
    for name in next(iter(cells.values())):
        figures = "".join(f"{samples[name].milliseconds:>16}" for samples in cells.values())
        print(f"{name:<44}{figures}")


def _ratios(cells: Mapping[str, Mapping[str, Sample]]) -> None:
    for ours_ in (ONE_MORE, NEVER_SEEN):
        print(f"{ours_} is so many times as fast as")
        for name in next(iter(cells.values())):
            if not name.startswith("Waypost"):
                ratios = (each[name].median / each[ours_].median for each in cells.values())
                print(f"{name:<44}" + "".join(f"{ratio:>16.2f}" for ratio in ratios))
