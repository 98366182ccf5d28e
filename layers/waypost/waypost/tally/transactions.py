"""Cuts what is to be counted into transactions that DynamoDB takes.

A transaction holds 100 actions and 4 MB. Rows of many recipients go into one, since they share its
counters: the more rows, the less a click costs.

What is counted already of the recipients that a batch touches.

Commits what is to be counted, until every mark of a batch is.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from waypost.errors import Conflict, MalformedRows, StoreError
from waypost.ids import CampaignCode, is_opens
from waypost.models.counters import Increments
from waypost.models.recipient import Mark, Row, RowKey, Sheet, shard_of
from waypost.models.workspace import EventPolicy
from waypost.repositories.recipients import (
    ACTIONS,
    BYTES,
    Commit,
    Notice,
    RecipientStore,
    read_sheets,
)
from waypost.tally.aggregation import Change, absorb, relabel

Marks: TypeAlias = Mapping[str, Sequence[Mark]]
"""Marks to count, by recipient."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A recipient's row, and of a full one the sheets around the marks that came."""

    row: Row
    sheets: Mapping[int, Sheet] = field(default_factory=dict)

    def marks(self) -> Iterator[Mark]:
        """All marks that were read."""
        yield from self.row.marks
        for sheet in self.sheets.values():
            yield from sheet.marks


