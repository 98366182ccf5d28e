"""Cuts what is to be counted into transactions that DynamoDB takes.

A transaction holds 100 actions and 4 MB. Rows of many recipients go into one, since they share its
counters: the more rows, the less a click costs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from waypost.counting.standing import Marks, Standing
from waypost.ids import CampaignCode, is_opens
from waypost.model.mark import Mark
from waypost.model.row_key import shard_of
from waypost.models.counters import Increments
from waypost.models.workspace import EventPolicy
from waypost.repositories.recipients import ACTIONS, BYTES, Commit, Notice
from waypost.tally.aggregation import Change, absorb, relabel


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
