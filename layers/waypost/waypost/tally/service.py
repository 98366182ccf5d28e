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

from waypost.bot_detection.scoring import classify_click, detect_signals
from waypost.clicks.settings_cache import SettingsCache
from waypost.errors import CorruptItem, CorruptItemSet, StoreUnavailable
from waypost.ids import CampaignId, extract_workspace_id
from waypost.models.click import Click
from waypost.models.recipient import CountedClick, click_hash
from waypost.models.workspace import OptOut
from waypost.repositories.recipients import RecipientRepository
from waypost.repositories.workspaces import PersonKey, WorkspaceRepository
from waypost.tally.event_publisher import EventPublisher, EventSink
from waypost.tally.transactions import CountingPolicy, TransactionWriter, load_states


class ClickAnonymizer(Protocol):
    """The one call of the ledger that is needed."""

    def anonymize(self, click: Click, anonymous: Click) -> None: ...


@dataclass(frozen=True, slots=True)
class AnonymizerResult:
    """Clicks as they may be counted, and by id why others may not yet: as whom cannot be read, and
    under the name they must not be.
    """

    clicks: list[Click] = field(default_factory=list)
    failure_reasons: dict[str, str] = field(default_factory=dict)


class Anonymizer:
    """Knows who opted out."""

    def __init__(
        self,
        workspaces: WorkspaceRepository,
        clicks: ClickAnonymizer,
        recipients: RecipientRepository,
    ) -> None:
        self._workspaces = workspaces
        self._clicks = clicks
        self._recipients = recipients

    def anonymize_clicks(self, clicks: Iterable[Click]) -> AnonymizerResult:
        """The clicks, those of people who opted out without identity, in the ledger as well.

        A click that was counted before its person opted out is left as it was counted, else a
        second delivery of it would count for somebody else. Raises StoreUnavailable.
        """
        clicks = list(clicks)
        wishes, unread = self._load_opt_outs(
            {(c.workspace, c.person) for c in clicks if c.person is not None}
        )
        known = AnonymizerResult()
        for click in clicks:
            person = (click.workspace, click.person) if click.person is not None else None
            if person in unread:
                known.failure_reasons[click.id] = "an opt-out cannot be read"
                continue
            wish = wishes.get(person) if person else None
            try:
                known.clicks.append(self._anonymize(click, wish) if wish else click)
            except CorruptItem as e:
                known.failure_reasons[click.id] = str(e)
        return known

    def _load_opt_outs(
        self, people: Collection[PersonKey]
    ) -> tuple[Mapping[PersonKey, OptOut], Collection[PersonKey]]:
        """Who opted out, and of whom it cannot be read how."""
        if not people:
            return {}, ()
        try:
            return self._workspaces.get_opt_outs(people), ()
        except CorruptItemSet as e:
            readable = set(people) - e.keys
            return self._workspaces.get_opt_outs(readable) if readable else {}, e.keys

    def _anonymize(self, click: Click, opt_out: OptOut) -> Click:
        if self._is_in_row(click):
            return click
        anonymous = click.anonymize(
            opt_out.derive_alias(click.campaign), int(detect_signals(click))
        )
        self._clicks.anonymize(click, anonymous)
        return anonymous

    def _is_in_row(self, click: Click) -> bool:
        mark = classify_click(click)
        standings = load_states(self._recipients, click.campaign, {click.recipient: [mark]})
        return any(counted.id == mark.id for counted in standings[click.recipient].iter_clicks())


@dataclass(slots=True)
class TallyResult:
    """What became of a batch: how many clicks were counted by it, how often another writer was
    faster, and the ids of clicks to be given again, with the reasons.
    """

    new_count: int = 0
    conflict_count: int = 0
    failed_ids: set[str] = field(default_factory=set)
    failure_reasons: set[str] = field(default_factory=set)


class TallyService:
    """Counts. Safe to run side by side, to be killed anywhere, and to be given anything again."""

    def __init__(
        self,
        *,
        clicks: ClickAnonymizer,
        recipients: RecipientRepository,
        workspaces: WorkspaceRepository,
        event_bus: EventSink | None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._anonymizer = Anonymizer(workspaces, clicks, recipients)
        self._settings_cache = SettingsCache(workspaces)
        self._transaction_writer = TransactionWriter(recipients, sleep)
        self._event_publisher = EventPublisher(recipients, event_bus)

    def count_clicks(self, clicks: Iterable[Click]) -> TallyResult:
        """Count clicks. Raises StoreUnavailable where nothing could be begun."""
        by_campaign: defaultdict[CampaignId, dict[str, Click]] = defaultdict(dict)
        known = self._anonymizer.anonymize_clicks(clicks)
        for click in known.clicks:
            by_campaign[click.campaign].setdefault(click.id, click)
        counted = TallyResult(
            failed_ids=set(known.failure_reasons),
            failure_reasons=set(known.failure_reasons.values()),
        )
        for campaign, by_id in by_campaign.items():
            self._count_campaign(campaign, list(by_id.values()), counted)
        return counted

    def _count_campaign(
        self, campaign: CampaignId, clicks: list[Click], result: TallyResult
    ) -> None:
        try:
            policy = self._load_policy(campaign)
        except StoreUnavailable as e:  # whether the bus may be told, and what a machine is, it says
            result.failed_ids |= {click.id for click in clicks}
            result.failure_reasons.add(str(e))
            return
        marks: defaultdict[str, list[CountedClick]] = defaultdict(list)
        for click in clicks:
            marks[click.recipient].append(classify_click(click, policy.bot_threshold))
        settled = self._transaction_writer.commit_with_retry(campaign, marks, policy)
        failed = settled.failed_ids | self._event_publisher.publish_events(
            campaign, clicks, settled
        )
        result.new_count += settled.new_count
        result.conflict_count += settled.conflict_count
        result.failed_ids |= {click.id for click in clicks if click_hash(click.id) in failed}
        result.failure_reasons |= settled.failure_reasons if failed else set()

    def _load_policy(self, campaign: CampaignId) -> CountingPolicy:
        settings = self._settings_cache.get_or_raise(extract_workspace_id(campaign))
        return CountingPolicy(
            bot_threshold=settings.machine_threshold,
            event_policy="none" if self._event_publisher.is_silent else settings.events,
            create_batch_id=lambda: secrets.randbits(32) or 1,
        )
