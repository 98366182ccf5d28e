"""Takes the identity out of clicks of people who opted out, before they are counted.

The tally: a batch of clicks in, counted once each; what has to be given again out.
"""

from __future__ import annotations

import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from waypost.bot_detection.scoring import mark_of, signals_of
from waypost.clicks.settings_cache import Policies
from waypost.errors import MalformedItem, MalformedRows, StoreUnavailable
from waypost.ids import CampaignCode, workspace_of
from waypost.models.click import Click
from waypost.models.recipient import Mark, click_hash
from waypost.models.workspace import OptOut
from waypost.repositories.recipients import RecipientStore
from waypost.repositories.workspaces import Person, WorkspaceStore
from waypost.tally.event_publisher import Bus, Telling
from waypost.tally.transactions import Policy, Settling, read_standings


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


@dataclass(slots=True)
class Counted:
    """What became of a batch: how many clicks were counted by it, how often another writer was
    faster, and the ids of clicks to be given again, with the reasons.
    """

    fresh: int = 0
    conflicts: int = 0
    failed: set[str] = field(default_factory=set)
    reasons: set[str] = field(default_factory=set)


class Tally:
    """Counts. Safe to run side by side, to be killed anywhere, and to be given anything again."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        recipients: RecipientStore,
        workspaces: WorkspaceStore,
        bus: Bus | None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._identities = Identities(workspaces, ledger, recipients)
        self._policies = Policies(workspaces)
        self._settling = Settling(recipients, sleep)
        self._telling = Telling(recipients, bus)

    def count(self, clicks: Iterable[Click]) -> Counted:
        """Count clicks. Raises StoreUnavailable where nothing could be begun."""
        by_campaign: defaultdict[CampaignCode, dict[str, Click]] = defaultdict(dict)
        known = self._identities.without(clicks)
        for click in known.clicks:
            by_campaign[click.campaign].setdefault(click.id, click)
        counted = Counted(failed=set(known.unread), reasons=set(known.unread.values()))
        for campaign, by_id in by_campaign.items():
            self._count(campaign, list(by_id.values()), counted)
        return counted

    def _count(self, campaign: CampaignCode, clicks: list[Click], counted: Counted) -> None:
        try:
            policy = self._policy(campaign)
        except StoreUnavailable as e:  # whether the bus may be told, and what a machine is, it says
            counted.failed |= {click.id for click in clicks}
            counted.reasons.add(str(e))
            return
        marks: defaultdict[str, list[Mark]] = defaultdict(list)
        for click in clicks:
            marks[click.recipient].append(mark_of(click, policy.threshold))
        settled = self._settling.settle(campaign, marks, policy)
        failed = settled.failed | self._telling.tell(campaign, clicks, settled)
        counted.fresh += settled.fresh
        counted.conflicts += settled.conflicts
        counted.failed |= {click.id for click in clicks if click_hash(click.id) in failed}
        counted.reasons |= settled.reasons if failed else set()

    def _policy(self, campaign: CampaignCode) -> Policy:
        settings = self._policies.certain(workspace_of(campaign))
        return Policy(
            threshold=settings.machine_threshold,
            events="none" if self._telling.silent else settings.events,
            new_batch=lambda: secrets.randbits(32) or 1,
        )
