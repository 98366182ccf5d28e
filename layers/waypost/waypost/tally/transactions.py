"""Write counted clicks: read rows, plan transactions, commit them with retry.

A transaction of DynamoDB holds 100 actions and 4 MB. The rows of many recipients share one
transaction, because they share its counters: the more rows, the less a click costs.
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

MAX_COMMIT_ATTEMPTS: Final = 6
"""Failures after which the remaining clicks of a batch are returned for a retry."""
COMMIT_BACKOFF_SECONDS: Final = 0.04
"""Longest pause after the first failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountingPolicy:
    """The settings and ids with which clicks are counted."""

    bot_threshold: int
    event_policy: EventPolicy
    create_batch_id: Callable[[], int]


@dataclass(slots=True)
class CommitResult:
    """The result of a batch.

    ``counted`` holds the counted clicks as in the rows, by id. ``outbox`` holds the unpublished
    clicks that this result counted, by batch. ``failed_ids`` are clicks that may not be counted.
    ``failure_reasons`` includes failures after which a retry succeeded.
    """

    counted: dict[bytes, CountedClick] = field(default_factory=dict)
    outbox: dict[int, frozenset[bytes]] = field(default_factory=dict)
    failed_ids: set[bytes] = field(default_factory=set)
    failure_reasons: set[str] = field(default_factory=set)
    new_count: int = 0
    conflict_count: int = 0


