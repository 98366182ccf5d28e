"""Takes the identity out of clicks of people who opted out, before they are counted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from waypost.clicks.marks import mark_of
from waypost.clicks.signals import signals_of
from waypost.counting.standing import read_standings
from waypost.model.click import Click
from waypost.model.person import OptOut
from waypost.store.recipients import RecipientStore
from waypost.store.workspaces import WorkspaceStore


class Ledger(Protocol):
    """The one call of the ledger that is needed."""

    def anonymise(self, click: Click, anonymous: Click) -> None: ...


class Identities:
    """Knows who opted out."""

    def __init__(
        self, workspaces: WorkspaceStore, ledger: Ledger, recipients: RecipientStore
    ) -> None:
        self._workspaces = workspaces
        self._ledger = ledger
        self._recipients = recipients

    def without(self, clicks: Iterable[Click]) -> list[Click]:
        """The clicks, those of people who opted out without identity, in the ledger as well.

        A click that was counted before its person opted out is left as it was counted, else a
        second delivery of it would count for somebody else. Raises StoreUnavailable.
        """
        clicks = list(clicks)
        people = {(c.workspace, c.person) for c in clicks if c.person is not None}
        wishes = self._workspaces.opted_out(people) if people else {}
        if not wishes:
            return clicks
        return [
            self._anonymised(click, wishes[click.workspace, click.person])
            if click.person is not None and (click.workspace, click.person) in wishes
            else click
            for click in clicks
        ]

    def _anonymised(self, click: Click, wish: OptOut) -> Click:
        if self._is_counted(click):
            return click
        anonymous = click.anonymous(wish.alias(click.campaign), int(signals_of(click)))
        self._ledger.anonymise(click, anonymous)
        return anonymous

    def _is_counted(self, click: Click) -> bool:
        mark = mark_of(click)
        standings = read_standings(self._recipients, click.campaign, {click.recipient: [mark]})
        return any(counted.id == mark.id for counted in standings[click.recipient].marks())
