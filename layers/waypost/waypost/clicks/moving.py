"""How counters move when a recipient's row does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from waypost.ids import is_opens
from waypost.model.mark import NO_VISITS, Mark, Visits
from waypost.models.counters import TOTAL, Cell, Figure, Increments, hour_counter, link_counter
from waypost.models.recipient import Row


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
