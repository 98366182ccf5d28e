"""Compares the counters of a campaign with the clicks that were made, and sets them right.

The ledger says which clicks there are. Rows say which are counted and how they were judged, and
outlast the ledger's clicks, which expire. So counters ought to be what the marks of all rows, and
the clicks that no row knows, add up to.

What the counters of a campaign ought to be, by the marks of its rows.

Labels anew what was counted as human and is a machine's by a threshold that was lowered since.

Rows move together with their counters, as when the tally finds late evidence: were the counters
set alone, the next click of such a row would move them once more.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from waypost.bot_detection.scoring import mark_of
from waypost.errors import Conflict
from waypost.ids import CampaignCode, WorkspaceCode, workspace_of
from waypost.models.click import Click
from waypost.models.counters import TOTAL, CampaignCounts, Cell, Increments
from waypost.models.recipient import Mark, Row, RowKey, Sheet, click_hash
from waypost.models.workspace import WorkspaceSettings
from waypost.repositories.recipients import ACTIONS, Commit, RecipientStore
from waypost.tally.aggregation import Change, absorb, relabel
from waypost.tally.service import Counted


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


CONFLICTS: Final = 6
"""How often a row may be written by others between reading and writing it."""


def relabel_rows(recipients: RecipientStore, campaign: CampaignCode, threshold: int) -> None:
    """Label the marks of a campaign by a threshold. Safe to repeat and to be broken off. Raises
    Conflict where others never cease to write to a row.
    """
    rows: dict[RowKey, Row] = {}
    sheets: defaultdict[RowKey, dict[int, Sheet]] = defaultdict(dict)
    for record in recipients.of_campaign(campaign):
        if isinstance(record, Row):
            rows[record.key] = record
        else:
            sheets[record.key._replace(sheet=None)][record.number] = record
    for key, row in rows.items():
        _relabel(recipients, row, sheets[key], threshold)


def _relabel(
    recipients: RecipientStore, row: Row, sheets: dict[int, Sheet], threshold: int
) -> None:
    conflicts = 0
    while change := relabel(row, sheets, threshold=threshold):
        try:
            recipients.commit(_commit(change))
        except Conflict:
            conflicts += 1
            if conflicts == CONFLICTS:
                raise
            row = recipients.rows([row.key])[row.key]
            sheets = {sheet.number: sheet for sheet in recipients.sheets_of(row.key)}
        else:
            row = change.row
            sheets |= {sheet.number: sheet for sheet in change.sheets}


def _commit(change: Change) -> Commit:
    return Commit(change.row.key.campaign, [change.row], change.sheets, change.increments)


LOOKS: Final = 3
"""How often a campaign is read whose counters move meanwhile."""
BATCH: Final = 500


class LedgerReader(Protocol):
    """What is read of the ledger."""

    def of_campaign(self, campaign: CampaignCode) -> Iterable[Click]: ...


class CountsReader(Protocol):
    """What is read of campaigns."""

    def counts(self, campaign: CampaignCode) -> CampaignCounts: ...


class SettingsReader(Protocol):
    """What is read of workspaces."""

    def settings(self, workspace: WorkspaceCode) -> WorkspaceSettings: ...


class Counts(Protocol):
    """Counts clicks (``waypost.tally.service``)."""

    def count(self, clicks: Iterable[Click]) -> Counted: ...


@dataclass(frozen=True, slots=True)
class Recounted:
    """What a recount found. ``differences``: counted and expected figure, by cell.

    ``expired`` clicks are counted and no longer in the ledger. Where ``moving`` is set, clicks were
    counted while it looked, and differences may be theirs.
    """

    clicks: int
    uncounted: tuple[Click, ...]
    expired: int
    differences: Mapping[Cell, tuple[int, int]]
    moving: bool

    @property
    def right(self) -> bool:
        return not self.differences and not self.uncounted


@dataclass(frozen=True, slots=True)
class Recounting:
    """The operator's recount. Reads the whole ledger and all rows of the campaign.

    Raises MalformedItem where one of them, or the workspace's settings, cannot be read: figures
    set right by a threshold that nobody chose would have to be set right again, and labels cannot.
    """

    ledger: LedgerReader
    campaigns: CountsReader
    recipients: RecipientStore
    workspaces: SettingsReader

    def compare(self, campaign: CampaignCode) -> Recounted:
        """Compare, reading again while the campaign's counters move."""
        for _ in range(LOOKS):
            before = self.campaigns.counts(campaign)
            found = self._compare(campaign, before)
            if not found.moving:
                break
        return found

    def repair(self, campaign: CampaignCode, tally: Counts) -> Recounted:
        """Count what was not counted, label anew what is a machine's by the threshold of now, then
        add to the counters what they lack; what is found after that. Counters that move are left
        alone.
        """
        found = self.compare(campaign)
        for start in range(0, len(found.uncounted), BATCH):
            tally.count(found.uncounted[start : start + BATCH])
        relabel_rows(self.recipients, campaign, self._threshold(campaign))
        found = self.compare(campaign)
        if found.differences and not found.moving and not found.uncounted:
            self._add(campaign, {c: want - has for c, (has, want) in found.differences.items()})
            found = self.compare(campaign)
        return found

    def _compare(self, campaign: CampaignCode, before: CampaignCounts) -> Recounted:
        threshold = self._threshold(campaign)
        rows, marks = read_rows(self.recipients.of_campaign(campaign))
        counted = {mark.id for of_one in marks.values() for mark in of_one}
        clicks = {click_hash(click.id): click for click in self.ledger.of_campaign(campaign)}
        uncounted = [click for id_, click in clicks.items() if id_ not in counted]
        for click in uncounted:
            key = RowKey(campaign, click.recipient)
            marks[key].append(mark_of(click, threshold))
        want = expected(rows, marks, threshold)
        after = self.campaigns.counts(campaign)
        return Recounted(
            clicks=len(clicks),
            uncounted=tuple(uncounted),
            expired=len(counted - clicks.keys()),
            differences=differences(after.cells(), want),
            moving=before != after,
        )

    def _threshold(self, campaign: CampaignCode) -> int:
        return self.workspaces.settings(workspace_of(campaign)).machine_threshold

    def _add(self, campaign: CampaignCode, lacking: Mapping[Cell, int]) -> None:
        counters = sorted({cell.counter for cell in lacking})
        for start in range(0, len(counters), ACTIONS):
            some = set(counters[start : start + ACTIONS])
            increments: Increments = Counter(
                {cell: value for cell, value in lacking.items() if cell.counter in some}
            )
            self.recipients.commit(Commit(campaign, [], [], increments))
