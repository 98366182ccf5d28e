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

import random
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol

from waypost.bot_detection.scoring import signals_of
from waypost.errors import Conflict, MalformedItem, StoreUnavailable
from waypost.ids import CampaignCode, WorkspaceCode
from waypost.models.counters import TOTAL, Cell, Increments
from waypost.models.recipient import Mark, Row, RowKey, Sheet, delivery_under
from waypost.models.workspace import OptOut
from waypost.repositories.clicks import ClickStore
from waypost.repositories.messages import MessageStore
from waypost.repositories.pagination import Page
from waypost.repositories.recipients import Commit, RecipientStore
from waypost.repositories.workspaces import WorkspaceStore
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


CONFLICTS: Final = 6
"""How often in a row a step may be overtaken before the rest is left for the next call."""
PAUSE_SECONDS: Final = 0.02


class Step(NamedTuple):
    """What a step made nobody's; ``left``: nothing more can be done for now."""

    clicks: int = 0
    campaigns: int = 0
    left: bool = False


LOOKED: Final = Step()
LEFT: Final = Step(left=True)


@dataclass(frozen=True, slots=True)
class MovingRows:
    """What moves rows."""

    recipients: RecipientStore
    workspaces: WorkspaceStore
    sleep: Callable[[float], None]

    def move(self, campaign: CampaignCode, person: str, wish: OptOut) -> Iterator[Step]:
        """Move a row and its sheets in steps that fit a transaction. Others may write to the row,
        or to the campaign's counters, meanwhile: it is read again, but not for ever.
        """
        source = RowKey(campaign, f"p:{person}")
        target = RowKey(campaign, f"a:{wish.alias(campaign)}")
        threshold = self._threshold(wish.workspace)
        conflicts = 0
        while conflicts < CONFLICTS:
            row, sheets = self._read(source)
            if row.version == 0:
                yield Step(campaigns=1)
                return
            to, to_sheets = self._read(target)
            moving = step(row, sheets, to, to_sheets, wish.alias(campaign), threshold)
            try:
                self.recipients.commit(moving)
            except Conflict:
                conflicts += 1
                self.sleep(random.uniform(0, PAUSE_SECONDS * 2**conflicts))  # noqa: S311 - jitter
            else:
                conflicts = 0
            yield LOOKED
        yield LEFT

    def _threshold(self, workspace: WorkspaceCode) -> int:
        """Whom it concerns is not kept waiting for settings that somebody has to mend."""
        try:
            return self.workspaces.settings(workspace).machine_threshold
        except MalformedItem:
            return AS_LABELLED

    def _read(self, key: RowKey) -> tuple[Row, list[Sheet]]:
        return self.recipients.rows([key])[key], self.recipients.sheets_of(key)


CAMPAIGNS_A_PAGE: Final = 100


class CampaignList(Protocol):
    """The list of a workspace's campaigns (``waypost.repositories.campaigns``)."""

    def codes_of_workspace(
        self, workspace: WorkspaceCode, *, cursor: str | None, limit: int
    ) -> Page[CampaignCode]: ...


@dataclass(frozen=True, slots=True)
class Seeking:
    """Looks by ``listed``, or through the whole table without it."""

    recipients: RecipientStore
    messages: MessageStore
    listed: CampaignList | None

    def forget_rendered(self, workspace: WorkspaceCode) -> Iterator[int]:
        """Remove the messages that were rendered for one recipient; how many, by step."""
        if self.listed is None:
            yield self.messages.forget_rendered(workspace)
            return
        for campaigns in self._pages(self.listed, workspace):
            yield self.messages.forget_rendered_of(campaigns)

    def campaigns_of(
        self, workspace: WorkspaceCode, recipient: str
    ) -> Iterator[Collection[CampaignCode]]:
        """Campaigns that have a row of a recipient, some at a time."""
        if self.listed is None:
            yield self.recipients.campaigns_of(workspace, recipient)
            return
        for campaigns in self._pages(self.listed, workspace):
            yield self.rows_among(campaigns, recipient)

    def rows_among(self, campaigns: Collection[CampaignCode], recipient: str) -> list[CampaignCode]:
        """Of these campaigns, those that have a row of a recipient."""
        rows = self.recipients.rows([RowKey(code, recipient) for code in campaigns])
        return [key.campaign for key, row in rows.items() if row.version]

    def _pages(
        self, listed: CampaignList, workspace: WorkspaceCode
    ) -> Iterator[Sequence[CampaignCode]]:
        cursor = None
        while True:
            page = listed.codes_of_workspace(workspace, cursor=cursor, limit=CAMPAIGNS_A_PAGE)
            yield page.items
            cursor = page.cursor
            if cursor is None:
                return


