"""What of a recipient's row moves to another in one transaction, and what that does to figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from waypost.errors import StoreUnavailable
from waypost.model.mark import Mark, delivery_under
from waypost.models.counters import TOTAL, Cell, Increments
from waypost.models.recipient import Row, Sheet
from waypost.repositories.recipients import Commit
from waypost.tally.aggregation import Change, absorb, relabel

SHEETS_A_STEP: Final = 20
AS_LABELLED: Final = 1 << 30
"""A threshold that leaves labels as they are."""


@dataclass(frozen=True, slots=True)
class Target:
    """The row of the alias that everything goes to."""

    row: Row
    sheets: Mapping[int, Sheet]
    alias: str
    threshold: int

    def with_marks(self, marks: Iterable[Mark]) -> Change | None:
        """What further marks change in it."""
        return absorb(self.row, self.sheets, self._own(marks), threshold=self.threshold)

    def relabelled(self, marks: Iterable[Mark]) -> Commit:
        """Its own labels as they will be beside further marks, where those alone are too many."""
        change = relabel(self.row, self.sheets, self._own(marks), threshold=self.threshold)
        if change is None:
            raise StoreUnavailable("a click of theirs fits no transaction")
        return Commit(self.row.key.campaign, [change.row], change.sheets, change.increments)

    def _own(self, marks: Iterable[Mark]) -> list[Mark]:
        return [replace(mark, delivery=delivery_under(self.alias, mark.delivery)) for mark in marks]


@dataclass(frozen=True, slots=True)
class Portion:
    """What moves at once: ``marks``, of which ``left`` keep their sheet and ``removed`` do not."""

    marks: Sequence[Mark]
    removed: Sequence[Row | Sheet] = ()
    left: Sequence[Sheet] = ()


def step(
    row: Row,
    sheets: Sequence[Sheet],
    to: Row,
    to_sheets: Sequence[Sheet],
    alias: str,
    threshold: int,
) -> Commit:
    """As many sheets as fit move, or a part of one, or the row when no sheets are left."""
    target = Target(to, {sheet.number: sheet for sheet in to_sheets}, alias, threshold)
    every = [*row.marks, *(mark for sheet in sheets for mark in sheet.marks)]
    for portion in _portions(row, sheets):
        moving = _moved(row, every, portion, target)
        if moving.fits:
            return moving
    return target.relabelled(portion.marks)


def _portions(row: Row, sheets: Sequence[Sheet]) -> Iterator[Portion]:
    """From much to little: some sheets, some marks of one, links together, at least one mark."""
    if not sheets:
        yield Portion(row.marks, removed=[row])
        return
    number = min(len(sheets), SHEETS_A_STEP)
    while number:
        some = sheets[:number]
        yield Portion([mark for sheet in some for mark in sheet.marks], removed=some)
        number //= 2
    sheet = sheets[0]
    marks = sorted(sheet.marks, key=lambda mark: (mark.link, mark.time, mark.id))
    number = len(marks) // 2
    while number:
        kept = Sheet(sheet.key, sheet.version + 1, tuple(marks[number:]))
        yield Portion(marks[:number], left=[kept])
        number //= 2


def _moved(row: Row, every: Sequence[Mark], portion: Portion, target: Target) -> Commit:
    moving = {mark.id for mark in portion.marks}
    change = target.with_marks(portion.marks)
    left, increments = _without(row, every, [mark for mark in every if mark.id not in moving])
    increments.update(change.increments if change else {})
    return Commit(
        campaign=row.key.campaign,
        rows=[*([left] if left else []), *([change.row] if change else [])],
        sheets=[*portion.left, *(change.sheets if change else ())],
        increments=Counter({cell: value for cell, value in increments.items() if value}),
        removed=portion.removed,
    )


def _without(
    row: Row, before: Collection[Mark], after: Collection[Mark]
) -> tuple[Row | None, Increments]:
    """The row with the sums of fewer marks, and what that takes from the counters; None and all of
    it where no marks are left.
    """
    taken: Increments = Counter()
    had = absorb(Row(row.key), {}, before, threshold=AS_LABELLED)
    has = absorb(Row(row.key), {}, after, threshold=AS_LABELLED)
    taken.subtract(had.increments if had else {})
    taken.update(has.increments if has else {})
    taken[Cell(TOTAL, "shared")] = 0 if has else -len(row.shared)
    if has is None:
        return None, taken
    sums = replace(has.row, version=row.version + 1, marks=row.marks, shared=row.shared)
    return sums, taken