class TransactionWriter:
    """Counts clicks in transactions. After a failure it reads the rows again."""

    def __init__(
        self, repository: RecipientRepository, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._repository = repository
        self._sleep = sleep

    def commit_with_retry(
        self, campaign: CampaignId, clicks: ClicksByRecipient, policy: CountingPolicy
    ) -> CommitResult:
        """Write a batch's clicks, retrying until all are counted."""
        result = CommitResult()
        backoff = Backoff(COMMIT_BACKOFF_SECONDS, sleep=self._sleep)
        pending, failures = clicks, 0
        while pending and failures < MAX_COMMIT_ATTEMPTS:
            if failures:
                backoff.wait(failures)
            try:
                states = load_states(self._repository, campaign, pending)
            except CorruptItemSet as e:
                pending = _drop_corrupt_rows(result, pending, e)
                continue
            except StoreError as e:
                result.failure_reasons.add(str(e))
                failures += 1
                continue
            _add_known_clicks(result, states, pending)
            transactions, unplanned = plan_transactions(campaign, states, pending, policy)
            uncommitted = self._commit_once(result, transactions, pending)
            failures += bool(uncommitted) or not transactions  # no transaction: never loop for ever
            pending = unplanned | uncommitted
        result.failed_ids |= {click.id for clicks_ in pending.values() for click in clicks_}
        return result

    def _commit_once(
        self,
        result: CommitResult,
        transactions: Sequence[TallyTransaction],
        pending: ClicksByRecipient,
    ) -> dict[str, Sequence[CountedClick]]:
        """Commit the transactions; return the clicks of those that failed or may have failed."""
        uncommitted: dict[str, Sequence[CountedClick]] = {}
        for transaction in transactions:
            commit = transaction.to_commit()
            try:
                self._repository.commit(commit)
            except StoreError as e:
                result.conflict_count += isinstance(e, WriteConflict)
                result.failure_reasons.add(str(e))
                uncommitted |= {recipient: pending[recipient] for recipient in transaction.changes}
                continue
            new_clicks = [c for change in transaction.changes.values() for c in change.new_clicks]
            result.counted |= {click.id: click for click in new_clicks}
            result.new_count += len(new_clicks)
            if commit.outbox_entry is not None:
                result.outbox[commit.outbox_entry.batch] = commit.outbox_entry.click_hashes
        return uncommitted


def _drop_corrupt_rows(
    result: CommitResult, pending: ClicksByRecipient, error: CorruptItemSet
) -> ClicksByRecipient:
    """Fail the clicks of recipients whose rows are corrupt; return the clicks of all others."""
    corrupt = {key.recipient for key in error.keys}
    result.failure_reasons.add(str(error))
    result.failed_ids |= {
        click.id for name, clicks in pending.items() if name in corrupt for click in clicks
    }
    return {name: clicks for name, clicks in pending.items() if name not in corrupt}


def _add_known_clicks(
    result: CommitResult, states: Mapping[str, RecipientState], pending: ClicksByRecipient
) -> None:
    """Add the pending clicks that the rows contain already to the result.

    An earlier delivery counted them, or a commit whose response was lost.
    """
    for recipient, clicks in pending.items():
        ids = {click.id for click in clicks}
        for known in states[recipient].iter_clicks():
            if known.id in ids:
                result.counted[known.id] = known


@dataclass(frozen=True, slots=True)
class RecipientState:
    """A recipient's row and, if it is full, the overflow items near the new clicks."""

    row: RecipientRow
    overflow_items: Mapping[int, OverflowItem] = field(default_factory=dict)

    def iter_clicks(self) -> Iterator[CountedClick]:
        """Yield all clicks of the row and the overflow items."""
        yield from self.row.counted_clicks
        for item in self.overflow_items.values():
            yield from item.counted_clicks


def load_states(
    repository: RecipientRepository, campaign: CampaignId, clicks: ClicksByRecipient
) -> dict[str, RecipientState]:
    """Load the clicks already counted for the batch's recipients. Raises StoreUnavailable."""
    rows = repository.get_rows([RecipientKey(campaign, recipient) for recipient in clicks])
    overflow_keys = {
        RecipientKey(campaign, key.recipient, number)
        for key, row in rows.items()
        if row.is_full
        for click in clicks[key.recipient]
        for number in (
            click.overflow_number - 1,
            click.overflow_number,
            click.overflow_number + 1,
        )  # a burst may continue in the items before and after
    }
    overflow_items: dict[str, dict[int, OverflowItem]] = {}
    for key, item in load_overflow_items(repository, overflow_keys).items():
        overflow_items.setdefault(key.recipient, {})[item.number] = item
    return {
        key.recipient: RecipientState(row, overflow_items.get(key.recipient, {}))
        for key, row in rows.items()
    }


@dataclass(slots=True)
class TallyTransaction:
    """The changes of one transaction, by recipient, and their size."""

    campaign: CampaignId
    batch: int
    changes: dict[str, RecipientChange] = field(default_factory=dict)
    increments: CounterIncrements = field(default_factory=Counter)
    event_ids: set[bytes] = field(default_factory=set)
    counters: set[str] = field(default_factory=set)
    item_count: int = 0
    item_bytes: int = 0

    def can_add(self, change: RecipientChange) -> bool:
        """Return True if the change fits into the transaction."""
        counters = len(self.counters.union(cell.counter for cell in change.increments))
        actions = self.item_count + _count_items(change) + counters + 1  # the outbox entry
        return (
            actions <= MAX_COMMIT_ACTIONS
            and self.item_bytes + _change_bytes(change) <= MAX_COMMIT_BYTES
        )

    def add_change(self, recipient: str, change: RecipientChange, event_ids: set[bytes]) -> None:
        """Add a recipient's change, with the ids of its clicks to publish."""
        self.changes[recipient] = change
        self.increments.update(change.increments)
        self.event_ids |= event_ids
        self.counters.update(cell.counter for cell in change.increments)
        self.item_count += _count_items(change)
        self.item_bytes += _change_bytes(change)

    def to_commit(self) -> Commit:
        """Convert the transaction to the repository's form."""
        outbox_entry = None
        if self.event_ids:
            outbox_entry = OutboxEntry(self.campaign, self.batch, frozenset(self.event_ids))
        return Commit(
            campaign=self.campaign,
            rows=[change.row for change in self.changes.values()],
            overflow_items=[
                item for change in self.changes.values() for item in change.overflow_items
            ],
            increments=self.increments,
            outbox_entry=outbox_entry,
        )


def _count_items(change: RecipientChange) -> int:
    return 1 + len(change.overflow_items)


def _change_bytes(change: RecipientChange) -> int:
    return change.row.item_bytes + sum(item.item_bytes for item in change.overflow_items)


def plan_transactions(
    campaign: CampaignId,
    states: Mapping[str, RecipientState],
    pending: ClicksByRecipient,
    policy: CountingPolicy,
) -> tuple[list[TallyTransaction], dict[str, Sequence[CountedClick]]]:
    """Plan transactions that count clicks; return also the clicks that do not fit, by recipient.

    Clicks that are counted already are in neither. Recipients of the same first link share a
    transaction because they share its counter. Among them, recipients of one partition are
    together, so a hot partition that throttles delays only the transactions that touch it.
    """
    transactions: list[TallyTransaction] = []
    unplanned: dict[str, Sequence[CountedClick]] = {}
    current = TallyTransaction(campaign, policy.create_batch_id())
    for recipient in sorted(
        pending, key=lambda name: (pending[name][0].link, recipient_shard(name))
    ):
        state, clicks = states[recipient], pending[recipient]
        change, rest = _fit_change(state, clicks, policy, current)
        if change is None and rest and current.changes:
            transactions.append(current)
            current = TallyTransaction(campaign, policy.create_batch_id())
            change, rest = _fit_change(state, clicks, policy, current)
        if change is not None:
            event_ids = _select_events(state, change, policy.event_policy)
            current.add_change(recipient, change, event_ids)
        if rest:
            unplanned[recipient] = rest
    return [*transactions, *([current] if current.changes else [])], unplanned


def _fit_change(
    state: RecipientState,
    clicks: Sequence[CountedClick],
    policy: CountingPolicy,
    transaction: TallyTransaction,
) -> tuple[RecipientChange | None, Sequence[CountedClick]]:
    """Return the change that counts as many clicks as fit, and the remaining clicks.

    A recipient's clicks are split only for an empty transaction: one write of a scanner's row is
    cheaper than several. If a single click reclassifies more clicks than fit, the first ones are
    reclassified before it is counted.
    """
    count = len(clicks)
    while count:
        change = apply_clicks(
            state.row,
            state.overflow_items,
            clicks[:count],
            threshold=policy.bot_threshold,
            batch=transaction.batch if policy.event_policy != "none" else 0,
        )
        if change is None or transaction.can_add(change):
            return change, clicks[count:]
        count = 0 if transaction.changes else count // 2
    if transaction.changes:
        return None, clicks
    threshold = policy.bot_threshold
    change = reclassify(state.row, state.overflow_items, clicks[:1], threshold=threshold)
    return (change if change and transaction.can_add(change) else None), clicks


def _select_events(
    state: RecipientState, change: RecipientChange, event_policy: EventPolicy
) -> set[bytes]:
    """Select the new clicks to publish, by id."""
    if event_policy == "none":
        return set()
    if event_policy == "all":
        return {click.id for click in change.new_clicks}
    first_ids: dict[tuple[bool, bytes], bytes] = {}  # the first open and click of each delivery
    for click in change.new_clicks:
        is_open = is_open_id(click.link)
        if click.delivery not in (state.row.opens if is_open else state.row.deliveries):
            first_ids.setdefault((is_open, click.delivery), click.id)
    return set(first_ids.values())
