"""Erase a person from all tables, with correct figures afterwards.

The person is opted out first, so that further clicks are counted under an alias. Then all that was
stored for them alone is deleted: messages, link definitions, destinations, short links. Then each
of their recipient rows moves to the row of the alias, and then each click. No figure changes by
this: an alias is a recipient like any other. The salt of the alias is stored only in the opt-out.

Each step is correct on its own. An interrupted erasure is called again and continues: records that
are anonymous already are not found.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, Protocol

from waypost.bot_detection.scoring import detect_signals
from waypost.errors import CorruptItem, StoreUnavailable, WriteConflict
from waypost.ids import CampaignId, WorkspaceId
from waypost.models.campaign import (
    PersonalRecord,
    recipient_hash,
)
from waypost.models.counters import TOTAL_COUNTER, CounterCell, CounterIncrements
from waypost.models.recipient import (
    CountedClick,
    OverflowItem,
    RecipientKey,
    RecipientRow,
    anonymous_delivery_hash,
)
from waypost.models.workspace import OptOut
from waypost.repositories.campaigns import CampaignRepository
from waypost.repositories.clicks import ClickRepository
from waypost.repositories.messages import MessageRepository
from waypost.repositories.personal_records import PersonalRecordRepository
from waypost.repositories.recipients import Commit, RecipientRepository
from waypost.repositories.short_links import ShortLinkRepository
from waypost.repositories.workspaces import WorkspaceRepository
from waypost.retry import Backoff
from waypost.tally.aggregation import RecipientChange, apply_clicks, reclassify

MAX_PASSES: Final = 5
"""A tally that loaded opt-outs before this one may write once more; the next pass finds its row."""
IN_FLIGHT_WINDOW: Final = timedelta(seconds=90)
"""How long after an opt-out such a tally may write: its timeout plus the difference of clocks. How
long after a personal record a rewrite may store the recorded data: it does so next, with retries.
"""
CLICKS_PER_PAGE: Final = 100
RECORDS_PER_PAGE: Final = 100
CAMPAIGNS_PER_PAGE: Final = 100
MAX_ROW_CONFLICTS: Final = 6
"""Conflicts in a row after which the rest is left for the next call."""
ROW_BACKOFF_SECONDS: Final = 0.04
"""The longest pause after the first conflict."""
OVERFLOW_ITEMS_PER_STEP: Final = 20
KEEP_VERDICTS: Final = 1 << 30
"""A threshold that no score reaches, so that verdicts stay."""


@dataclass(slots=True)
class ErasureProgress:
    """The changes of an erasure. ``is_complete``: the last pass found nothing more of the person.
    Until ``final_at`` a tally may still write clicks that it had begun to count, and a rewrite data
    that it had begun to store. ``links`` counts links, destinations and short links.
    """

    final_at: datetime
    clicks: int = 0
    campaigns: int = 0
    links: int = 0
    is_complete: bool = False

    @property
    def changes(self) -> int:
        """Return the number of anonymized and deleted records."""
        return self.clicks + self.campaigns + self.links

    def add(self, step: ErasureStep) -> None:
        """Add the records of a step."""
        self.clicks += step.clicks
        self.campaigns += step.campaigns
        self.links += step.links
        self.final_at = max(self.final_at, step.final_at or self.final_at)


class ErasureStep(NamedTuple):
    """The anonymized and deleted records of a step. ``final_at``: when its records are to be looked
    up again. ``is_blocked``: no further step can succeed now.
    """

    clicks: int = 0
    campaigns: int = 0
    links: int = 0
    final_at: datetime | None = None
    corrupt_items: int = 0
    is_blocked: bool = False


NO_CHANGE: Final = ErasureStep()
BLOCKED: Final = ErasureStep(is_blocked=True)


def _is_never_late() -> bool:
    return False


class ErasureRepositories(Protocol):
    """The repositories with a person's data (``waypost.composition.Repositories``)."""

    @property
    def clicks(self) -> ClickRepository: ...

    @property
    def campaigns(self) -> CampaignRepository: ...

    @property
    def recipients(self) -> RecipientRepository: ...

    @property
    def workspaces(self) -> WorkspaceRepository: ...

    @property
    def messages(self) -> MessageRepository: ...

    @property
    def personal_records(self) -> PersonalRecordRepository: ...

    @property
    def short_links(self) -> ShortLinkRepository: ...


