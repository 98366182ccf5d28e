"""Removes a person everywhere and leaves every figure right.

The person is marked as opted out first, so that whatever still comes in is counted without
identity. Their rows become rows of an alias, then their clicks do; no figure changes by it, for an
alias is a recipient like any other. What the alias was made with stands in the opt-out alone.

All of it goes in steps, each right by itself. An erasure that breaks off is called again, and goes
on where it was: what is nobody's already is not found any more.

What of a recipient's row moves to another in one transaction, and what that does to figures.

Moves a recipient's row of a campaign to the row of an alias, step by step.

Where something of a person may be: campaigns with a row of theirs, messages rendered for them.

Neither is kept by person. The whole table has them for sure, which is for operators' tools. The
list of a workspace's campaigns is found much faster, and holds each campaign that was sent since
there are lists, or since an operator listed those of before.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol

from waypost.bot_detection.scoring import detect_signals
from waypost.errors import CorruptItem, StoreUnavailable, WriteConflict
from waypost.ids import CampaignId, WorkspaceId
from waypost.models.counters import TOTAL_COUNTER, CounterCell, CounterIncrements
from waypost.models.recipient import (
    CountedClick,
    OverflowItem,
    RecipientKey,
    RecipientRow,
    anonymous_delivery_hash,
)
from waypost.models.workspace import OptOut
from waypost.repositories.clicks import ClickRepository
from waypost.repositories.messages import MessageRepository
from waypost.repositories.pagination import Page
from waypost.repositories.recipients import Commit, RecipientRepository
from waypost.repositories.workspaces import WorkspaceRepository
from waypost.retry import Backoff
from waypost.tally.aggregation import RecipientChange, apply_clicks, reclassify

OVERFLOW_ITEMS_PER_STEP: Final = 20
KEEP_VERDICTS: Final = 1 << 30
"""A threshold that leaves labels as they are."""


@dataclass(frozen=True, slots=True)
class AliasRow:
    """The row of the alias that everything goes to."""

    row: RecipientRow
    overflow_items: Mapping[int, OverflowItem]
    alias: str
    threshold: int

    def apply_clicks(self, counted_clicks: Iterable[CountedClick]) -> RecipientChange | None:
        """What further marks change in it."""
        return apply_clicks(
            self.row,
            self.overflow_items,
            self._assign_alias(counted_clicks),
            threshold=self.threshold,
        )

    def reclassify(self, counted_clicks: Iterable[CountedClick]) -> Commit:
        """Its own labels as they will be beside further marks, where those alone are too many."""
        change = reclassify(
            self.row,
            self.overflow_items,
            self._assign_alias(counted_clicks),
            threshold=self.threshold,
        )
        if change is None:
            raise StoreUnavailable("a click of theirs fits no transaction")
        return Commit(self.row.key.campaign, [change.row], change.overflow_items, change.increments)

    def _assign_alias(self, counted_clicks: Iterable[CountedClick]) -> list[CountedClick]:
        return [
            replace(mark, delivery=anonymous_delivery_hash(self.alias, mark.delivery))
            for mark in counted_clicks
        ]


@dataclass(frozen=True, slots=True)
class MoveBatch:
    """What moves at once: ``marks``, of which ``left`` keep their sheet and ``removed`` do not."""

    counted_clicks: Sequence[CountedClick]
    removed_items: Sequence[RecipientRow | OverflowItem] = ()
    remaining_items: Sequence[OverflowItem] = ()


def plan_move(
    row: RecipientRow,
    overflow_items: Sequence[OverflowItem],
    target_row: RecipientRow,
    target_overflow_items: Sequence[OverflowItem],
    alias: str,
    threshold: int,
) -> Commit:
    """As many sheets as fit move, or a part of one, or the row when no sheets are left."""
    target = AliasRow(
        target_row, {sheet.number: sheet for sheet in target_overflow_items}, alias, threshold
    )
    every = [
        *row.counted_clicks,
        *(mark for sheet in overflow_items for mark in sheet.counted_clicks),
    ]
    for portion in _iter_move_batches(row, overflow_items):
        moving = _build_move_commit(row, every, portion, target)
        if moving.is_within_limits:
            return moving
    return target.reclassify(portion.counted_clicks)


def _iter_move_batches(
    row: RecipientRow, overflow_items: Sequence[OverflowItem]
) -> Iterator[MoveBatch]:
    """From much to little: some sheets, some marks of one, links together, at least one mark."""
    if not overflow_items:
        yield MoveBatch(row.counted_clicks, removed_items=[row])
        return
    number = min(len(overflow_items), OVERFLOW_ITEMS_PER_STEP)
    while number:
        some = overflow_items[:number]
        yield MoveBatch(
            [mark for sheet in some for mark in sheet.counted_clicks], removed_items=some
        )
        number //= 2
    sheet = overflow_items[0]
    marks = sorted(sheet.counted_clicks, key=lambda mark: (mark.link, mark.time, mark.id))
    number = len(marks) // 2
    while number:
        kept = OverflowItem(sheet.key, sheet.version + 1, tuple(marks[number:]))
        yield MoveBatch(marks[:number], remaining_items=[kept])
        number //= 2


def _build_move_commit(
    row: RecipientRow, counted_clicks: Sequence[CountedClick], batch: MoveBatch, target: AliasRow
) -> Commit:
    moving = {mark.id for mark in batch.counted_clicks}
    change = target.apply_clicks(batch.counted_clicks)
    left, increments = _subtract_clicks(
        row, counted_clicks, [mark for mark in counted_clicks if mark.id not in moving]
    )
    increments.update(change.increments if change else {})
    return Commit(
        campaign=row.key.campaign,
        rows=[*([left] if left else []), *([change.row] if change else [])],
        overflow_items=[*batch.remaining_items, *(change.overflow_items if change else ())],
        increments=Counter({cell: value for cell, value in increments.items() if value}),
        removed_items=batch.removed_items,
    )


def _subtract_clicks(
    row: RecipientRow, before: Collection[CountedClick], after: Collection[CountedClick]
) -> tuple[RecipientRow | None, CounterIncrements]:
    """The row with the sums of fewer marks, and what that takes from the counters; None and all of
    it where no marks are left.
    """
    taken: CounterIncrements = Counter()
    had = apply_clicks(RecipientRow(row.key), {}, before, threshold=KEEP_VERDICTS)
    has = apply_clicks(RecipientRow(row.key), {}, after, threshold=KEEP_VERDICTS)
    taken.subtract(had.increments if had else {})
    taken.update(has.increments if has else {})
    taken[CounterCell(TOTAL_COUNTER, "shared")] = 0 if has else -len(row.shared_deliveries)
    if has is None:
        return None, taken
    sums = replace(
        has.row,
        version=row.version + 1,
        counted_clicks=row.counted_clicks,
        shared_deliveries=row.shared_deliveries,
    )
    return sums, taken


MAX_ROW_CONFLICTS: Final = 6
"""How often in a row a step may be overtaken before the rest is left for the next call."""
ROW_BACKOFF_SECONDS: Final = 0.04
"""The longest pause after the first conflict."""


class ErasureStep(NamedTuple):
    """What a step made nobody's; ``left``: nothing more can be done for now."""

    clicks: int = 0
    campaigns: int = 0
    is_blocked: bool = False


