"""What a recipient's row sums: clicks and opens by link and by delivery."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from waypost.clicks.sharing import shared_deliveries
from waypost.ids import LinkCode, is_opens
from waypost.model.mark import Mark, Visits
from waypost.models.recipient import TOLD_APART, Row

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
