"""Removes a person everywhere and leaves every figure right.

The person is marked as opted out first, so that whatever still comes in is counted without
identity. Their rows become rows of an alias, then their clicks do; no figure changes by it, for an
alias is a recipient like any other. What the alias was made with stands in the opt-out alone.

All of it goes in steps, each right by itself. An erasure that breaks off is called again, and goes
on where it was: what is nobody's already is not found any more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from waypost.bot_detection.scoring import signals_of
from waypost.errors import MalformedItem
from waypost.ids import WorkspaceCode
from waypost.model.person import OptOut
from waypost.repositories.clicks import ClickStore
from waypost.repositories.messages import MessageStore
from waypost.repositories.recipients import RecipientStore
from waypost.repositories.workspaces import WorkspaceStore
from waypost.upkeep.rows import LOOKED, MovingRows, Step
from waypost.upkeep.seeking import CampaignList, Seeking

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
