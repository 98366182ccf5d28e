"""Repositories in memory, with the contracts of the DynamoDB and S3 implementations.

They are for tests, fault runs, fuzzing and benchmarks.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import md5
from itertools import count
from threading import Lock
from typing import TYPE_CHECKING, cast

from waypost.composition import Repositories, TableNames
from waypost.errors import AlreadyExists, NotFound, StoreUnavailable, TooLarge, WriteConflict
from waypost.ids import (
    CampaignId,
    LinkId,
    WorkspaceId,
    check_owner,
    derive_campaign_id,
    derive_link_id,
    derive_workspace_id,
    extract_campaign_id,
    extract_workspace_id,
)
from waypost.models import attributes, tracking_domain
from waypost.models.attributes import Item, format_rfc3339
from waypost.models.campaign import (
    ERASED_IDENTITY,
    MESSAGE_SLOTS,
    Campaign,
    Link,
    LinkDefinition,
    MessageAbsence,
    PersonalRecord,
    RecipientMark,
    SentMessage,
    personal_partition,
)
from waypost.models.click import Click, click_partition
from waypost.models.counters import SENT_COUNTER, CampaignCounts, CounterIncrements
from waypost.models.recipient import LinkVisitor, OverflowItem, RecipientKey, RecipientRow
from waypost.models.short_link import LongDestination, ShortLink
from waypost.models.tracking_domain import DomainStage, TrackingDomain
from waypost.models.workspace import OptOut, WorkspaceSettings, person_hash
from waypost.repositories.campaigns import CAMPAIGN_LIST_KEY_PATTERN
from waypost.repositories.clicks import CLICK_SORT_KEY_PATTERN
from waypost.repositories.domains import (
    parse_claim_owner,
    parse_domain,
    parse_domains,
    parse_stage,
    select_due,
)
from waypost.repositories.objects import (
    MAX_SMALL_OBJECT_BYTES,
    ObjectContent,
    ObjectState,
    ObjectUrl,
    UploadPart,
)
from waypost.repositories.pagination import (
    Page,
    build_cursor_error,
    decode_cursor,
    encode_cursor,
    is_valid_sort_key,
    parse_cursor,
)
from waypost.repositories.personal_records import PERSONAL_RECORD_SORT_KEY_PATTERN
from waypost.repositories.recipients import Commit
from waypost.repositories.workspaces import (
    UNSAVED_SETTINGS,
    PersonKey,
    VersionedSettings,
    parse_settings,
    parse_settings_with_version,
    serialize_settings,
)

if TYPE_CHECKING:
    from waypost.repositories.dynamodb.client import DynamoClient


class InMemoryPersonalRecordRepository:
    """``waypost.repositories.personal_records.PersonalRecordRepository``."""

    def __init__(self) -> None:
        self._records: dict[tuple[str, str], PersonalRecord] = {}

    def add(self, records: Sequence[PersonalRecord]) -> None:
        for record in records:
            self._records[_record_key(record)] = record

    def list_by_recipient(
        self, workspace: WorkspaceId, recipient: str, *, cursor: str | None, limit: int
    ) -> Page[PersonalRecord]:
        partition = personal_partition(workspace, recipient)
        after = parse_cursor(cursor, PERSONAL_RECORD_SORT_KEY_PATTERN) if cursor is not None else ""
        keys = sorted(k for k in self._records if k[0] == partition and k[1] > after)
        next_cursor = encode_cursor(keys[limit - 1][1]) if len(keys) > limit else None
        return Page([self._records[key] for key in keys[:limit]], next_cursor)

    def delete(self, record: PersonalRecord) -> None:
        self._records.pop(_record_key(record), None)


def _record_key(record: PersonalRecord) -> tuple[str, str]:
    return personal_partition(record.workspace, record.recipient), record.sort_key


class InMemoryCampaignRepository:
    """``waypost.repositories.campaigns.CampaignRepository``. ``clock`` gives seconds since 1970."""

    def __init__(
        self,
        personal_records: InMemoryPersonalRecordRepository | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._personal_records = personal_records or InMemoryPersonalRecordRepository()
        self._clock = clock
        self._campaigns: dict[CampaignId, Campaign] = {}
        self._links: dict[LinkId, Link] = {}
        self._idempotency_keys: set[tuple[CampaignId, str]] = set()
        self._deliveries: Counter[CampaignId] = Counter()
        self._links_by_key: dict[str, Counter[CampaignId]] = {}
        self._counters: dict[CampaignId, CounterIncrements] = {}

    def get_or_create(
        self, workspace: str, campaign: str, *, kind: str, channel: str, now: datetime
    ) -> CampaignId:
        code = derive_campaign_id(workspace, campaign)
        new = Campaign(
            workspace=workspace, name=campaign, kind=kind, channel=channel, first_seen=now
        )
        stored = self._campaigns.setdefault(code, new)
        if (stored.workspace, stored.name) != (workspace, campaign):
            raise AlreadyExists("campaign", campaign, "its id belongs to another name")
        return code

    def get(self, campaign: CampaignId) -> Campaign | None:
        return self._campaigns.get(campaign)

    def define_links(
        self, campaign: CampaignId, links: Sequence[LinkDefinition], now: datetime
    ) -> list[LinkId]:
        return [self._define_link(campaign, link, now) for link in links]

    def add_deliveries(
        self,
        campaign: CampaignId,
        deliveries: int,
        idempotency_key: str | None,
        links_by_key: Mapping[str, int] | None = None,
    ) -> bool:
        if idempotency_key is not None:
            if (campaign, idempotency_key) in self._idempotency_keys:
                return False
            self._idempotency_keys.add((campaign, idempotency_key))
        self._deliveries[campaign] += deliveries
        for fingerprint, links in (links_by_key or {}).items():
            self._links_by_key.setdefault(fingerprint, Counter())[campaign] += links
        return True

    def count_links_by_key(self, fingerprint: str) -> dict[CampaignId, int]:
        return dict(self._links_by_key.get(fingerprint, {}))

    def list_by_workspace(
        self, workspace: WorkspaceId, *, cursor: str | None, limit: int
    ) -> Page[Campaign]:
        before = parse_cursor(cursor, CAMPAIGN_LIST_KEY_PATTERN) if cursor is not None else "~"
        listed = [
            campaign
            for code, campaign in self._campaigns.items()
            if extract_workspace_id(code) == workspace and campaign.list_key < before
        ]
        listed.sort(key=lambda campaign: campaign.list_key, reverse=True)
        found = listed[:limit]
        return Page(found, encode_cursor(found[-1].list_key) if len(listed) > limit else None)

    def list_ids_by_workspace(
        self, workspace: WorkspaceId, *, cursor: str | None, limit: int
    ) -> Page[CampaignId]:
        page = self.list_by_workspace(workspace, cursor=cursor, limit=limit)
        return Page([campaign.id for campaign in page.items], page.cursor)

    def get_headline_counts(
        self, campaigns: Collection[CampaignId]
    ) -> dict[CampaignId, CampaignCounts]:
        counts = {code: self.get_counts(code) for code in campaigns}
        return {code: CampaignCounts(sent=c.sent, total=c.total) for code, c in counts.items()}

    def backfill_list(self) -> int:
        return 0  # nothing here was noted before there was a list

    def scan_all(self) -> Iterator[Campaign]:
        return iter(list(self._campaigns.values()))

    def erase_link(self, link: LinkId, recipient: str) -> bool:
        known = self._links.get(link)
        mark = known.definition.only_for if known else None
        if known is None or mark is None or mark.hash != recipient:
            return False
        erased = LinkDefinition(ERASED_IDENTITY, "", None, known.definition.position)
        self._links[link] = replace(known, definition=erased)
        return True

    def list_links(self, campaign: CampaignId) -> list[Link]:
        return [link for link in self._links.values() if extract_campaign_id(link.id) == campaign]

    def find_links(self, link_ids: Collection[LinkId]) -> dict[LinkId, Link]:
        return {code: self._links[code] for code in link_ids if code in self._links}

    def get_counts(self, campaign: CampaignId) -> CampaignCounts:
        figures: dict[str, dict[str, int]] = {
            SENT_COUNTER: {SENT_COUNTER: self._deliveries[campaign]}
        }
        for (counter, figure), value in self._counters.get(campaign, Counter()).items():
            figures.setdefault(counter, {})[figure] = value
        return CampaignCounts.from_counters(figures.items())

    def add_increments(self, campaign: CampaignId, increments: CounterIncrements) -> None:
        """Add increments to the counters, as InMemoryRecipientRepository's transactions do."""
        counters = self._counters.setdefault(campaign, Counter())
        for cell, value in increments.items():
            counters[cell] += value

    def _define_link(
        self, campaign: CampaignId, definition: LinkDefinition, now: datetime
    ) -> LinkId:
        attempt = 0
        while True:
            code = derive_link_id(campaign, definition.identity, attempt)
            if code not in self._links:
                self._record_personal_link(code, definition.only_for)
                self._links[code] = Link(code, definition, now)
            known = self._links[code]
            if known.definition.identity == definition.identity:
                merged = known.definition.merge(definition)
                self._links[code] = replace(known, definition=merged)
                return code
            attempt += 1

    def _record_personal_link(self, link: LinkId, mark: RecipientMark | None) -> None:
        if mark is not None and mark.expires is None:
            record = PersonalRecord(
                campaign=extract_campaign_id(link),
                recipient=mark.hash,
                written=int(self._clock()),
                links=[link],
            )
            self._personal_records.add([record])


