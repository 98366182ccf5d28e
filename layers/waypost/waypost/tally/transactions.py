"""Cuts what is to be counted into transactions that DynamoDB takes.

A transaction holds 100 actions and 4 MB. Rows of many recipients go into one, since they share its
counters: the more rows, the less a click costs.

What is counted already of the recipients that a batch touches.

Commits what is to be counted, until every mark of a batch is.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from waypost.errors import CorruptItemSet, StoreError, WriteConflict
from waypost.ids import CampaignId, is_open_id
from waypost.models.counters import CounterIncrements
from waypost.models.recipient import (
    CountedClick,
    OverflowItem,
    RecipientKey,
    RecipientRow,
    recipient_shard,
)
from waypost.models.workspace import EventPolicy
from waypost.repositories.recipients import (
    MAX_COMMIT_ACTIONS,
    MAX_COMMIT_BYTES,
    Commit,
    OutboxEntry,
    RecipientRepository,
    load_overflow_items,
)
from waypost.retry import Backoff
from waypost.tally.aggregation import RecipientChange, apply_clicks, reclassify

ClicksByRecipient: TypeAlias = Mapping[str, Sequence[CountedClick]]
"""Marks to count, by recipient."""


@dataclass(frozen=True, slots=True)
class RecipientState:
    """A recipient's row, and of a full one the sheets around the marks that came."""

    row: RecipientRow
    overflow_items: Mapping[int, OverflowItem] = field(default_factory=dict)

    def iter_clicks(self) -> Iterator[CountedClick]:
        """All marks that were read."""
        yield from self.row.counted_clicks
        for sheet in self.overflow_items.values():
            yield from sheet.counted_clicks