NO_CHANGE: Final = ErasureStep()
BLOCKED: Final = ErasureStep(is_blocked=True)


@dataclass(frozen=True, slots=True)
class RowMover:
    """What moves rows."""

    recipients: RecipientRepository
    workspaces: WorkspaceRepository
    sleep: Callable[[float], None]

    def move_row(self, campaign: CampaignId, person: str, opt_out: OptOut) -> Iterator[ErasureStep]:
        """Move a row and its sheets in steps that fit a transaction. Others may write to the row,
        or to the campaign's counters, meanwhile: it is read again, but not for ever.
        """
        source = RecipientKey(campaign, f"p:{person}")
        target = RecipientKey(campaign, f"a:{opt_out.derive_alias(campaign)}")
        threshold = self._load_threshold(opt_out.workspace)
        backoff = Backoff(ROW_BACKOFF_SECONDS, sleep=self.sleep)
        conflicts = 0
        while conflicts < MAX_ROW_CONFLICTS:
            row, sheets = self._load_row(source)
            if row.version == 0:
                yield ErasureStep(campaigns=1)
                return
            to, to_sheets = self._load_row(target)
            moving = plan_move(
                row, sheets, to, to_sheets, opt_out.derive_alias(campaign), threshold
            )
            try:
                self.recipients.commit(moving)
            except WriteConflict:
                conflicts += 1
                backoff.wait(conflicts)
            else:
                conflicts = 0
            yield NO_CHANGE
        yield BLOCKED

    def _load_threshold(self, workspace: WorkspaceId) -> int:
        """Whom it concerns is not kept waiting for settings that somebody has to mend."""
        try:
            return self.workspaces.get_settings(workspace).machine_threshold
        except CorruptItem:
            return KEEP_VERDICTS

    def _load_row(self, key: RecipientKey) -> tuple[RecipientRow, list[OverflowItem]]:
        return self.recipients.get_rows([key])[key], self.recipients.list_overflow_items(key)


CAMPAIGNS_PER_PAGE: Final = 100


class CampaignIndex(Protocol):
    """The list of a workspace's campaigns (``waypost.repositories.campaigns``)."""

    def list_ids_by_workspace(
        self, workspace: WorkspaceId, *, cursor: str | None, limit: int
    ) -> Page[CampaignId]: ...


