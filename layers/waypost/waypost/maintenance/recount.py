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

from waypost.bot_detection.scoring import classify_click
from waypost.errors import WriteConflict
from waypost.ids import CampaignId, WorkspaceId, extract_workspace_id
from waypost.models.click import Click
from waypost.models.counters import TOTAL_COUNTER, CampaignCounts, CounterCell, CounterIncrements
from waypost.models.recipient import (
    CountedClick,
    OverflowItem,
    RecipientKey,
    RecipientRow,
    click_hash,
)
from waypost.models.workspace import WorkspaceSettings
from waypost.repositories.recipients import MAX_COMMIT_ACTIONS, Commit, RecipientRepository
from waypost.tally.aggregation import RecipientChange, apply_clicks, reclassify
from waypost.tally.service import TallyResult


def derive_counters(
    rows: Mapping[RecipientKey, RecipientRow],
    counted_clicks: Mapping[RecipientKey, Collection[CountedClick]],
    threshold: int,
) -> CounterIncrements:
    """What the counters of a campaign ought to be.

    Whether a delivery is shared is told, for a row with sheets, from the marks that each of its
    clicks was counted beside; that cannot be told again, so the row's own word is taken.
    """
    total: CounterIncrements = Counter()
    for key, of_one in counted_clicks.items():
        change = apply_clicks(RecipientRow(key), {}, of_one, threshold=threshold)
        if change is None:
            continue
        total.update(change.increments)
        if change.overflow_items and key in rows:
            total[CounterCell(TOTAL_COUNTER, "shared")] += len(rows[key].shared_deliveries) - len(
                change.row.shared_deliveries
            )
    return Counter({cell: value for cell, value in total.items() if value})


def compare_counters(
    actual: CounterIncrements, expected: CounterIncrements
) -> dict[CounterCell, tuple[int, int]]:
    """The cells that differ: what is counted, and what ought to be."""
    cells = sorted(actual.keys() | expected.keys())
    return {
        cell: (actual[cell], expected[cell]) for cell in cells if actual[cell] != expected[cell]
    }


def group_records(
    records: Iterable[RecipientRow | OverflowItem],
) -> tuple[dict[RecipientKey, RecipientRow], defaultdict[RecipientKey, list[CountedClick]]]:
    rows: dict[RecipientKey, RecipientRow] = {}
    marks: defaultdict[RecipientKey, list[CountedClick]] = defaultdict(list)
    for record in records:
        key = record.key._replace(overflow=None)
        marks[key].extend(record.counted_clicks)
        if isinstance(record, RecipientRow):
            rows[key] = record
    return rows, marks


MAX_RECLASSIFY_CONFLICTS: Final = 6
"""How often a row may be written by others between reading and writing it."""


def reclassify_rows(recipients: RecipientRepository, campaign: CampaignId, threshold: int) -> None:
    """Label the marks of a campaign by a threshold. Safe to repeat and to be broken off. Raises
    Conflict where others never cease to write to a row.
    """
    rows: dict[RecipientKey, RecipientRow] = {}
    sheets: defaultdict[RecipientKey, dict[int, OverflowItem]] = defaultdict(dict)
    for record in recipients.iter_by_campaign(campaign):
        if isinstance(record, RecipientRow):
            rows[record.key] = record
        else:
            sheets[record.key._replace(overflow=None)][record.number] = record
    for key, row in rows.items():
        _reclassify_row(recipients, row, sheets[key], threshold)


def _reclassify_row(
    recipients: RecipientRepository,
    row: RecipientRow,
    overflow_items: dict[int, OverflowItem],
    threshold: int,
) -> None:
    conflicts = 0
    while change := reclassify(row, overflow_items, threshold=threshold):
        try:
            recipients.commit(_build_commit(change))
        except WriteConflict:
            conflicts += 1
            if conflicts == MAX_RECLASSIFY_CONFLICTS:
                raise
            row = recipients.get_rows([row.key])[row.key]
            overflow_items = {
                sheet.number: sheet for sheet in recipients.list_overflow_items(row.key)
            }
        else:
            row = change.row
            overflow_items |= {sheet.number: sheet for sheet in change.overflow_items}


def _build_commit(change: RecipientChange) -> Commit:
    return Commit(change.row.key.campaign, [change.row], change.overflow_items, change.increments)


