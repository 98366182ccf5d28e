"""What new clicks change in a recipient's row, and therefore in the campaign's counters.

The result is a function of the set of clicks: however they are cut into batches, repeated or
ordered, the increments add up to the same figures. That is what exact counting stands on.

How counters move when a recipient's row does.

What a recipient's row sums: clicks and opens by link and by delivery.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from waypost.bot_detection.bursts import company_signals, shared_deliveries
from waypost.bot_detection.scoring import THRESHOLD, score
from waypost.ids import LinkCode, is_opens
from waypost.models.counters import TOTAL, Cell, Figure, Increments, hour_counter, link_counter
from waypost.models.recipient import (
    INLINE_MARKS,
    NO_VISITS,
    TOLD_APART,
    Mark,
    Row,
    RowKey,
    Sheet,
    Visits,
    further_sheet,
)


def increments(
    before: Row, after: Row, fresh: Sequence[Mark], relabelled: Sequence[Mark]
) -> Increments:
    """What to add to the counters when a row goes from ``before`` to ``after``, which has the marks
    that are ``fresh`` and those that counted as human before.
    """
    found: Increments = Counter()
    for mark in fresh:
        _add_one(found, mark, 1, machine=mark.machine)
    for mark in relabelled:
        _add_one(found, mark, -1, machine=False)
        _add_one(found, mark, 1, machine=True)
    _add_unique(found, TOTAL, ("people", "people_human"), before.total, after.total)
    for link, visits in after.links.items():
        if is_opens(link):
            continue
        earlier = before.links.get(link, NO_VISITS)
        _add_unique(found, link_counter(link), ("people", "people_human"), earlier, visits)
    for delivery, visits in after.deliveries.items():
        earlier = before.deliveries.get(delivery, NO_VISITS)
        _add_unique(found, TOTAL, ("deliveries", "deliveries_human"), earlier, visits)
    for delivery in after.deliveries.keys() | after.opened.keys():
        read = before.reading(delivery), after.reading(delivery)
        _add_unique(found, TOTAL, ("opened", "opened_human"), *read)
    found[Cell(TOTAL, "shared")] += len(after.shared) - len(before.shared)
    return Counter({cell: value for cell, value in found.items() if value})


def _add_one(found: Increments, mark: Mark, value: int, *, machine: bool) -> None:
    """Add a click or an open, or take it away, where it counts as of that kind."""
    hour = hour_counter(mark.time)
    figure: Figure
    if is_opens(mark.link):
        figure = "opens_machine" if machine else "opens_human"
    else:
        figure = "machine" if machine else "human"
        found[Cell(link_counter(mark.link), figure)] += value
    found[Cell(TOTAL, figure)] += value
    found[Cell(hour, figure)] += value


def _add_unique(
    found: Increments,
    counter: str,
    figures: tuple[Figure, Figure],
    before: Visits,
    after: Visits,
) -> None:
    found[Cell(counter, figures[0])] += bool(after.total) - bool(before.total)
    found[Cell(counter, figures[1])] += bool(after.human) - bool(before.human)


_Name = TypeVar("_Name", LinkCode, bytes)


def summed(
    row: Row, fresh: Sequence[Mark], relabelled: Sequence[Mark], marks: Iterable[Mark]
) -> Row:
    """The row with its sums moved by marks that are counted and marks that are labelled anew, its
    own marks still as they were. ``marks``: all that are known.
    """
    shared = shared_deliveries(marks)
    clicks, opens = _told_apart(fresh)
    clicks_before, opens_before = _told_apart(relabelled)
    return replace(
        row,
        version=row.version + 1,
        total=_visited(_relabelled(row.total, len(clicks_before)), clicks),
        links=_sums(row.links, fresh, relabelled, "link"),
        deliveries=_sums(row.deliveries, clicks, clicks_before, "delivery"),
        opened=_sums(row.opened, opens, opens_before, "delivery"),
        shared=row.shared | shared if row.full else shared,
    )


def _told_apart(marks: Sequence[Mark]) -> tuple[list[Mark], list[Mark]]:
    """Clicks and opens."""
    opens = [is_opens(mark.link) for mark in marks]
    return (
        [mark for mark, is_open in zip(marks, opens, strict=True) if not is_open],
        [mark for mark, is_open in zip(marks, opens, strict=True) if is_open],
    )


def _sums(
    before: Mapping[_Name, Visits],
    fresh: Sequence[Mark],
    relabelled: Sequence[Mark],
    attribute: str,
) -> dict[_Name, Visits]:
    sums = dict(before)
    for name, count in Counter(getattr(mark, attribute) for mark in relabelled).items():
        if name in sums:
            sums[name] = _relabelled(sums[name], count)
    grouped: defaultdict[_Name, list[Mark]] = defaultdict(list)
    for mark in fresh:
        grouped[getattr(mark, attribute)].append(mark)
    for name, marks in grouped.items():
        if name in sums or len(sums) < TOLD_APART:
            sums[name] = _visited(sums.get(name, Visits()), marks)
    return sums


def _visited(visits: Visits, marks: Sequence[Mark]) -> Visits:
    if not marks:
        return visits
    machine = sum(mark.machine for mark in marks)
    times = [mark.time for mark in marks] + ([visits.first, visits.last] if visits.total else [])
    return Visits(
        visits.human + len(marks) - machine, visits.machine + machine, min(times), max(times)
    )


def _relabelled(visits: Visits, count: int) -> Visits:
    return replace(visits, human=visits.human - count, machine=visits.machine + count)


LINKS_AT_ONCE: Final = 40
"""Of which marks are labelled anew by themselves: each has a counter, and each mark of a row an
hour, so that all of it fits one transaction.
"""


@dataclass(frozen=True, slots=True)
class Change:
    """What to write: the row and sheets as they shall be, and what that adds to the counters.

    ``fresh`` are the marks counted by it, ``relabelled`` those that counted as human until now.
    """

    row: Row
    sheets: tuple[Sheet, ...]
    increments: Increments
    fresh: tuple[Mark, ...]
    relabelled: tuple[Mark, ...]


def absorb(
    row: Row,
    sheets: Mapping[int, Sheet],
    marks: Iterable[Mark],
    *,
    threshold: int = THRESHOLD,
    batch: int | None = None,
) -> Change | None:
    """Count the marks that are not counted yet; None where all of them are.

    Where the row is full, ``sheets`` holds the stored sheets of each mark and of its neighbours.
    ``batch`` is noted on what is counted; None leaves the marks' own.
    """
    before = [*row.marks, *(mark for sheet in sheets.values() for mark in sheet.marks)]
    fresh = _uncounted(before, marks, batch)
    if not fresh:
        return None
    judged = _judge([*before, *fresh], threshold)
    fresh = [judged[mark.id] for mark in fresh]
    relabelled = [judged[m.id] for m in before if judged[m.id].machine and not m.machine]
    return _change(row, sheets, fresh, relabelled, judged)


def relabel(
    row: Row,
    sheets: Mapping[int, Sheet],
    marks: Iterable[Mark] = (),
    *,
    threshold: int = THRESHOLD,
) -> Change | None:
    """Label anew what is counted, as it will be beside further ``marks``, which are not counted by
    it; a part that fits one transaction, and None once all is done.

    Where one mark changes the labels of so many that no transaction holds them, they go before it.
    """
    before = [*row.marks, *(mark for sheet in sheets.values() for mark in sheet.marks)]
    judged = _judge([*before, *_uncounted(before, marks, None)], threshold)
    relabelled = _first_of(row, sheets, judged)
    after = {mark.id: relabelled.get(mark.id, mark) for mark in before}
    return _change(row, sheets, (), tuple(relabelled.values()), after) if relabelled else None


def _first_of(
    row: Row, sheets: Mapping[int, Sheet], judged: Mapping[bytes, Mark]
) -> dict[bytes, Mark]:
    """Of the first record with marks to be labelled anew, those of some links."""
    for marks in (row.marks, *(sheet.marks for sheet in sheets.values())):
        waiting = [judged[m.id] for m in marks if judged[m.id].machine and not m.machine]
        if waiting:
            links = list(dict.fromkeys(mark.link for mark in waiting))[:LINKS_AT_ONCE]
            return {mark.id: mark for mark in waiting if mark.link in links}
    return {}


def _change(
    row: Row,
    sheets: Mapping[int, Sheet],
    fresh: Sequence[Mark],
    relabelled: Sequence[Mark],
    judged: Mapping[bytes, Mark],
) -> Change:
    after = summed(row, fresh, relabelled, judged.values())
    return Change(
        row=_with_marks(after, fresh, judged),
        sheets=tuple(_changed_sheets(row, sheets, fresh, judged)),
        increments=increments(row, after, fresh, relabelled),
        fresh=tuple(fresh),
        relabelled=tuple(relabelled),
    )


def _uncounted(before: Sequence[Mark], marks: Iterable[Mark], batch: int | None) -> list[Mark]:
    counted = {mark.id for mark in before}
    fresh = {mark.id: mark for mark in marks if mark.id not in counted}
    if batch is not None:
        fresh = {id_: replace(mark, batch=batch) for id_, mark in fresh.items()}
    return sorted(fresh.values(), key=lambda mark: (mark.time, mark.id))


def _judge(marks: Sequence[Mark], threshold: int) -> dict[bytes, Mark]:
    """Every mark with what its neighbours tell. A machine stays one, whatever the threshold."""
    company = company_signals(marks)
    judged = {}
    for mark in marks:
        signals = mark.signals | company.get(mark.id, 0)
        machine = mark.machine or score(signals) >= threshold
        same = signals == mark.signals and machine == mark.machine
        judged[mark.id] = mark if same else replace(mark, signals=signals, machine=machine)
    return judged


def _with_marks(row: Row, fresh: Sequence[Mark], judged: Mapping[bytes, Mark]) -> Row:
    room = INLINE_MARKS - len(row.marks)
    kept = (*(judged[mark.id] for mark in row.marks), *fresh[: max(room, 0)])
    return replace(row, marks=kept)


def _changed_sheets(
    row: Row, sheets: Mapping[int, Sheet], fresh: Sequence[Mark], judged: Mapping[bytes, Mark]
) -> Iterable[Sheet]:
    added: defaultdict[int, list[Mark]] = defaultdict(list)
    empty = Sheet(row.key)
    for mark in fresh[max(INLINE_MARKS - len(row.marks), 0) :]:
        number = mark.sheet
        while len(added[number]) >= sheets.get(number, empty).room:
            number = further_sheet(number)
        added[number].append(mark)
    for number in sorted({*sheets, *added}):
        sheet = sheets.get(number) or Sheet(RowKey(*row.key[:2], number))
        marks = (*(judged[mark.id] for mark in sheet.marks), *added[number])
        if marks != sheet.marks:
            yield Sheet(sheet.key, sheet.version + 1, marks)
