"""Commits what is to be counted, until every mark of a batch is."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from waypost.counting.standing import Marks, Standing, read_standings
from waypost.errors import Conflict, MalformedRows, StoreError
from waypost.ids import CampaignCode
from waypost.model.mark import Mark
from waypost.repositories.recipients import RecipientStore
from waypost.tally.transactions import Policy, Transaction, plan

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
