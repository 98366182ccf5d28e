"""Compare a campaign's counters with its counted clicks and the ledger, and repair them.

The ledger has all clicks until they expire. Recipient rows have the counted ones, with their
verdicts, and outlast the ledger. The expected counters are the sum of the clicks in all rows and of
the clicks in the ledger that no row has.

After a threshold was lowered, clicks counted as human may be a bot's. Such rows are reclassified
together with their counters, as the tally does on late evidence: if only the counters changed, the
next click of the row would change them again.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from waypost.bot_detection.scoring import classify_click
from waypost.errors import WriteConflict
from waypost.ids import CampaignId, extract_workspace_id
from waypost.models.click import Click
from waypost.models.counters import TOTAL_COUNTER, CampaignCounts, CounterCell, CounterIncrements
from waypost.models.recipient import (
    CountedClick,
    OverflowItem,
    RecipientKey,
    RecipientRow,
    click_hash,
)
from waypost.repositories.campaigns import CampaignRepository
from waypost.repositories.clicks import ClickRepository
from waypost.repositories.recipients import MAX_COMMIT_ACTIONS, Commit, RecipientRepository
from waypost.repositories.workspaces import WorkspaceRepository
from waypost.tally.aggregation import RecipientChange, apply_clicks, reclassify
from waypost.tally.service import TallyService


def derive_counters(
    rows: Mapping[RecipientKey, RecipientRow],
    counted_clicks: Mapping[RecipientKey, Collection[CountedClick]],
    threshold: int,
) -> CounterIncrements:
    """Derive the expected counters of a campaign.

    For a row with overflow items, shared deliveries depend on the clicks that were loaded when each
    click was counted. That cannot be repeated, so the row's own value is used.
    """
    total: CounterIncrements = Counter()
    for key, clicks in counted_clicks.items():
        change = apply_clicks(RecipientRow(key), {}, clicks, threshold=threshold)
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
    """Return the actual and the expected value of each cell that differs."""
    cells = sorted(actual.keys() | expected.keys())
    return {
        cell: (actual[cell], expected[cell]) for cell in cells if actual[cell] != expected[cell]
    }


def group_records(
    records: Iterable[RecipientRow | OverflowItem],
) -> tuple[dict[RecipientKey, RecipientRow], defaultdict[RecipientKey, list[CountedClick]]]:
    """Return rows and counted clicks by the key of the row."""
    rows: dict[RecipientKey, RecipientRow] = {}
    clicks: defaultdict[RecipientKey, list[CountedClick]] = defaultdict(list)
    for record in records:
        key = record.key._replace(overflow=None)
        clicks[key].extend(record.counted_clicks)
        if isinstance(record, RecipientRow):
            rows[key] = record
    return rows, clicks


MAX_RECLASSIFY_CONFLICTS: Final = 6
"""Conflicts with other writers of a row, after which it is left."""


def reclassify_rows(recipients: RecipientRepository, campaign: CampaignId, threshold: int) -> None:
    """Reclassify the clicks of a campaign by a threshold. Safe to repeat and to interrupt. Raises
    WriteConflict if other writers keep changing a row.
    """
    rows: dict[RecipientKey, RecipientRow] = {}
    overflow_items: defaultdict[RecipientKey, dict[int, OverflowItem]] = defaultdict(dict)
    for record in recipients.iter_by_campaign(campaign):
        if isinstance(record, RecipientRow):
            rows[record.key] = record
        else:
            overflow_items[record.key._replace(overflow=None)][record.number] = record
    for key, row in rows.items():
        _reclassify_row(recipients, row, overflow_items[key], threshold)


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
            overflow_items = {item.number: item for item in recipients.list_overflow_items(row.key)}
        else:
            row = change.row
            overflow_items |= {item.number: item for item in change.overflow_items}


def _build_commit(change: RecipientChange) -> Commit:
    return Commit(change.row.key.campaign, [change.row], change.overflow_items, change.increments)


MAX_COMPARISONS: Final = 3
"""Attempts to compare a campaign whose counters change meanwhile."""
RECOUNT_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class RecountResult:
    """The result of a recount. ``differences``: actual and expected value, by cell.

    ``expired`` clicks are counted and no longer in the ledger. If ``is_changing``, clicks were
    counted meanwhile, which may cause the differences.
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
    """The operator's recount. Scans the ledger and reads all rows of the campaign.

    Raises CorruptItem if a row or the workspace's settings are corrupt: reclassifying by a default
    threshold could not be undone.
    """

    clicks: ClickRepository
    campaigns: CampaignRepository
    recipients: RecipientRepository
    workspaces: WorkspaceRepository

    def compare(self, campaign: CampaignId) -> RecountResult:
        """Compare counters with clicks, again while the counters change."""
        for _ in range(MAX_COMPARISONS):
            before = self.campaigns.get_counts(campaign)
            result = self._compare_once(campaign, before)
            if not result.is_changing:
                break
        return result

    def repair(self, campaign: CampaignId, tally: TallyService) -> RecountResult:
        """Count uncounted clicks, reclassify rows by the present threshold, then add the
        differences to the counters. Return the comparison after that. Counters that change
        meanwhile are left alone.
        """
        result = self.compare(campaign)
        for start in range(0, len(result.uncounted), RECOUNT_BATCH):
            tally.count_clicks(result.uncounted[start : start + RECOUNT_BATCH])
        reclassify_rows(self.recipients, campaign, self._load_threshold(campaign))
        result = self.compare(campaign)
        if result.differences and not result.is_changing and not result.uncounted:
            missing = {
                cell: expected - actual for cell, (actual, expected) in result.differences.items()
            }
            self._add_increments(campaign, missing)
            result = self.compare(campaign)
        return result

    def _compare_once(self, campaign: CampaignId, before: CampaignCounts) -> RecountResult:
        threshold = self._load_threshold(campaign)
        rows, counted_clicks = group_records(self.recipients.iter_by_campaign(campaign))
        counted_ids = {click.id for row_clicks in counted_clicks.values() for click in row_clicks}
        clicks = {click_hash(click.id): click for click in self.clicks.scan_by_campaign(campaign)}
        uncounted = [click for id_, click in clicks.items() if id_ not in counted_ids]
        for click in uncounted:
            key = RecipientKey(campaign, click.recipient)
            counted_clicks[key].append(classify_click(click, threshold))
        expected = derive_counters(rows, counted_clicks, threshold)
        after = self.campaigns.get_counts(campaign)
        return RecountResult(
            clicks=len(clicks),
            uncounted=tuple(uncounted),
            expired=len(counted_ids - clicks.keys()),
            differences=compare_counters(after.to_increments(), expected),
            is_changing=before != after,
        )

    def _load_threshold(self, campaign: CampaignId) -> int:
        return self.workspaces.get_settings(extract_workspace_id(campaign)).machine_threshold

    def _add_increments(self, campaign: CampaignId, missing: Mapping[CounterCell, int]) -> None:
        counters = sorted({cell.counter for cell in missing})
        for start in range(0, len(counters), MAX_COMMIT_ACTIONS):
            batch = set(counters[start : start + MAX_COMMIT_ACTIONS])
            increments: CounterIncrements = Counter(
                {cell: value for cell, value in missing.items() if cell.counter in batch}
            )
            self.recipients.commit(Commit(campaign, [], [], increments))
