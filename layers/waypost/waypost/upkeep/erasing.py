"""Removes a person everywhere and leaves every figure right.

The person is marked as opted out first, so that whatever still comes in is counted without
identity. Their rows become rows of an alias, then their clicks do; no figure changes by it, for an
alias is a recipient like any other. What the alias was made with stands in the opt-out alone.

All of it goes in steps, each right by itself. An erasure that breaks off is called again, and goes
on where it was: what is nobody's already is not found any more.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from waypost.clicks.signals import signals_of
from waypost.codes import CampaignCode, WorkspaceCode
from waypost.errors import Conflict
from waypost.model.person import OptOut
from waypost.model.recipient import Row, RowKey, Sheet
from waypost.store.clicks import ClickStore
from waypost.store.messages import MessageStore
from waypost.store.recipients import RecipientStore
from waypost.store.workspaces import WorkspaceStore
from waypost.upkeep.moving import step
from waypost.upkeep.seeking import CampaignList, Seeking

PASSES: Final = 5
"""A tally that had read a person as known may write once more; the next pass finds it."""
CLICKS_A_PAGE: Final = 100
CONFLICTS: Final = 6
"""How often in a row a step may be overtaken before the rest is left for the next call."""
PAUSE_SECONDS: Final = 0.02


@dataclass(slots=True)
class Erased:
    """What was changed. ``clean``: a last look found nothing more of the person."""

    clicks: int = 0
    campaigns: int = 0
    clean: bool = False


class _Step(NamedTuple):
    """What a step made nobody's; ``left``: nothing more can be done for now."""

    clicks: int = 0
    campaigns: int = 0
    left: bool = False


_LOOKED: Final = _Step()
_LEFT: Final = _Step(left=True)


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
        what is to go. Safe to repeat and to be broken off. Raises StoreError.
        """
        wish = self.workspaces.opt_out(workspace, person, now)
        erased = Erased()
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

    def _pass(self, seeking: Seeking, person: str, wish: OptOut) -> Iterator[_Step]:
        for campaigns in seeking.campaigns_of(wish.workspace, f"p:{person}"):
            yield _LOOKED
            for campaign in campaigns:
                yield from self._move_row(campaign, person, wish)
        yield from self._anonymise_clicks(person, wish)

    def _anonymise_clicks(self, person: str, wish: OptOut) -> Iterator[_Step]:
        """After the rows: a click that appears under its alias is counted there already."""
        cursor = None
        while True:
            page = self.ledger.of_person(wish.workspace, person, cursor=cursor, limit=CLICKS_A_PAGE)
            for click in page.items:
                alias = wish.alias(click.campaign)
                self.ledger.anonymise(click, click.anonymous(alias, int(signals_of(click))))
            yield _Step(clicks=len(page.items))
            cursor = page.cursor
            if cursor is None:
                return

    def _move_row(self, campaign: CampaignCode, person: str, wish: OptOut) -> Iterator[_Step]:
        """Move a row and its sheets in steps that fit a transaction. Others may write to the row,
        or to the campaign's counters, meanwhile: it is read again, but not for ever.
        """
        source = RowKey(campaign, f"p:{person}")
        target = RowKey(campaign, f"a:{wish.alias(campaign)}")
        threshold = self.workspaces.settings(wish.workspace).machine_threshold
        conflicts = 0
        while conflicts < CONFLICTS:
            row, sheets = self._read(source)
            if row.version == 0:
                yield _Step(campaigns=1)
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
            yield _LOOKED
        yield _LEFT

    def _read(self, key: RowKey) -> tuple[Row, list[Sheet]]:
        return self.recipients.rows([key])[key], self.recipients.sheets_of(key)
