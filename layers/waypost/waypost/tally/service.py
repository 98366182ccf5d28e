"""Takes the identity out of clicks of people who opted out, before they are counted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from waypost.bot_detection.scoring import signals_of
from waypost.clicks.marks import mark_of
from waypost.counting.standing import read_standings
from waypost.errors import MalformedItem, MalformedRows
from waypost.model.person import OptOut
from waypost.models.click import Click
from waypost.repositories.recipients import RecipientStore
from waypost.repositories.workspaces import Person, WorkspaceStore


class Ledger(Protocol):
    """The one call of the ledger that is needed."""

    def anonymise(self, click: Click, anonymous: Click) -> None: ...


@dataclass(frozen=True, slots=True)
class Known:
    """Clicks as they may be counted, and by id why others may not yet: as whom cannot be read, and
    under the name they must not be.
    """

    clicks: list[Click] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)


class Identities:
    """Knows who opted out."""

    def __init__(
        self, workspaces: WorkspaceStore, ledger: Ledger, recipients: RecipientStore
    ) -> None:
        self._workspaces = workspaces
        self._ledger = ledger
        self._recipients = recipients

    def without(self, clicks: Iterable[Click]) -> Known:
        """The clicks, those of people who opted out without identity, in the ledger as well.

        A click that was counted before its person opted out is left as it was counted, else a
        second delivery of it would count for somebody else. Raises StoreUnavailable.
        """
        clicks = list(clicks)
        wishes, unread = self._wishes(
            {(c.workspace, c.person) for c in clicks if c.person is not None}
        )
        known = Known()
        for click in clicks:
            person = (click.workspace, click.person) if click.person is not None else None
            if person in unread:
                known.unread[click.id] = "an opt-out cannot be read"
                continue
            wish = wishes.get(person) if person else None
            try:
                known.clicks.append(self._anonymised(click, wish) if wish else click)
            except MalformedItem as e:
                known.unread[click.id] = str(e)
        return known

    def _wishes(
        self, people: Collection[Person]
    ) -> tuple[Mapping[Person, OptOut], Collection[Person]]:
        """Who opted out, and of whom it cannot be read how."""
        if not people:
            return {}, ()
        try:
            return self._workspaces.opted_out(people), ()
        except MalformedRows as e:
            readable = set(people) - e.keys
            return self._workspaces.opted_out(readable) if readable else {}, e.keys

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