@dataclass(frozen=True, slots=True)
class Erasure:
    """Erases a person, as an operator's tool or within the time of a request."""

    repositories: ErasureRepositories
    scans_tables: bool = False
    """Scans the tables, which misses no campaign, instead of the workspace's list of campaigns."""
    sleep: Callable[[float], None] = time.sleep

    def erase(
        self,
        workspace: WorkspaceId,
        person: str,
        now: datetime,
        is_late: Callable[[], bool] = _is_never_late,
    ) -> ErasureProgress:
        """Erase a person, until it is late or other writers keep changing their rows. Safe to
        repeat and to interrupt.

        Raises StoreError: CorruptItem if a record of the person is corrupt, since it has to be
        deleted before they are erased.
        """
        opt_out = self.repositories.workspaces.opt_out(workspace, person, now, is_erased=True)
        progress = ErasureProgress(final_at=opt_out.since + IN_FLIGHT_WINDOW)
        campaign_index = None if self.scans_tables else self.repositories.campaigns
        person_index = PersonIndex(
            self.repositories.recipients, self.repositories.messages, campaign_index
        )
        for _ in person_index.delete_personal_messages(workspace, person):
            if is_late():
                return progress
        for _ in range(MAX_PASSES):
            before, corrupt_items = progress.changes, 0
            for step in self._run_pass(person_index, person, opt_out, now):
                progress.add(step)
                corrupt_items += step.corrupt_items
                if step.is_blocked or is_late():
                    return progress
            if corrupt_items:
                raise CorruptItem(
                    f"data of the person in workspace {workspace}: corrupt items ({corrupt_items})"
                )
            if before == progress.changes:
                progress.is_complete = True
                break
        return progress

    @property
    def _row_mover(self) -> RowMover:
        return RowMover(self.repositories.recipients, self.repositories.workspaces, self.sleep)

    def _run_pass(
        self, person_index: PersonIndex, person: str, opt_out: OptOut, now: datetime
    ) -> Iterator[ErasureStep]:
        yield from PersonalDataEraser(self.repositories).erase(opt_out.workspace, person, now)
        for campaigns in person_index.find_campaigns(opt_out.workspace, f"p:{person}"):
            yield NO_CHANGE
            for campaign in campaigns:
                yield from self._row_mover.move_row(campaign, person, opt_out)
        yield from self._anonymize_clicks(person_index, person, opt_out)

    def _anonymize_clicks(
        self, person_index: PersonIndex, person: str, opt_out: OptOut
    ) -> Iterator[ErasureStep]:
        """Anonymize clicks after their rows, including rows of unlisted campaigns: a click that
        arrives under its alias must be counted there already.
        """
        cursor = None
        while True:
            page = self.repositories.clicks.list_by_person(
                opt_out.workspace, person, cursor=cursor, limit=CLICKS_PER_PAGE
            )
            campaigns = {click.campaign for click in page.items}
            for campaign in person_index.filter_campaigns(campaigns, f"p:{person}"):
                yield from self._row_mover.move_row(campaign, person, opt_out)
            for click in page.items:
                alias = opt_out.derive_alias(click.campaign)
                anonymize = self.repositories.clicks.anonymize
                anonymize(click, click.anonymize(alias, int(detect_signals(click))))
            yield ErasureStep(clicks=len(page.items), corrupt_items=page.corrupt_count)
            cursor = page.cursor
            if cursor is None:
                return


@dataclass(frozen=True, slots=True)
class PersonalDataEraser:
    """Erases links, destinations and short links that were stored for a person alone."""

    repositories: ErasureRepositories

    def erase(self, workspace: WorkspaceId, person: str, now: datetime) -> Iterator[ErasureStep]:
        """Erase what the person's records list, then the records. A recent record stays for the
        next call: what it lists may not be stored yet.
        """
        recipient, cursor = recipient_hash(workspace, f"p:{person}"), None
        records = self.repositories.personal_records
        while True:
            page = records.list_by_recipient(
                workspace, recipient, cursor=cursor, limit=RECORDS_PER_PAGE
            )
            for record in page.items:
                links = self._erase_record(record)
                final_at = datetime.fromtimestamp(record.written, UTC) + IN_FLIGHT_WINDOW
                if final_at <= now:
                    records.delete(record)
                yield ErasureStep(links=links, final_at=final_at)
            yield ErasureStep(corrupt_items=page.corrupt_count)
            cursor = page.cursor
            if cursor is None:
                return

    def _erase_record(self, record: PersonalRecord) -> int:
        """Erase what a record lists. Return the number of links, also of destinations."""
        short_links = self.repositories.short_links
        erased = sum(
            self.repositories.campaigns.erase_link(link, record.recipient) for link in record.links
        )
        for digest in record.destinations:
            erased += short_links.delete_destination(record.workspace, digest, record.recipient)
        for code in record.codes:
            erased += short_links.delete(code)
        return erased