_Key = tuple[str, str]


class InMemoryClickRepository:
    """``waypost.repositories.clicks.ClickRepository``. ``stream`` has new clicks in order."""

    def __init__(self) -> None:
        self._clicks: dict[_Key, Click] = {}
        self.stream: list[Click] = []

    def record(self, click: Click) -> bool:
        if _click_key(click) in self._clicks:
            return False
        self._insert(click)
        return True

    def anonymize(self, click: Click, anonymous: Click) -> None:
        if _click_key(anonymous) not in self._clicks:
            self._insert(anonymous)
        self._clicks.pop(_click_key(click), None)

    def list_by_person(
        self, workspace: WorkspaceId, person: str, *, cursor: str | None, limit: int
    ) -> Page[Click]:
        partition = click_partition(workspace, f"p:{person}")
        before = parse_cursor(cursor, CLICK_SORT_KEY_PATTERN) if cursor is not None else "~"
        keys = sorted(k for k in self._clicks if k[0] == partition and k[1] < before)[::-1]
        clicks = [self._clicks[key] for key in keys[:limit]]
        return Page(clicks, encode_cursor(keys[limit - 1][1]) if len(keys) > limit else None)

    def scan_by_campaign(self, campaign: CampaignId) -> Iterator[Click]:
        return (c for c in list(self._clicks.values()) if c.campaign == campaign)

    def _insert(self, click: Click) -> None:
        self._clicks[_click_key(click)] = click
        self.stream.append(click)


