"""What the counters of a campaign ought to be, by the marks of its rows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping

from waypost.model.mark import Mark
from waypost.model.row_key import RowKey
from waypost.models.counters import TOTAL, Cell, Increments
from waypost.models.recipient import Row, Sheet
from waypost.tally.aggregation import absorb


def expected(
    rows: Mapping[RowKey, Row], marks: Mapping[RowKey, Collection[Mark]], threshold: int
) -> Increments:
    """What the counters of a campaign ought to be.

    Whether a delivery is shared is told, for a row with sheets, from the marks that each of its
    clicks was counted beside; that cannot be told again, so the row's own word is taken.
    """
    total: Increments = Counter()
    for key, of_one in marks.items():
        change = absorb(Row(key), {}, of_one, threshold=threshold)
        if change is None:
            continue
        total.update(change.increments)
        if change.sheets and key in rows:
            total[Cell(TOTAL, "shared")] += len(rows[key].shared) - len(change.row.shared)
    return Counter({cell: value for cell, value in total.items() if value})


def differences(has: Increments, want: Increments) -> dict[Cell, tuple[int, int]]:
    """The cells that differ: what is counted, and what ought to be."""
    cells = sorted(has.keys() | want.keys())
    return {cell: (has[cell], want[cell]) for cell in cells if has[cell] != want[cell]}


def read_rows(
    records: Iterable[Row | Sheet],
) -> tuple[dict[RowKey, Row], defaultdict[RowKey, list[Mark]]]:
    rows: dict[RowKey, Row] = {}
    marks: defaultdict[RowKey, list[Mark]] = defaultdict(list)
    for record in records:
        key = record.key._replace(sheet=None)
        marks[key].extend(record.marks)
        if isinstance(record, Row):
            rows[key] = record
    return rows, marks