@dataclass(frozen=True, slots=True)
class PersonIndex:
    """Looks by ``listed``, or through the whole table without it."""

    recipients: RecipientRepository
    messages: MessageRepository
    campaign_index: CampaignIndex | None

    def delete_personal_messages(self, workspace: WorkspaceId) -> Iterator[int]:
        """Remove the messages that were rendered for one recipient; how many, by step."""
        if self.campaign_index is None:
            yield self.messages.delete_personal_by_workspace(workspace)
            return
        for campaigns in self._campaign_pages(self.campaign_index, workspace):
            yield self.messages.delete_personal_by_campaigns(campaigns)

    def find_campaigns(
        self, workspace: WorkspaceId, recipient: str
    ) -> Iterator[Collection[CampaignId]]:
        """Campaigns that have a row of a recipient, some at a time."""
        if self.campaign_index is None:
            yield self.recipients.scan_campaigns(workspace, recipient)
            return
        for campaigns in self._campaign_pages(self.campaign_index, workspace):
            yield self.filter_campaigns(campaigns, recipient)

    def filter_campaigns(
        self, campaigns: Collection[CampaignId], recipient: str
    ) -> list[CampaignId]:
        """Of these campaigns, those that have a row of a recipient."""
        rows = self.recipients.get_rows([RecipientKey(code, recipient) for code in campaigns])
        return [key.campaign for key, row in rows.items() if row.version]

    def _campaign_pages(
        self, campaign_index: CampaignIndex, workspace: WorkspaceId
    ) -> Iterator[Sequence[CampaignId]]:
        cursor = None
        while True:
            page = campaign_index.list_ids_by_workspace(
                workspace, cursor=cursor, limit=CAMPAIGNS_PER_PAGE
            )
            yield page.items
            cursor = page.cursor
            if cursor is None:
                return


MAX_PASSES: Final = 5
"""A tally that had read a person as known may write once more; the next pass finds it."""
IN_FLIGHT_WINDOW: Final = timedelta(seconds=90)
"""How long after an opt-out such a tally may still write: its time, and what clocks differ by."""
CLICKS_PER_PAGE: Final = 100


@dataclass(slots=True)
class ErasureProgress:
    """What was changed. ``clean``: a last look found nothing more of the person; before ``final``,
    a tally may still write what it had begun to count.
    """

    final_at: datetime
    clicks: int = 0
    campaigns: int = 0
    is_complete: bool = False


def _never_late() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Erasure:
    """Erases a person, as an operator's tool or within the time of a request."""

    clicks: ClickRepository
    recipients: RecipientRepository
    workspaces: WorkspaceRepository
    messages: MessageRepository
    """Where rendered messages are kept, any of which may be the person's: all of them go."""
    campaign_index: CampaignIndex | None = None
    """Where to look for the workspace's campaigns; None reads the whole table, and misses none."""
    sleep: Callable[[float], None] = time.sleep

    def erase(
        self,
        workspace: WorkspaceId,
        person: str,
        now: datetime,
        is_late: Callable[[], bool] = _never_late,
    ) -> ErasureProgress:
        """Erase a person, or as much as is done when it is ``late`` or others keep writing to
        what is to go. Safe to repeat and to be broken off. Raises StoreError: MalformedItem where
        something of theirs cannot be read, since they are not erased before that is gone.
        """
        wish = self.workspaces.opt_out(workspace, person, now)
        erased = ErasureProgress(final_at=wish.since + IN_FLIGHT_WINDOW)
        seeking = PersonIndex(self.recipients, self.messages, self.campaign_index)
        for _ in seeking.delete_personal_messages(workspace):
            if is_late():
                return erased
        for _ in range(MAX_PASSES):
            before = erased.campaigns + erased.clicks
            for done in self._run_pass(seeking, person, wish):
                erased.campaigns += done.campaigns
                erased.clicks += done.clicks
                if done.is_blocked or is_late():
                    return erased
            if before == erased.campaigns + erased.clicks:
                erased.is_complete = True
                break
        return erased

    @property
    def _row_mover(self) -> RowMover:
        return RowMover(self.recipients, self.workspaces, self.sleep)

    def _run_pass(
        self, person_index: PersonIndex, person: str, opt_out: OptOut
    ) -> Iterator[ErasureStep]:
        for campaigns in person_index.find_campaigns(opt_out.workspace, f"p:{person}"):
            yield NO_CHANGE
            for campaign in campaigns:
                yield from self._row_mover.move_row(campaign, person, opt_out)
        yield from self._anonymise_clicks(person_index, person, opt_out)

    def _anonymise_clicks(
        self, person_index: PersonIndex, person: str, opt_out: OptOut
    ) -> Iterator[ErasureStep]:
        """After the rows, those of campaigns that are on no list included: a click that appears
        under its alias is counted there already.
        """
        cursor, unread = None, 0
        while True:
            page = self.clicks.list_by_person(
                opt_out.workspace, person, cursor=cursor, limit=CLICKS_PER_PAGE
            )
            clicked = {click.campaign for click in page.items}
            for campaign in person_index.filter_campaigns(clicked, f"p:{person}"):
                yield from self._row_mover.move_row(campaign, person, opt_out)
            for click in page.items:
                alias = opt_out.derive_alias(click.campaign)
                self.clicks.anonymize(click, click.anonymize(alias, int(detect_signals(click))))
            yield ErasureStep(clicks=len(page.items))
            cursor, unread = page.cursor, unread + page.corrupt_count
            if cursor is None:
                break
        if unread:
            told = (
                f"{unread} of the person's clicks in workspace {opt_out.workspace} cannot be read"
            )
            raise CorruptItem(told)