@dataclass(frozen=True, slots=True)
class PersonIndex:
    """Finds records of a person: campaigns with their row, and rendered messages.

    No table has an index by person. The list of a workspace's campaigns is fast, but has only
    campaigns sent by a release with lists, or listed by an operator. Without it, all tables are
    scanned.
    """

    recipients: RecipientRepository
    messages: MessageRepository
    campaign_index: CampaignRepository | None

    def delete_personal_messages(self, workspace: WorkspaceId, person: str) -> Iterator[int]:
        """Delete messages rendered for the person. Yield their number for each step."""
        recipient = recipient_hash(workspace, f"p:{person}")
        if self.campaign_index is None:
            yield self.messages.delete_personal_by_workspace(workspace, recipient)
            return
        for campaigns in _iter_campaign_pages(self.campaign_index, workspace):
            yield self.messages.delete_personal_by_campaigns(campaigns, recipient)

    def find_campaigns(
        self, workspace: WorkspaceId, recipient: str
    ) -> Iterator[Collection[CampaignId]]:
        """Yield campaigns with a row of a recipient, page by page."""
        if self.campaign_index is None:
            yield self.recipients.scan_campaigns(workspace, recipient)
            return
        for campaigns in _iter_campaign_pages(self.campaign_index, workspace):
            yield self.filter_campaigns(campaigns, recipient)

    def filter_campaigns(
        self, campaigns: Collection[CampaignId], recipient: str
    ) -> list[CampaignId]:
        """Return those of the campaigns that have a row of a recipient."""
        rows = self.recipients.get_rows([RecipientKey(id_, recipient) for id_ in campaigns])
        return [key.campaign for key, row in rows.items() if row.version]


def _iter_campaign_pages(
    repository: CampaignRepository, workspace: WorkspaceId
) -> Iterator[Sequence[CampaignId]]:
    cursor = None
    while True:
        page = repository.list_ids_by_workspace(workspace, cursor=cursor, limit=CAMPAIGNS_PER_PAGE)
        yield page.items
        cursor = page.cursor
        if cursor is None:
            return


@dataclass(frozen=True, slots=True)
class RowMover:
    """Moves a recipient row, and its overflow items, to the row of an alias."""

    recipients: RecipientRepository
    workspaces: WorkspaceRepository
    sleep: Callable[[float], None]

    def move_row(self, campaign: CampaignId, person: str, opt_out: OptOut) -> Iterator[ErasureStep]:
        """Move a row in steps that fit a transaction. After a conflict with another writer, the row
        is read again, up to ``MAX_ROW_CONFLICTS`` times.
        """
        alias = opt_out.derive_alias(campaign)
        source_key = RecipientKey(campaign, f"p:{person}")
        target_key = RecipientKey(campaign, f"a:{alias}")
        threshold = self._load_threshold(opt_out.workspace)
        backoff = Backoff(ROW_BACKOFF_SECONDS, sleep=self.sleep)
        conflicts = 0
        while conflicts < MAX_ROW_CONFLICTS:
            source = self._load_row(source_key)
            if source[0].version == 0:
                yield ErasureStep(campaigns=1)
                return
            commit = plan_move(*source, *self._load_row(target_key), alias, threshold)
            try:
                self.recipients.commit(commit)
            except WriteConflict:
                conflicts += 1
                backoff.wait(conflicts)
            else:
                conflicts = 0
            yield NO_CHANGE
        yield BLOCKED

    def _load_threshold(self, workspace: WorkspaceId) -> int:
        """Load the threshold of bots. Corrupt settings must not delay an erasure."""
        try:
            return self.workspaces.get_settings(workspace).machine_threshold
        except CorruptItem:
            return KEEP_VERDICTS

    def _load_row(self, key: RecipientKey) -> tuple[RecipientRow, list[OverflowItem]]:
        return self.recipients.get_rows([key])[key], self.recipients.list_overflow_items(key)


def plan_move(
    row: RecipientRow,
    overflow_items: Sequence[OverflowItem],
    target_row: RecipientRow,
    target_overflow_items: Sequence[OverflowItem],
    alias: str,
    threshold: int,
) -> Commit:
    """Plan the largest move that fits a transaction: overflow items, a part of one, or the row when
    no overflow items remain.
    """
    target = AliasRow(
        target_row, {item.number: item for item in target_overflow_items}, alias, threshold
    )
    all_clicks = [
        *row.counted_clicks,
        *(click for item in overflow_items for click in item.counted_clicks),
    ]
    for batch in _iter_move_batches(row, overflow_items):
        commit = _build_move_commit(row, all_clicks, batch, target)
        if commit.is_within_limits:
            return commit
    return target.reclassify(batch.counted_clicks)