def _click_key(click: Click) -> _Key:
    return click_partition(
        click.workspace, click.recipient
    ), f"{format_rfc3339(click.time)}#{click.id}"


class InMemoryDomainRepository:
    """``waypost.repositories.domains.DomainRepository``."""

    def __init__(self) -> None:
        self._domains: dict[tuple[WorkspaceId, str], Item] = {}
        self._claims: dict[str, Item] = {}
        self._lock = Lock()

    def add(self, domain: TrackingDomain) -> None:
        with self._lock:
            if domain.host in self._claims or _domain_key(domain) in self._domains:
                raise AlreadyExists("tracking domain", domain.host, "is taken already")
            self._put(domain)

    def get(self, workspace: WorkspaceId, host: str) -> TrackingDomain | None:
        kept = self._domains.get((workspace, host))
        return parse_domain(kept) if kept else None

    def get_stage(self, workspace: WorkspaceId, host: str) -> DomainStage | None:
        kept = self._domains.get((workspace, host))
        return parse_stage(kept) if kept else None

    def get_by_host(self, host: str) -> TrackingDomain | None:
        claim = self._claims.get(host)
        return self.get(parse_claim_owner(claim), host) if claim else None

    def list_by_workspace(self, workspace: WorkspaceId) -> list[TrackingDomain]:
        return parse_domains([kept for key, kept in self._domains.items() if key[0] == workspace])

    def list_all(self) -> list[TrackingDomain]:
        return parse_domains(list(self._domains.values()))

    def save(self, domain: TrackingDomain) -> TrackingDomain:
        with self._lock:
            self._check_version(domain)
            saved = replace(domain, version=domain.version + 1)
            self._put(saved)
            return saved

    def delete(self, domain: TrackingDomain) -> None:
        with self._lock:
            self._check_version(domain)
            del self._domains[_domain_key(domain)]
            self._claims.pop(domain.host, None)

    def list_due(self, now: datetime, limit: int) -> list[tuple[WorkspaceId, str]]:
        return select_due(list(self._claims.values()), now, limit)

    def _put(self, domain: TrackingDomain) -> None:
        self._domains[_domain_key(domain)] = tracking_domain.domain_to_item(domain)
        self._claims[domain.host] = tracking_domain.claim_to_item(domain)

    def _check_version(self, domain: TrackingDomain) -> None:
        kept = self._domains.get(_domain_key(domain), {})
        if kept.get("version") != attributes.to_attribute(domain.version):
            raise WriteConflict(f"domain {domain.host} changed")