PASSES: Final = 5
"""A tally that had read a person as known may write once more; the next pass finds it."""
UNDER_WAY: Final = timedelta(seconds=90)
"""How long after an opt-out such a tally may still write: its time, and what clocks differ by."""
CLICKS_A_PAGE: Final = 100


@dataclass(slots=True)
class Erased:
    """What was changed. ``clean``: a last look found nothing more of the person; before ``final``,
    a tally may still write what it had begun to count.
    """

    final: datetime
    clicks: int = 0
    campaigns: int = 0
    clean: bool = False


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Erasing:
    """Erases a person, as an operator's tool or within the time of a request."""

    ledger: ClickStore
    recipients: RecipientStore
    workspaces: WorkspaceStore
    messages: MessageStore
    """Where rendered messages are kept, any of which may be the person's: all of them go."""
    listed: CampaignList | None = None
    """Where to look for the workspace's campaigns; None reads the whole table, and misses none."""
    sleep: Callable[[float], None] = time.sleep

    def erase(
        self,
        workspace: WorkspaceCode,
        person: str,
        now: datetime,
        late: Callable[[], bool] = _never,
    ) -> Erased:
        """Erase a person, or as much as is done when it is ``late`` or others keep writing to
        what is to go. Safe to repeat and to be broken off. Raises StoreError: MalformedItem where
        something of theirs cannot be read, since they are not erased before that is gone.
        """
        wish = self.workspaces.opt_out(workspace, person, now)
        erased = Erased(final=wish.since + UNDER_WAY)
        seeking = Seeking(self.recipients, self.messages, self.listed)
        for _ in seeking.forget_rendered(workspace):
            if late():
                return erased
        for _ in range(PASSES):
            before = erased.campaigns + erased.clicks
            for done in self._pass(seeking, person, wish):
                erased.campaigns += done.campaigns
                erased.clicks += done.clicks
                if done.left or late():
                    return erased
            if before == erased.campaigns + erased.clicks:
                erased.clean = True
                break
        return erased

    @property
    def _rows(self) -> MovingRows:
        return MovingRows(self.recipients, self.workspaces, self.sleep)

    def _pass(self, seeking: Seeking, person: str, wish: OptOut) -> Iterator[Step]:
        for campaigns in seeking.campaigns_of(wish.workspace, f"p:{person}"):
            yield LOOKED
            for campaign in campaigns:
                yield from self._rows.move(campaign, person, wish)
        yield from self._anonymise_clicks(seeking, person, wish)

    def _anonymise_clicks(self, seeking: Seeking, person: str, wish: OptOut) -> Iterator[Step]:
        """After the rows, those of campaigns that are on no list included: a click that appears
        under its alias is counted there already.
        """
        cursor, unread = None, 0
        while True:
            page = self.ledger.of_person(wish.workspace, person, cursor=cursor, limit=CLICKS_A_PAGE)
            clicked = {click.campaign for click in page.items}
            for campaign in seeking.rows_among(clicked, f"p:{person}"):
                yield from self._rows.move(campaign, person, wish)
            for click in page.items:
                alias = wish.alias(click.campaign)
                self.ledger.anonymise(click, click.anonymous(alias, int(signals_of(click))))
            yield Step(clicks=len(page.items))
            cursor, unread = page.cursor, unread + page.unread
            if cursor is None:
                break
        if unread:
            told = f"{unread} of the person's clicks in workspace {wish.workspace} cannot be read"
            raise MalformedItem(told)