@dataclass(frozen=True, slots=True)
class AliasRow:
    """The row of the alias, which receives the clicks."""

    row: RecipientRow
    overflow_items: Mapping[int, OverflowItem]
    alias: str
    threshold: int

    def apply_clicks(self, counted_clicks: Iterable[CountedClick]) -> RecipientChange | None:
        """Return the change of the row by further clicks."""
        return apply_clicks(
            self.row,
            self.overflow_items,
            self._assign_alias(counted_clicks),
            threshold=self.threshold,
        )

    def reclassify(self, counted_clicks: Iterable[CountedClick]) -> Commit:
        """Build a commit that only reclassifies the row's clicks in view of further ones, for moves
        whose reclassifications alone exceed a transaction.
        """
        change = reclassify(
            self.row,
            self.overflow_items,
            self._assign_alias(counted_clicks),
            threshold=self.threshold,
        )
        if change is None:
            raise StoreUnavailable("erasure: a click exceeds the size of a transaction")
        return Commit(self.row.key.campaign, [change.row], change.overflow_items, change.increments)

    def _assign_alias(self, counted_clicks: Iterable[CountedClick]) -> list[CountedClick]:
        return [
            replace(click, delivery=anonymous_delivery_hash(self.alias, click.delivery))
            for click in counted_clicks
        ]


@dataclass(frozen=True, slots=True)
class MoveBatch:
    """Clicks that move at once. ``removed_items`` lose all clicks, ``remaining_items`` some."""

    counted_clicks: Sequence[CountedClick]
    removed_items: Sequence[RecipientRow | OverflowItem] = ()
    remaining_items: Sequence[OverflowItem] = ()


def _iter_move_batches(
    row: RecipientRow, overflow_items: Sequence[OverflowItem]
) -> Iterator[MoveBatch]:
    """Yield batches from large to small: overflow items, then clicks of one, grouped by link."""
    if not overflow_items:
        yield MoveBatch(row.counted_clicks, removed_items=[row])
        return
    number = min(len(overflow_items), OVERFLOW_ITEMS_PER_STEP)
    while number:
        removed = overflow_items[:number]
        yield MoveBatch(
            [click for item in removed for click in item.counted_clicks], removed_items=removed
        )
        number //= 2
    item = overflow_items[0]
    clicks = sorted(item.counted_clicks, key=lambda click: (click.link, click.time, click.id))
    number = len(clicks) // 2
    while number:
        remaining = OverflowItem(item.key, item.version + 1, tuple(clicks[number:]))
        yield MoveBatch(clicks[:number], remaining_items=[remaining])
        number //= 2


def _build_move_commit(
    row: RecipientRow, counted_clicks: Sequence[CountedClick], batch: MoveBatch, target: AliasRow
) -> Commit:
    moved_ids = {click.id for click in batch.counted_clicks}
    change = target.apply_clicks(batch.counted_clicks)
    remaining_row, increments = _subtract_clicks(
        row, counted_clicks, [click for click in counted_clicks if click.id not in moved_ids]
    )
    increments.update(change.increments if change else {})
    return Commit(
        campaign=row.key.campaign,
        rows=[*([remaining_row] if remaining_row else []), *([change.row] if change else [])],
        overflow_items=[*batch.remaining_items, *(change.overflow_items if change else ())],
        increments=Counter({cell: value for cell, value in increments.items() if value}),
        removed_items=batch.removed_items,
    )


def _subtract_clicks(
    row: RecipientRow, before: Collection[CountedClick], after: Collection[CountedClick]
) -> tuple[RecipientRow | None, CounterIncrements]:
    """Return the row with the sums of its remaining clicks (None without any), and the decrements
    of the counters.
    """
    increments: CounterIncrements = Counter()
    change_before = apply_clicks(RecipientRow(row.key), {}, before, threshold=KEEP_VERDICTS)
    change_after = apply_clicks(RecipientRow(row.key), {}, after, threshold=KEEP_VERDICTS)
    increments.subtract(change_before.increments if change_before else {})
    increments.update(change_after.increments if change_after else {})
    increments[CounterCell(TOTAL_COUNTER, "shared")] = (
        0 if change_after else -len(row.shared_deliveries)
    )
    if change_after is None:
        return None, increments
    remaining_row = replace(
        change_after.row,
        version=row.version + 1,
        counted_clicks=row.counted_clicks,
        shared_deliveries=row.shared_deliveries,
    )
    return remaining_row, increments