def _domain_key(domain: TrackingDomain) -> tuple[WorkspaceId, str]:
    return domain.workspace, domain.host


class InMemoryMessageRepository:
    """``waypost.repositories.messages.MessageRepository``. ``clock`` gives seconds since 1970."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._messages: dict[CampaignId, list[SentMessage]] = {}
        self._states: dict[CampaignId, MessageAbsence] = {}

    def add(self, message: SentMessage) -> bool:
        if message.to_attributes() is None:
            self.note_absence(message.campaign, MessageAbsence.TOO_LARGE)
            return False
        stored = self._messages.setdefault(message.campaign, [])
        recipients = [each.recipient for each in stored]
        if None in recipients or message.recipient in recipients:
            return False
        if message.recipient is not None and len(stored) == MESSAGE_SLOTS:
            return False
        stored.insert(0 if message.recipient is None else len(stored), message)
        self._states[message.campaign] = MessageAbsence.EXPIRED
        return True

    def note_absence(self, campaign: CampaignId, reason: MessageAbsence) -> None:
        self._states.setdefault(campaign, reason)

    def get(self, campaign: CampaignId) -> SentMessage | MessageAbsence:
        for message in self._messages.get(campaign, ()):
            if message.expires > self._clock():
                return message
        return self._states.get(campaign, MessageAbsence.NOT_STORED)

    def delete_personal_by_workspace(self, workspace: WorkspaceId, recipient: str) -> int:
        campaigns = [code for code in self._messages if extract_workspace_id(code) == workspace]
        return self.delete_personal_by_campaigns(campaigns, recipient)

    def delete_personal_by_campaigns(
        self, campaigns: Collection[CampaignId], recipient: str
    ) -> int:
        deleted = 0
        for campaign in campaigns:
            stored = self._messages.pop(campaign, [])
            rest = [m for m in stored if not m.rendered or m.recipient not in (None, recipient)]
            deleted += len(stored) - len(rest)
            if rest:
                self._messages[campaign] = rest
            elif stored:
                self._states[campaign] = MessageAbsence.ERASED
        return deleted


class InMemoryObjectStore:
    """``waypost.repositories.objects.ObjectStore``."""

    def __init__(self) -> None:
        self._objects: dict[ObjectUrl, ObjectContent] = {}
        self._jobs: dict[ObjectUrl, str] = {}
        self._uploads: dict[str, dict[int, ObjectContent]] = {}
        self._upload_jobs: dict[str, str] = {}
        self._upload_numbers = count()

    def list_urls(self) -> list[ObjectUrl]:
        return list(self._objects)

    def put(self, url: ObjectUrl, data: bytes) -> None:
        """Write an object as another program does: without a condition."""
        self._objects[url] = _build_object(data)
        self._jobs.pop(url, None)

    def get_state(self, url: ObjectUrl) -> ObjectState:
        found = self._get_object(url)
        return ObjectState(found.version, len(found.data), self._jobs.get(url, ""))

    def stream(self, url: ObjectUrl, version: str, start: int) -> Iterator[bytes]:
        size = len(self._get_object(url).data)
        step = max(7, size // 10_000)  # lines end anywhere in what is read at once
        for at in range(start, size, step):
            now = self._get_object(url)
            if now.version != version:
                raise WriteConflict(f"{url}: object has changed")
            yield now.data[at : at + step]

    def read(self, url: ObjectUrl) -> ObjectContent | None:
        found = self._objects.get(url)
        if found is not None and len(found.data) > MAX_SMALL_OBJECT_BYTES:
            raise TooLarge(str(url), len(found.data), MAX_SMALL_OBJECT_BYTES)
        return found

    def replace(self, url: ObjectUrl, data: bytes, version: str | None) -> str:
        now = self._objects.get(url)
        if version != (now.version if now else None):
            raise WriteConflict(f"{url}: object has changed")
        self.put(url, data)
        return self._objects[url].version

    def delete(self, url: ObjectUrl, version: str) -> None:
        if self._get_object(url).version != version:
            raise WriteConflict(f"{url}: object has changed")
        del self._objects[url]
        self._jobs.pop(url, None)

    def create_upload(self, url: ObjectUrl, job: str) -> str:
        upload = f"{url}#{next(self._upload_numbers)}"
        self._uploads[upload] = {}
        self._upload_jobs[upload] = job
        return upload

    def upload_part(self, url: ObjectUrl, upload: str, number: int, data: bytes) -> str:
        part = self._get_upload(url, upload)[number] = _build_object(data)
        return part.version

    def complete_upload(self, url: ObjectUrl, upload: str, parts: Sequence[UploadPart]) -> None:
        written = self._get_upload(url, upload)
        if any(written[number].version != tag for number, tag in parts):
            raise StoreUnavailable(f"{url}: InvalidPart")
        if url in self._objects:
            raise WriteConflict(f"{url}: object exists")
        self.put(url, b"".join(written[number].data for number, _ in parts))
        self._jobs[url] = self._upload_jobs[upload]
        del self._uploads[upload]

    def _get_upload(self, url: ObjectUrl, upload: str) -> dict[int, ObjectContent]:
        if upload not in self._uploads:
            raise NotFound("upload to", str(url))
        return self._uploads[upload]

    def _get_object(self, url: ObjectUrl) -> ObjectContent:
        if url not in self._objects:
            raise NotFound("object", str(url))
        return self._objects[url]


def _build_object(data: bytes) -> ObjectContent:
    return ObjectContent(data, md5(data, usedforsecurity=False).hexdigest())


class InMemoryRecipientRepository:
    """``waypost.repositories.recipients.RecipientRepository``; counters go to ``campaigns``."""

    def __init__(self, campaigns: InMemoryCampaignRepository) -> None:
        self._campaigns = campaigns
        self._items: dict[RecipientKey, RecipientRow | OverflowItem] = {}
        self._outbox: dict[tuple[CampaignId, int], frozenset[bytes]] = {}

    def get_rows(self, keys: Collection[RecipientKey]) -> dict[RecipientKey, RecipientRow]:
        found = {key: self._items.get(key) for key in keys}
        return {
            key: row if isinstance(row, RecipientRow) else RecipientRow(key)
            for key, row in found.items()
        }

    def get_overflow_items(
        self, keys: Collection[RecipientKey]
    ) -> dict[RecipientKey, OverflowItem]:
        found = {key: self._items.get(key) for key in keys}
        return {key: sheet for key, sheet in found.items() if isinstance(sheet, OverflowItem)}

    def list_overflow_items(self, key: RecipientKey) -> list[OverflowItem]:
        records = self._items.values()
        return [r for r in records if isinstance(r, OverflowItem) and r.key[:2] == key[:2]]

    def commit(self, commit: Commit) -> None:
        if not commit.is_within_limits:
            raise StoreUnavailable("DynamoDB takes no such transaction")
        written: list[RecipientRow | OverflowItem] = [*commit.rows, *commit.overflow_items]
        expected = {record.key: record.version - 1 for record in written}
        expected |= {record.key: record.version for record in commit.removed_items}
        for key, version in expected.items():
            stored = self._items.get(key)
            if (stored.version if stored else 0) != version:
                raise WriteConflict("a row was written since it was read")
        self._items |= {record.key: record for record in written}
        for record in commit.removed_items:
            self._items.pop(record.key, None)
        self._campaigns.add_increments(commit.campaign, commit.increments)
        if commit.outbox_entry is not None:
            self._outbox[commit.campaign, commit.outbox_entry.batch] = (
                commit.outbox_entry.click_hashes
            )

    def get_outbox_entries(
        self, campaign: CampaignId, batches: Collection[int]
    ) -> Mapping[int, frozenset[bytes]]:
        found = {batch: self._outbox.get((campaign, batch)) for batch in batches}
        return {batch: clicks for batch, clicks in found.items() if clicks}

    def update_outbox(
        self, campaign: CampaignId, batch: int, unpublished: frozenset[bytes]
    ) -> None:
        if unpublished:
            self._outbox[campaign, batch] = unpublished
        else:
            self._outbox.pop((campaign, batch), None)

    def list_link_visitors(
        self, link: LinkId, *, cursor: str | None, limit: int
    ) -> Page[LinkVisitor]:
        after = "" if cursor is None else _parse_cursor(cursor)
        rows = [
            record
            for key, record in sorted(self._items.items(), key=lambda pair: pair[0][:2])
            if isinstance(record, RecipientRow) and key.campaign == extract_campaign_id(link)
            if link in record.links and key.recipient > after
        ]
        visitors = [row.to_visitor(link) for row in rows[:limit]]
        last = f"#{rows[limit - 1].key.recipient}" if len(rows) > limit else None
        return Page(visitors, encode_cursor(last) if last else None)

    def scan_campaigns(self, workspace: WorkspaceId, recipient: str) -> set[CampaignId]:
        return {
            key.campaign
            for key in self._items
            if key.recipient == recipient and extract_workspace_id(key.campaign) == workspace
        }

    def iter_by_campaign(self, campaign: CampaignId) -> Iterator[RecipientRow | OverflowItem]:
        return (record for key, record in list(self._items.items()) if key.campaign == campaign)


def _parse_cursor(cursor: str) -> str:
    mark, _, after = decode_cursor(cursor).partition("#")
    if mark or not is_valid_sort_key(after):
        raise build_cursor_error()
    return after


class InMemoryShortLinkRepository:
    """``waypost.repositories.short_links.ShortLinkRepository``."""

    def __init__(self) -> None:
        self._links: dict[str, ShortLink] = {}
        self._destinations: dict[tuple[WorkspaceId, str], LongDestination] = {}

    def add(self, links: Sequence[ShortLink]) -> frozenset[str]:
        taken = set()
        for link in links:
            if self._links.setdefault(link.code, link) is not link:
                taken.add(link.code)
        return frozenset(taken)

    def add_destinations(self, destinations: Collection[LongDestination]) -> None:
        for new in destinations:
            stored = self._destinations.setdefault((new.workspace, new.digest), new)
            if stored.recipient is None:
                continue
            is_same = stored.recipient == new.recipient
            shared = replace(new, recipient=None, expires=None)
            self._destinations[new.workspace, new.digest] = new if is_same else shared

    def delete(self, code: str) -> bool:
        return self._links.pop(code, None) is not None

    def delete_destination(self, workspace: WorkspaceId, digest: str, recipient: str) -> bool:
        stored = self._destinations.get((workspace, digest))
        if stored is None or stored.recipient != recipient:
            return False
        del self._destinations[workspace, digest]
        return True

    def get(self, code: str) -> ShortLink | None:
        return self._links.get(code)

    def get_destination(self, workspace: WorkspaceId, digest: str) -> str | None:
        stored = self._destinations.get((workspace, digest))
        return stored.href if stored else None


class InMemoryWorkspaceRepository:
    """``waypost.repositories.workspaces.WorkspaceRepository``."""

    def __init__(self) -> None:
        self._settings: dict[WorkspaceId, tuple[str, str, int]] = {}
        self._opt_outs: dict[PersonKey, OptOut] = {}

    def resolve_id(self, workspace: str) -> WorkspaceId:
        workspace_id = derive_workspace_id(workspace)
        check_owner(workspace, self._settings.get(workspace_id, (None,))[0])
        return workspace_id

    def claim_id(self, workspace: str) -> WorkspaceId:
        self._settings.setdefault(derive_workspace_id(workspace), (workspace, UNSAVED_SETTINGS, 0))
        return self.resolve_id(workspace)

    def get_settings(self, workspace: WorkspaceId) -> WorkspaceSettings:
        stored = self._settings.get(workspace)
        return parse_settings(workspace, stored[1]) if stored else WorkspaceSettings()

    def get_settings_by_name(self, workspace: str) -> WorkspaceSettings:
        return self.get_settings(self.resolve_id(workspace))

    def get_settings_with_version(self, workspace: str) -> VersionedSettings:
        stored = self._settings.get(self.resolve_id(workspace))
        return (
            parse_settings_with_version(*stored[1:])
            if stored
            else VersionedSettings(WorkspaceSettings(), 0)
        )

    def save_settings(
        self, workspace: str, settings: WorkspaceSettings, *, expected_version: int | None = None
    ) -> None:
        code = self.resolve_id(workspace)
        version = self._settings[code][2] if code in self._settings else 0
        if expected_version not in (None, version):
            raise WriteConflict("settings were saved since they were read")
        self._settings[code] = (workspace, serialize_settings(settings), version + 1)

    def opt_out(
        self, workspace: WorkspaceId, person: str, now: datetime, *, is_erased: bool = False
    ) -> OptOut:
        new = OptOut(
            workspace=workspace,
            person_hash=person_hash(workspace, person),
            salt=secrets.token_hex(16),
            since=now,
        )
        key = (workspace, new.person_hash)
        stored = self._opt_outs.get(key)
        opt_out = stored if stored and stored.is_active else new
        last_erasure = stored.erased if stored else None
        self._opt_outs[key] = replace(opt_out, erased=now if is_erased else last_erasure)
        return self._opt_outs[key]

    def opt_in(self, workspace: WorkspaceId, person: str, now: datetime) -> None:
        key = (workspace, person_hash(workspace, person))
        stored = self._opt_outs.get(key)
        if stored and stored.erased is None:
            del self._opt_outs[key]
        elif stored and stored.is_active:
            self._opt_outs[key] = replace(stored, salt=secrets.token_hex(16), opted_in=now)

    def get_opt_outs(self, people: Collection[PersonKey]) -> Mapping[PersonKey, OptOut]:
        found = {
            (workspace, person): self._opt_outs.get((workspace, person_hash(workspace, person)))
            for workspace, person in people
        }
        return {person: wish for person, wish in found.items() if wish is not None}


def create_in_memory_repositories(clock: Callable[[], float] = time.time) -> Repositories:
    """Create empty repositories in memory, on which any service of the composition root runs."""
    repositories = Repositories(cast("DynamoClient", None), TableNames(), clock)
    repositories.clicks = InMemoryClickRepository()
    personal_records = InMemoryPersonalRecordRepository()
    repositories.personal_records = personal_records
    campaigns = InMemoryCampaignRepository(personal_records, clock)
    repositories.campaigns = campaigns
    repositories.recipients = InMemoryRecipientRepository(campaigns)
    repositories.workspaces = InMemoryWorkspaceRepository()
    repositories.messages = InMemoryMessageRepository(clock)
    repositories.domains = InMemoryDomainRepository()
    repositories.short_links = InMemoryShortLinkRepository()
    return repositories