def read_standings(
    store: RecipientStore, campaign: CampaignCode, marks: Marks
) -> dict[str, Standing]:
    """The standing of every recipient. Raises StoreUnavailable."""
    rows = store.rows([RowKey(campaign, recipient) for recipient in marks])
    wanted = {
        RowKey(campaign, key.recipient, sheet)
        for key, row in rows.items()
        if row.full
        for mark in marks[key.recipient]
        for sheet in (mark.sheet - 1, mark.sheet, mark.sheet + 1)  # neighbours speak across edges
    }
    standings = {key.recipient: Standing(row, {}) for key, row in rows.items()}
    by_recipient: dict[str, dict[int, Sheet]] = {}
    for key, sheet in read_sheets(store, wanted).items():
        by_recipient.setdefault(key.recipient, {})[sheet.number] = sheet
    return {
        recipient: Standing(standing.row, by_recipient.get(recipient, {}))
        for recipient, standing in standings.items()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What decides how marks are counted."""

    threshold: int
    events: EventPolicy
    new_batch: Callable[[], int]


@dataclass(slots=True)
class Transaction:
    """A commit, and by recipient the marks that are settled once it is written."""

    campaign: CampaignCode
    batch: int
    changes: dict[str, Change] = field(default_factory=dict)
    increments: Increments = field(default_factory=Counter)
    tell: set[bytes] = field(default_factory=set)
    counters: set[str] = field(default_factory=set)
    records: int = 0
    size: int = 0

    def fits(self, change: Change) -> bool:
        """Whether the change can go into the same transaction."""
        counters = len(self.counters.union(cell.counter for cell in change.increments))
        actions = self.records + _records(change) + counters + 1  # the notice
        return actions <= ACTIONS and self.size + _size(change) <= BYTES

    def add(self, recipient: str, change: Change, tell: set[bytes]) -> None:
        self.changes[recipient] = change
        self.increments.update(change.increments)
        self.tell |= tell
        self.counters.update(cell.counter for cell in change.increments)
        self.records += _records(change)
        self.size += _size(change)

    def commit(self) -> Commit:
        notice = Notice(self.campaign, self.batch, frozenset(self.tell)) if self.tell else None
        return Commit(
            campaign=self.campaign,
            rows=[change.row for change in self.changes.values()],
            sheets=[sheet for change in self.changes.values() for sheet in change.sheets],
            increments=self.increments,
            notice=notice,
        )


def plan(
    campaign: CampaignCode, standings: Mapping[str, Standing], waiting: Marks, policy: Policy
) -> tuple[list[Transaction], dict[str, Sequence[Mark]]]:
    """Transactions that count marks, and by recipient the marks that found no room in any.

    Marks that are counted already are in neither. Recipients who clicked the same link go together,
    since they share its counter, and among them those of one partition: where one is hot and
    throttles, it delays only the transactions that touch it.
    """
    transactions: list[Transaction] = []
    left: dict[str, Sequence[Mark]] = {}
    current = Transaction(campaign, policy.new_batch())
    for recipient in sorted(waiting, key=lambda name: (waiting[name][0].link, shard_of(name))):
        standing, marks = standings[recipient], waiting[recipient]
        change, rest = _fitting(standing, marks, policy, current)
        if change is None and rest and current.changes:
            transactions.append(current)
            current = Transaction(campaign, policy.new_batch())
            change, rest = _fitting(standing, marks, policy, current)
        if change is not None:
            current.add(recipient, change, _to_tell(standing, change, policy.events))
        if rest:
            left[recipient] = rest
    return [*transactions, *([current] if current.changes else [])], left


def _fitting(
    standing: Standing, marks: Sequence[Mark], policy: Policy, transaction: Transaction
) -> tuple[Change | None, Sequence[Mark]]:
    """The change that counts as many of the marks as fit, and the marks left.

    A recipient's marks are cut only for an empty transaction: a scanner's row is better written
    once than in pieces. Where one mark alone changes more labels than fit, they go before it.
    """
    take = len(marks)
    while take:
        change = absorb(
            standing.row,
            standing.sheets,
            marks[:take],
            threshold=policy.threshold,
            batch=transaction.batch if policy.events != "none" else 0,
        )
        if change is None or transaction.fits(change):
            return change, marks[take:]
        take = 0 if transaction.changes else take // 2
    if transaction.changes:
        return None, marks
    threshold = policy.threshold
    change = relabel(standing.row, standing.sheets, marks[:1], threshold=threshold)
    return (change if change and transaction.fits(change) else None), marks


def _to_tell(standing: Standing, change: Change, events: EventPolicy) -> set[bytes]:
    """Which of the clicks counted by a change are told to the bus."""
    if events == "none":
        return set()
    if events == "all":
        return {mark.id for mark in change.fresh}
    firsts: dict[tuple[bool, bytes], bytes] = {}  # of a delivery, the first open and click
    for mark in change.fresh:
        opened = is_opens(mark.link)
        if mark.delivery not in (standing.row.opened if opened else standing.row.deliveries):
            firsts.setdefault((opened, mark.delivery), mark.id)
    return set(firsts.values())


def _records(change: Change) -> int:
    """The row, and what did not find room in it."""
    return 1 + len(change.sheets)


def _size(change: Change) -> int:
    return change.row.size + sum(sheet.size for sheet in change.sheets)


ROUNDS: Final = 6
"""How often writing may fail before a batch's clicks are given back."""
PAUSE_SECONDS: Final = 0.02


@dataclass(slots=True)
class Settled:
    """What became of the marks. ``counted``: as they stand in the rows, by id; ``notices``: by
    batch what is to be told of what was counted just now; ``failed``: ids not known to be counted;
    ``reasons``: what went wrong on the way, mended or not.
    """

    counted: dict[bytes, Mark] = field(default_factory=dict)
    notices: dict[int, frozenset[bytes]] = field(default_factory=dict)
    failed: set[bytes] = field(default_factory=set)
    reasons: set[str] = field(default_factory=set)
    fresh: int = 0
    conflicts: int = 0


class Settling:
    """Reads, plans and commits. Whatever fails is read again: the rows know what is counted."""

    def __init__(self, store: RecipientStore, sleep: Callable[[float], None] = time.sleep) -> None:
        self._store = store
        self._sleep = sleep

    def settle(self, campaign: CampaignCode, marks: Marks, policy: Policy) -> Settled:
        """Count the marks that are not counted yet."""
        settled = Settled()
        waiting, failures = marks, 0
        while waiting and failures < ROUNDS:
            if failures:
                self._sleep(random.uniform(0, PAUSE_SECONDS * 2**failures))  # noqa: S311 - jitter
            try:
                standings = read_standings(self._store, campaign, waiting)
            except MalformedRows as e:
                waiting = _without_damaged(settled, waiting, e)
                continue
            except StoreError as e:
                settled.reasons.add(str(e))
                failures += 1
                continue
            _note_counted(settled, standings, waiting)
            transactions, left = plan(campaign, standings, waiting, policy)
            lost = self._commit(settled, transactions, waiting)
            failures += bool(lost) or not transactions  # neither may it turn for ever
            waiting = left | lost
        settled.failed |= {mark.id for marks in waiting.values() for mark in marks}
        return settled

    def _commit(
        self, settled: Settled, transactions: Sequence[Transaction], waiting: Marks
    ) -> dict[str, Sequence[Mark]]:
        """Write the transactions; by recipient the marks of those that were not, or may not be."""
        lost: dict[str, Sequence[Mark]] = {}
        for transaction in transactions:
            commit = transaction.commit()
            try:
                self._store.commit(commit)
            except StoreError as e:
                settled.conflicts += isinstance(e, Conflict)
                settled.reasons.add(str(e))
                lost |= {recipient: waiting[recipient] for recipient in transaction.changes}
                continue
            fresh = [m for change in transaction.changes.values() for m in change.fresh]
            settled.counted |= {mark.id: mark for mark in fresh}
            settled.fresh += len(fresh)
            if commit.notice is not None:
                settled.notices[commit.notice.batch] = commit.notice.clicks
        return lost


def _without_damaged(settled: Settled, waiting: Marks, damage: MalformedRows) -> Marks:
    """The marks of all others: those of recipients whose rows cannot be read are given back."""
    damaged = {key.recipient for key in damage.keys}
    settled.reasons.add(str(damage))
    settled.failed |= {m.id for name, marks in waiting.items() if name in damaged for m in marks}
    return {name: marks for name, marks in waiting.items() if name not in damaged}


def _note_counted(settled: Settled, standings: Mapping[str, Standing], waiting: Marks) -> None:
    """Keep the marks that turn out to be counted: by an earlier delivery, or by a commit of ours
    whose answer got lost.
    """
    for recipient, marks in waiting.items():
        ids = {mark.id for mark in marks}
        for mark in standings[recipient].marks():
            if mark.id in ids:
                settled.counted[mark.id] = mark
