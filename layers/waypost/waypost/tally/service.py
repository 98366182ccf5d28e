"""Count a batch of clicks once each, and return the ones to retry.

Clicks of people who opted out lose their identity before they are counted. Late clicks, from the
fallback queue or a replay, lose it before they are stored.
"""

from __future__ import annotations

import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from waypost.bot_detection.scoring import classify_click, detect_signals
from waypost.clicks.settings_cache import SettingsCache
from waypost.errors import CorruptItem, CorruptItemSet, StoreError, StoreUnavailable
from waypost.ids import CampaignId, extract_workspace_id
from waypost.models.click import Click
from waypost.models.recipient import CountedClick, click_hash
from waypost.models.workspace import OptOut
from waypost.repositories.recipients import RecipientRepository
from waypost.repositories.workspaces import PersonKey, WorkspaceRepository
from waypost.tally.event_publisher import ClickEventBus, EventPublisher
from waypost.tally.transactions import CountingPolicy, TransactionWriter, load_states

if TYPE_CHECKING:
    from waypost.repositories.clicks import ClickRepository


@dataclass(slots=True)
class TallyResult:
    """The result of a batch: clicks counted, write conflicts, and clicks to retry with reasons."""

    new_count: int = 0
    conflict_count: int = 0
    failed_ids: set[str] = field(default_factory=set)
    failure_reasons: set[str] = field(default_factory=set)