def load_states(
    repository: RecipientRepository, campaign: CampaignId, clicks: ClicksByRecipient
) -> dict[str, RecipientState]:
    """The standing of every recipient. Raises StoreUnavailable."""
    rows = repository.get_rows([RecipientKey(campaign, recipient) for recipient in clicks])
    wanted = {
        RecipientKey(campaign, key.recipient, sheet)
        for key, row in rows.items()
        if row.is_full
        for mark in clicks[key.recipient]
        for sheet in (
            mark.overflow_number - 1,
            mark.overflow_number,
            mark.overflow_number + 1,
        )  # neighbours speak across edges
    }
    standings = {key.recipient: RecipientState(row, {}) for key, row in rows.items()}
    by_recipient: dict[str, dict[int, OverflowItem]] = {}
    for key, sheet in load_overflow_items(repository, wanted).items():
        by_recipient.setdefault(key.recipient, {})[sheet.number] = sheet
    return {
        recipient: RecipientState(standing.row, by_recipient.get(recipient, {}))
        for recipient, standing in standings.items()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class CountingPolicy:
    """What decides how marks are counted."""

    bot_threshold: int
    event_policy: EventPolicy
    create_batch_id: Callable[[], int]


@dataclass(slots=True)
class TallyTransaction:
    """A commit, and by recipient the marks that are settled once it is written."""

    campaign: CampaignId
    batch: int
    changes: dict[str, RecipientChange] = field(default_factory=dict)
    increments: CounterIncrements = field(default_factory=Counter)
    event_ids: set[bytes] = field(default_factory=set)
    counters: set[str] = field(default_factory=set)
    item_count: int = 0
    item_bytes: int = 0

    def can_add(self, change: RecipientChange) -> bool:
        """Whether the change can go into the same transaction."""
        counters = len(self.counters.union(cell.counter for cell in change.increments))
        actions = self.item_count + _count_items(change) + counters + 1  # the notice
        return (
            actions <= MAX_COMMIT_ACTIONS
            and self.item_bytes + _change_bytes(change) <= MAX_COMMIT_BYTES
        )

    def add_change(self, recipient: str, change: RecipientChange, event_ids: set[bytes]) -> None:
        self.changes[recipient] = change
        self.increments.update(change.increments)
        self.event_ids |= event_ids
        self.counters.update(cell.counter for cell in change.increments)
        self.item_count += _count_items(change)
        self.item_bytes += _change_bytes(change)

    def to_commit(self) -> Commit:
        notice = (
            OutboxEntry(self.campaign, self.batch, frozenset(self.event_ids))
            if self.event_ids
            else None
        )
        return Commit(
            campaign=self.campaign,
            rows=[change.row for change in self.changes.values()],
            overflow_items=[
                sheet for change in self.changes.values() for sheet in change.overflow_items
            ],
            increments=self.increments,
            outbox_entry=notice,
        )


def plan_transactions(
    campaign: CampaignId,
    states: Mapping[str, RecipientState],
    pending: ClicksByRecipient,
    policy: CountingPolicy,
) -> tuple[list[TallyTransaction], dict[str, Sequence[CountedClick]]]:
    """Transactions that count marks, and by recipient the marks that found no room in any.

    Marks that are counted already are in neither. Recipients who clicked the same link go together,
    since they share its counter, and among them those of one partition: where one is hot and
    throttles, it delays only the transactions that touch it.
    """
    transactions: list[TallyTransaction] = []
    left: dict[str, Sequence[CountedClick]] = {}
    current = TallyTransaction(campaign, policy.create_batch_id())
    for recipient in sorted(
        pending, key=lambda name: (pending[name][0].link, recipient_shard(name))
    ):
        standing, marks = states[recipient], pending[recipient]
        change, rest = _fit_change(standing, marks, policy, current)
        if change is None and rest and current.changes:
            transactions.append(current)
            current = TallyTransaction(campaign, policy.create_batch_id())
            change, rest = _fit_change(standing, marks, policy, current)
        if change is not None:
            current.add_change(
                recipient, change, _select_events(standing, change, policy.event_policy)
            )
        if rest:
            left[recipient] = rest
    return [*transactions, *([current] if current.changes else [])], left


def _fit_change(
    state: RecipientState,
    clicks: Sequence[CountedClick],
    policy: CountingPolicy,
    transaction: TallyTransaction,
) -> tuple[RecipientChange | None, Sequence[CountedClick]]:
    """The change that counts as many of the marks as fit, and the marks left.

    A recipient's marks are cut only for an empty transaction: a scanner's row is better written
    once than in pieces. Where one mark alone changes more labels than fit, they go before it.
    """
    take = len(clicks)
    while take:
        change = apply_clicks(
            state.row,
            state.overflow_items,
            clicks[:take],
            threshold=policy.bot_threshold,
            batch=transaction.batch if policy.event_policy != "none" else 0,
        )
        if change is None or transaction.can_add(change):
            return change, clicks[take:]
        take = 0 if transaction.changes else take // 2
    if transaction.changes:
        return None, clicks
    threshold = policy.bot_threshold
    change = reclassify(state.row, state.overflow_items, clicks[:1], threshold=threshold)
    return (change if change and transaction.can_add(change) else None), clicks


def _select_events(
    state: RecipientState, change: RecipientChange, event_policy: EventPolicy
) -> set[bytes]:
    """Which of the clicks counted by a change are told to the bus."""
    if event_policy == "none":
        return set()
    if event_policy == "all":
        return {mark.id for mark in change.new_clicks}
    firsts: dict[tuple[bool, bytes], bytes] = {}  # of a delivery, the first open and click
    for mark in change.new_clicks:
        opened = is_open_id(mark.link)
        if mark.delivery not in (state.row.opens if opened else state.row.deliveries):
            firsts.setdefault((opened, mark.delivery), mark.id)
    return set(firsts.values())


def _count_items(change: RecipientChange) -> int:
    """The row, and what did not find room in it."""
    return 1 + len(change.overflow_items)


def _change_bytes(change: RecipientChange) -> int:
    return change.row.item_bytes + sum(sheet.item_bytes for sheet in change.overflow_items)


MAX_COMMIT_ATTEMPTS: Final = 6
"""How often writing may fail before a batch's clicks are given back."""
COMMIT_BACKOFF_SECONDS: Final = 0.04
"""The longest pause after the first failure."""


@dataclass(slots=True)
class CommitResult:
    """What became of the marks. ``counted``: as they stand in the rows, by id; ``notices``: by
    batch what is to be told of what was counted just now; ``failed``: ids not known to be counted;
    ``reasons``: what went wrong on the way, mended or not.
    """

    counted: dict[bytes, CountedClick] = field(default_factory=dict)
    outbox: dict[int, frozenset[bytes]] = field(default_factory=dict)
    failed_ids: set[bytes] = field(default_factory=set)
    failure_reasons: set[str] = field(default_factory=set)
    new_count: int = 0
    conflict_count: int = 0


class TransactionWriter:
    """Reads, plans and commits. Whatever fails is read again: the rows know what is counted."""

    def __init__(
        self, repository: RecipientRepository, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._repository = repository
        self._sleep = sleep

    def commit_with_retry(
        self, campaign: CampaignId, clicks: ClicksByRecipient, policy: CountingPolicy
    ) -> CommitResult:
        """Count the marks that are not counted yet."""
        settled = CommitResult()
        backoff = Backoff(COMMIT_BACKOFF_SECONDS, sleep=self._sleep)
        waiting, failures = clicks, 0
        while waiting and failures < MAX_COMMIT_ATTEMPTS:
            if failures:
                backoff.wait(failures)
            try:
                standings = load_states(self._repository, campaign, waiting)
            except CorruptItemSet as e:
                waiting = _drop_corrupt_rows(settled, waiting, e)
                continue
            except StoreError as e:
                settled.failure_reasons.add(str(e))
                failures += 1
                continue
            _add_known_clicks(settled, standings, waiting)
            transactions, left = plan_transactions(campaign, standings, waiting, policy)
            lost = self._commit_once(settled, transactions, waiting)
            failures += bool(lost) or not transactions  # neither may it turn for ever
            waiting = left | lost
        settled.failed_ids |= {mark.id for marks in waiting.values() for mark in marks}
        return settled

    def _commit_once(
        self,
        result: CommitResult,
        transactions: Sequence[TallyTransaction],
        pending: ClicksByRecipient,
    ) -> dict[str, Sequence[CountedClick]]:
        """Write the transactions; by recipient the marks of those that were not, or may not be."""
        lost: dict[str, Sequence[CountedClick]] = {}
        for transaction in transactions:
            commit = transaction.to_commit()
            try:
                self._repository.commit(commit)
            except StoreError as e:
                result.conflict_count += isinstance(e, WriteConflict)
                result.failure_reasons.add(str(e))
                lost |= {recipient: pending[recipient] for recipient in transaction.changes}
                continue
            fresh = [m for change in transaction.changes.values() for m in change.new_clicks]
            result.counted |= {mark.id: mark for mark in fresh}
            result.new_count += len(fresh)
            if commit.outbox_entry is not None:
                result.outbox[commit.outbox_entry.batch] = commit.outbox_entry.click_hashes
        return lost


def _drop_corrupt_rows(
    result: CommitResult, pending: ClicksByRecipient, error: CorruptItemSet
) -> ClicksByRecipient:
    """The marks of all others: those of recipients whose rows cannot be read are given back."""
    damaged = {key.recipient for key in error.keys}
    result.failure_reasons.add(str(error))
    result.failed_ids |= {m.id for name, marks in pending.items() if name in damaged for m in marks}
    return {name: marks for name, marks in pending.items() if name not in damaged}


def _add_known_clicks(
    result: CommitResult, states: Mapping[str, RecipientState], pending: ClicksByRecipient
) -> None:
    """Keep the marks that turn out to be counted: by an earlier delivery, or by a commit of ours
    whose answer got lost.
    """
    for recipient, marks in pending.items():
        ids = {mark.id for mark in marks}
        for mark in states[recipient].iter_clicks():
            if mark.id in ids:
                result.counted[mark.id] = mark
