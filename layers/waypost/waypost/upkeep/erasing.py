"""Removes a person everywhere and leaves every figure right.

The person is marked as opted out first, so that whatever still comes in is counted without
identity. Their rows become rows of an alias, then their clicks do; no figure changes by it, for an
alias is a recipient like any other. What the alias was made with stands in the opt-out alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from waypost.clicks.absorbing import absorb
from waypost.clicks.signals import signals_of
from waypost.codes import CampaignCode, WorkspaceCode
from waypost.errors import Conflict
from waypost.model.counters import TOTAL, Cell, Increments
from waypost.model.mark import Mark, delivery_under
from waypost.model.person import OptOut
from waypost.model.recipient import Row, RowKey, Sheet
from waypost.store.clicks import ClickStore
from waypost.store.messages import MessageStore
from waypost.store.recipients import Commit, RecipientStore
from waypost.store.workspaces import WorkspaceStore

PASSES: Final = 5
"""A tally that had read a person as known may write once more; the next pass finds it."""
SHEETS_A_STEP: Final = 20
CLICKS_A_PAGE: Final = 100
_NO_THRESHOLD: Final = 1 << 30  # labels stay as they are


@dataclass(slots=True)
class Erased:
    """What was changed. ``clean``: a last look found nothing more of the person."""

    clicks: int = 0
    campaigns: int = 0
    clean: bool = False


@dataclass(frozen=True, slots=True)
class Erasing:
    """The operator's erasure. Reads all rows of all campaigns, since none are kept by person."""

    ledger: ClickStore
    recipients: RecipientStore
    workspaces: WorkspaceStore
    messages: MessageStore
    """Where rendered messages are kept, any of which may be the person's: all of them go."""

    def erase(self, workspace: WorkspaceCode, person: str, now: datetime) -> Erased:
        """Erase a person. Safe to repeat and to be broken off. Raises StoreError."""
        wish = self.workspaces.opt_out(workspace, person, now)
        erased = Erased()
        self.messages.forget_rendered(workspace)
        for _ in range(PASSES):
            campaigns = self.recipients.campaigns_of(workspace, f"p:{person}")
            for campaign in campaigns:
                self._move_row(campaign, person, wish)
            clicks = self._anonymise_clicks(workspace, person, wish)
            erased.campaigns += len(campaigns)
            erased.clicks += clicks
            if not campaigns and not clicks:
                erased.clean = True
                break
        return erased

    def _anonymise_clicks(self, workspace: WorkspaceCode, person: str, wish: OptOut) -> int:
        """After the rows: a click that appears under its alias is counted there already."""
        done, cursor = 0, None
        while True:
            page = self.ledger.of_person(workspace, person, cursor=cursor, limit=CLICKS_A_PAGE)
            for click in page.items:
                alias = wish.alias(click.campaign)
                self.ledger.anonymise(click, click.anonymous(alias, int(signals_of(click))))
            done += len(page.items)
            cursor = page.cursor
            if cursor is None:
                return done

    def _move_row(self, campaign: CampaignCode, person: str, wish: OptOut) -> None:
        """Move a row and its sheets in steps that fit a transaction, each right by itself."""
        source = RowKey(campaign, f"p:{person}")
        target = RowKey(campaign, f"a:{wish.alias(campaign)}")
        threshold = self.workspaces.settings(wish.workspace).machine_threshold
        while True:
            row, sheets = self._read(source)
            if row.version == 0:
                return
            to, to_sheets = self._read(target)
            step = _step(row, sheets, to, to_sheets, wish.alias(campaign), threshold)
            try:
                self.recipients.commit(step)
            except Conflict:
                continue

    def _read(self, key: RowKey) -> tuple[Row, list[Sheet]]:
        return self.recipients.rows([key])[key], self.recipients.sheets_of(key)


def _step(
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
