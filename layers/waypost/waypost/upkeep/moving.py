"""What of a recipient's row moves to another in one transaction, and what that does to figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final

from waypost.clicks.absorbing import absorb
from waypost.model.counters import TOTAL, Cell, Increments
from waypost.model.mark import Mark, delivery_under
from waypost.model.recipient import Row, Sheet
from waypost.store.recipients import Commit

SHEETS_A_STEP: Final = 20
_NO_THRESHOLD: Final = 1 << 30  # labels stay as they are


def step(
    row: Row,
    sheets: Sequence[Sheet],
    to: Row,
    to_sheets: Sequence[Sheet],
    alias: str,
    threshold: int,
) -> Commit:
    """Some sheets move, or the row when no sheets are left."""
    moving = sheets[:SHEETS_A_STEP]
    staying = [mark for sheet in sheets[SHEETS_A_STEP:] for mark in sheet.marks]
    if moving:
        staying += row.marks
    moved = [mark for sheet in moving for mark in sheet.marks] if moving else list(row.marks)
    change = absorb(
        to,
        {sheet.number: sheet for sheet in to_sheets},
        [replace(mark, delivery=delivery_under(alias, mark.delivery)) for mark in moved],
        threshold=threshold,
    )
    left, increments = _without(row, [*staying, *moved], staying)
    increments.update(change.increments if change else {})
    return Commit(
        campaign=row.key.campaign,
        rows=[*([left] if left else []), *([change.row] if change else [])],
        sheets=change.sheets if change else (),
        increments=Counter({cell: value for cell, value in increments.items() if value}),
        removed=[*moving, *([] if left else [row])],
    )


def _without(
    row: Row, before: Collection[Mark], after: Collection[Mark]
) -> tuple[Row | None, Increments]:
    """The row with the sums of fewer marks, and what that takes from the counters; None and all of
    it where no marks are left.
    """
    taken: Increments = Counter()
    had = absorb(Row(row.key), {}, before, threshold=_NO_THRESHOLD)
    has = absorb(Row(row.key), {}, after, threshold=_NO_THRESHOLD)
    taken.subtract(had.increments if had else {})
    taken.update(has.increments if has else {})
    taken[Cell(TOTAL, "shared")] = 0 if has else -len(row.shared)
    if has is None:
        return None, taken
    sums = replace(has.row, version=row.version + 1, marks=row.marks, shared=row.shared)
    return sums, taken