MAX_COMPARISONS: Final = 3
"""How often a campaign is read whose counters move meanwhile."""
RECOUNT_BATCH: Final = 500


class CampaignClickReader(Protocol):
    """What is read of the ledger."""

    def scan_by_campaign(self, campaign: CampaignId) -> Iterable[Click]: ...


class CampaignCounterReader(Protocol):
    """What is read of campaigns."""

    def get_counts(self, campaign: CampaignId) -> CampaignCounts: ...


class RecountSettingsReader(Protocol):
    """What is read of workspaces."""

    def get_settings(self, workspace: WorkspaceId) -> WorkspaceSettings: ...


class RecountTally(Protocol):
    """Counts clicks (``waypost.tally.service``)."""

    def count_clicks(self, clicks: Iterable[Click]) -> TallyResult: ...


@dataclass(frozen=True, slots=True)
class RecountResult:
    """What a recount found. ``differences``: counted and expected figure, by cell.

    ``expired`` clicks are counted and no longer in the ledger. Where ``moving`` is set, clicks were
    counted while it looked, and differences may be theirs.
    """

    clicks: int
    uncounted: tuple[Click, ...]
    expired: int
    differences: Mapping[CounterCell, tuple[int, int]]
    is_changing: bool

    @property
    def is_consistent(self) -> bool:
        return not self.differences and not self.uncounted


@dataclass(frozen=True, slots=True)
class RecountService:
    """The operator's recount. Reads the whole ledger and all rows of the campaign.

    Raises MalformedItem where one of them, or the workspace's settings, cannot be read: figures
    set right by a threshold that nobody chose would have to be set right again, and labels cannot.
    """

    clicks: CampaignClickReader
    campaigns: CampaignCounterReader
    recipients: RecipientRepository
    workspaces: RecountSettingsReader

    def compare(self, campaign: CampaignId) -> RecountResult:
        """Compare, reading again while the campaign's counters move."""
        for _ in range(MAX_COMPARISONS):
            before = self.campaigns.get_counts(campaign)
            found = self._compare_once(campaign, before)
            if not found.is_changing:
                break
        return found

    def repair(self, campaign: CampaignId, tally: RecountTally) -> RecountResult:
        """Count what was not counted, label anew what is a machine's by the threshold of now, then
        add to the counters what they lack; what is found after that. Counters that move are left
        alone.
        """
        found = self.compare(campaign)
        for start in range(0, len(found.uncounted), RECOUNT_BATCH):
            tally.count_clicks(found.uncounted[start : start + RECOUNT_BATCH])
        reclassify_rows(self.recipients, campaign, self._load_threshold(campaign))
        found = self.compare(campaign)
        if found.differences and not found.is_changing and not found.uncounted:
            self._add_increments(
                campaign, {c: want - has for c, (has, want) in found.differences.items()}
            )
            found = self.compare(campaign)
        return found

    def _compare_once(self, campaign: CampaignId, before: CampaignCounts) -> RecountResult:
        threshold = self._load_threshold(campaign)
        rows, marks = group_records(self.recipients.iter_by_campaign(campaign))
        counted = {mark.id for of_one in marks.values() for mark in of_one}
        clicks = {click_hash(click.id): click for click in self.clicks.scan_by_campaign(campaign)}
        uncounted = [click for id_, click in clicks.items() if id_ not in counted]
        for click in uncounted:
            key = RecipientKey(campaign, click.recipient)
            marks[key].append(classify_click(click, threshold))
        want = derive_counters(rows, marks, threshold)
        after = self.campaigns.get_counts(campaign)
        return RecountResult(
            clicks=len(clicks),
            uncounted=tuple(uncounted),
            expired=len(counted - clicks.keys()),
            differences=compare_counters(after.to_increments(), want),
            is_changing=before != after,
        )

    def _load_threshold(self, campaign: CampaignId) -> int:
        return self.workspaces.get_settings(extract_workspace_id(campaign)).machine_threshold

    def _add_increments(self, campaign: CampaignId, missing: Mapping[CounterCell, int]) -> None:
        counters = sorted({cell.counter for cell in missing})
        for start in range(0, len(counters), MAX_COMMIT_ACTIONS):
            some = set(counters[start : start + MAX_COMMIT_ACTIONS])
            increments: CounterIncrements = Counter(
                {cell: value for cell, value in missing.items() if cell.counter in some}
            )
            self.recipients.commit(Commit(campaign, [], [], increments))