class TallyService:
    """Counts clicks. Safe to run concurrently, to kill at any time, and to run again."""

    def __init__(
        self,
        *,
        clicks: ClickRepository,
        recipients: RecipientRepository,
        workspaces: WorkspaceRepository,
        event_bus: ClickEventBus | None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clicks = clicks
        self._anonymizer = Anonymizer(workspaces, recipients)
        self._settings_cache = SettingsCache(workspaces)
        self._transaction_writer = TransactionWriter(recipients, sleep)
        self._event_publisher = EventPublisher(recipients, event_bus)

    def count_clicks(self, clicks: Iterable[Click]) -> TallyResult:
        """Count clicks. Raises StoreUnavailable if opt-outs cannot be read."""
        by_campaign: defaultdict[CampaignId, dict[str, Click]] = defaultdict(dict)
        anonymized = self._anonymizer.anonymize_clicks(clicks)
        for click, anonymous in anonymized.replacements:
            self._clicks.anonymize(click, anonymous)
        for click in anonymized.clicks:
            by_campaign[click.campaign].setdefault(click.id, click)
        result = TallyResult(
            failed_ids=set(anonymized.failure_reasons),
            failure_reasons=set(anonymized.failure_reasons.values()),
        )
        for campaign, by_id in by_campaign.items():
            self._count_campaign(campaign, list(by_id.values()), result)
        return result

    def _count_campaign(
        self, campaign: CampaignId, clicks: list[Click], result: TallyResult
    ) -> None:
        try:
            policy = self._load_policy(campaign)
        except StoreUnavailable as e:  # the bot threshold and the event policy are unknown
            result.failed_ids |= {click.id for click in clicks}
            result.failure_reasons.add(str(e))
            return
        by_recipient: defaultdict[str, list[CountedClick]] = defaultdict(list)
        for click in clicks:
            by_recipient[click.recipient].append(classify_click(click, policy.bot_threshold))
        committed = self._transaction_writer.commit_with_retry(campaign, by_recipient, policy)
        failed = committed.failed_ids | self._event_publisher.publish_events(
            campaign, clicks, committed
        )
        result.new_count += committed.new_count
        result.conflict_count += committed.conflict_count
        result.failed_ids |= {click.id for click in clicks if click_hash(click.id) in failed}
        result.failure_reasons |= committed.failure_reasons if failed else set()

    def _load_policy(self, campaign: CampaignId) -> CountingPolicy:
        settings = self._settings_cache.get_or_raise(extract_workspace_id(campaign))
        return CountingPolicy(
            bot_threshold=settings.machine_threshold,
            event_policy=settings.events if self._event_publisher.has_bus else "none",
            create_batch_id=lambda: secrets.randbits(32) or 1,
        )


@dataclass(slots=True)
class LateClicks:
    """The result of late clicks: the ``new_count`` recorded for the first time, all recorded clicks
    as they may be counted, and by id the reasons for which others must be recorded again.
    """

    new_count: int = 0
    clicks: list[Click] = field(default_factory=list)
    failure_reasons: dict[str, str] = field(default_factory=dict)


class LateClickRecorder:
    """Records clicks that were made before: from the fallback queue, or replayed from files."""

    def __init__(
        self,
        *,
        clicks: ClickRepository,
        recipients: RecipientRepository,
        workspaces: WorkspaceRepository,
    ) -> None:
        self._clicks = clicks
        self._anonymizer = Anonymizer(workspaces, recipients)

    def record_clicks(self, clicks: Iterable[Click]) -> LateClicks:
        """Record clicks, without identity for people who opted out or were erased meanwhile.

        A click that was recorded before is the same item, so it counts once.
        """
        clicks = list(clicks)
        try:
            anonymized = self._anonymizer.anonymize_clicks(clicks)
        except StoreError as e:
            return LateClicks(failure_reasons={click.id: str(e) for click in clicks})
        result = LateClicks(failure_reasons=anonymized.failure_reasons)
        for click in anonymized.clicks:
            if click.id in anonymized.counted_ids:
                continue  # to store it again would restore an identity that expired or was erased
            try:
                result.new_count += self._clicks.record(click)
                result.clicks.append(click)
            except StoreError as e:
                result.failure_reasons[click.id] = str(e)
        return result


@dataclass(frozen=True, slots=True)
class AnonymizerResult:
    """Clicks that may be counted, and by id the reasons for which others must not be, yet.

    ``replacements``: clicks of people who opted out, each with its anonymous form. ``counted_ids``:
    clicks of such people that stay as they are, because they were counted before the opt-out.
    """

    clicks: list[Click] = field(default_factory=list)
    replacements: list[tuple[Click, Click]] = field(default_factory=list)
    counted_ids: set[str] = field(default_factory=set)
    failure_reasons: dict[str, str] = field(default_factory=dict)


class Anonymizer:
    """Removes the identity from clicks of people who opted out, as erased people have."""

    def __init__(self, workspaces: WorkspaceRepository, recipients: RecipientRepository) -> None:
        self._workspaces = workspaces
        self._recipients = recipients

    def anonymize_clicks(self, clicks: Iterable[Click]) -> AnonymizerResult:
        """Return the clicks, anonymous for people who opted out. Writes nothing.

        A click that was counted before its person opted out is not changed, else a second delivery
        of it would count for another recipient. Raises StoreUnavailable.
        """
        clicks = list(clicks)
        opt_outs, unreadable = self._load_opt_outs(
            {(c.workspace, c.person) for c in clicks if c.person is not None}
        )
        result = AnonymizerResult()
        for click in clicks:
            person = (click.workspace, click.person) if click.person is not None else None
            if person in unreadable:
                result.failure_reasons[click.id] = "opt-out: corrupt item"
                continue
            opt_out = opt_outs.get(person) if person else None
            if opt_out is None or not opt_out.covers(click.time):
                result.clicks.append(click)
                continue
            try:
                self._add_click(result, click, opt_out)
            except CorruptItem as e:
                result.failure_reasons[click.id] = str(e)
        return result

    def _load_opt_outs(
        self, people: Collection[PersonKey]
    ) -> tuple[Mapping[PersonKey, OptOut], Collection[PersonKey]]:
        """Return the opt-outs of people, and the people whose opt-outs are corrupt."""
        if not people:
            return {}, ()
        try:
            return self._workspaces.get_opt_outs(people), ()
        except CorruptItemSet as e:
            readable = set(people) - e.keys
            return self._workspaces.get_opt_outs(readable) if readable else {}, e.keys

    def _add_click(self, result: AnonymizerResult, click: Click, opt_out: OptOut) -> None:
        if self._is_counted(click):
            result.clicks.append(click)
            result.counted_ids.add(click.id)
            return
        anonymous = click.anonymize(
            opt_out.derive_alias(click.campaign), int(detect_signals(click))
        )
        result.clicks.append(anonymous)
        result.replacements.append((click, anonymous))

    def _is_counted(self, click: Click) -> bool:
        candidate = classify_click(click)
        states = load_states(self._recipients, click.campaign, {click.recipient: [candidate]})
        return any(known.id == candidate.id for known in states[click.recipient].iter_clicks())
