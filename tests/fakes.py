"""Campaigns, links and figures in memory.

The ledger in memory.

Tracking domains in memory: the twin of ``dynamodb.domains``, which keeps the same items.

Messages of campaigns in memory.

Objects in memory.

Recipients' rows in memory, with the same conditions on their versions and DynamoDB's bounds.

Short links and long destinations in memory.

Settings and opt-outs in memory.
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

from waypost.domains import item_mapping
from waypost.domains.model import Stage, TrackingDomain
from waypost.errors import Clash, Conflict, NotFound, StoreUnavailable
from waypost.ids import (
    CampaignCode,
    LinkCode,
    WorkspaceCode,
    campaign_code,
    campaign_of,
    link_code,
    workspace_code,
    workspace_of,
)
from waypost.models import attributes
from waypost.models.attributes import Item, rfc3339
from waypost.models.campaign import Campaign, Link, LinkDefinition, SentMessage
from waypost.models.click import Click, ledger_key
from waypost.models.counters import SENT, CampaignCounts, Increments
from waypost.models.recipient import LinkVisitor, Row, RowKey, Sheet
from waypost.models.short_link import ShortLink, StoredDestination
from waypost.models.workspace import OptOut, WorkspaceSettings, person_hash
from waypost.repositories.campaigns import PLACES
from waypost.repositories.clicks import CLICK_PLACES
from waypost.repositories.domains import (
    due_first,
    oldest_first,
    read_domain,
    read_owner,
    read_stage,
)
from waypost.repositories.objects import ObjectState, ObjectUrl, Part, SmallObject
from waypost.repositories.pagination import (
    Page,
    is_key,
    made_up,
    read_cursor,
    read_place,
    write_cursor,
)
from waypost.repositories.recipients import Commit
from waypost.repositories.workspaces import (
    Person,
    Versioned,
    read_settings,
    read_versioned,
    write_settings,
)


class MemoryCampaigns:
    """``waypost.repositories.campaigns.CampaignStore``."""

    def __init__(self) -> None:
        self._campaigns: dict[CampaignCode, Campaign] = {}
        self._links: dict[LinkCode, Link] = {}
        self._keys: set[tuple[CampaignCode, str]] = set()
        self._sent: Counter[CampaignCode] = Counter()
        self._signed: dict[str, Counter[CampaignCode]] = {}
        self._counters: dict[CampaignCode, Increments] = {}

    def open(
        self, workspace: str, campaign: str, *, kind: str, channel: str, now: datetime
    ) -> CampaignCode:
        code = campaign_code(workspace, campaign)
        new = Campaign(
            workspace=workspace, name=campaign, kind=kind, channel=channel, first_seen=now
        )
        stored = self._campaigns.setdefault(code, new)
        if (stored.workspace, stored.name) != (workspace, campaign):
            raise Clash("campaign", campaign, "its code belongs to another name")
        return code

    def campaign(self, campaign: CampaignCode) -> Campaign | None:
        return self._campaigns.get(campaign)

    def define_links(
        self, campaign: CampaignCode, links: Sequence[LinkDefinition], now: datetime
    ) -> list[LinkCode]:
        return [self._define(campaign, link, now) for link in links]

    def add_sent(
        self,
        campaign: CampaignCode,
        deliveries: int,
        idempotency_key: str | None,
        signed: Mapping[str, int] | None = None,
    ) -> bool:
        if idempotency_key is not None:
            if (campaign, idempotency_key) in self._keys:
                return False
            self._keys.add((campaign, idempotency_key))
        self._sent[campaign] += deliveries
        for fingerprint, links in (signed or {}).items():
            self._signed.setdefault(fingerprint, Counter())[campaign] += links
        return True

    def signed(self, fingerprint: str) -> dict[CampaignCode, int]:
        return dict(self._signed.get(fingerprint, {}))

    def of_workspace(
        self, workspace: WorkspaceCode, *, cursor: str | None, limit: int
    ) -> Page[Campaign]:
        before = read_place(cursor, PLACES) if cursor is not None else "~"
        listed = [
            campaign
            for code, campaign in self._campaigns.items()
            if workspace_of(code) == workspace and campaign.place < before
        ]
        listed.sort(key=lambda campaign: campaign.place, reverse=True)
        found = listed[:limit]
        return Page(found, write_cursor(found[-1].place) if len(listed) > limit else None)

    def codes_of_workspace(
        self, workspace: WorkspaceCode, *, cursor: str | None, limit: int
    ) -> Page[CampaignCode]:
        page = self.of_workspace(workspace, cursor=cursor, limit=limit)
        return Page([campaign.code for campaign in page.items], page.cursor)

    def headlines(self, campaigns: Collection[CampaignCode]) -> dict[CampaignCode, CampaignCounts]:
        counts = {code: self.counts(code) for code in campaigns}
        return {code: CampaignCounts(sent=c.sent, total=c.total) for code, c in counts.items()}

    def list_known(self) -> int:
        return 0  # nothing here was noted before there was a list

    def links(self, campaign: CampaignCode) -> list[Link]:
        return [link for link in self._links.values() if campaign_of(link.code) == campaign]

    def find_links(self, codes: Collection[LinkCode]) -> dict[LinkCode, Link]:
        return {code: self._links[code] for code in codes if code in self._links}

    def counts(self, campaign: CampaignCode) -> CampaignCounts:
        figures: dict[str, dict[str, int]] = {SENT: {SENT: self._sent[campaign]}}
        for (counter, figure), value in self._counters.get(campaign, Counter()).items():
            figures.setdefault(counter, {})[figure] = value
        return CampaignCounts.of(figures.items())

    def add(self, campaign: CampaignCode, increments: Increments) -> None:
        """Move figures; what the transactions of ``MemoryRecipients`` do."""
        counters = self._counters.setdefault(campaign, Counter())
        for cell, value in increments.items():
            counters[cell] += value

    def _define(
        self, campaign: CampaignCode, definition: LinkDefinition, now: datetime
    ) -> LinkCode:
        attempt = 0
        while True:
            code = link_code(campaign, definition.identity, attempt)
            owner = self._links.setdefault(code, Link(code, definition, now))
            if owner.definition.identity == definition.identity:
                return code
            attempt += 1


_Key = tuple[str, str]


class MemoryClicks:
    """``ClickStore`` in memory. ``inserted`` is its stream: new clicks in order."""

    def __init__(self) -> None:
        self._clicks: dict[_Key, Click] = {}
        self.inserted: list[Click] = []

    def record(self, click: Click) -> bool:
        if _click_key(click) in self._clicks:
            return False
        self._insert(click)
        return True

    def anonymise(self, click: Click, anonymous: Click) -> None:
        if _click_key(anonymous) not in self._clicks:
            self._insert(anonymous)
        self._clicks.pop(_click_key(click), None)

    def of_person(
        self, workspace: WorkspaceCode, person: str, *, cursor: str | None, limit: int
    ) -> Page[Click]:
        partition = ledger_key(workspace, f"p:{person}")
        before = read_place(cursor, CLICK_PLACES) if cursor is not None else "~"
        keys = sorted(k for k in self._clicks if k[0] == partition and k[1] < before)[::-1]
        clicks = [self._clicks[key] for key in keys[:limit]]
        return Page(clicks, write_cursor(keys[limit - 1][1]) if len(keys) > limit else None)

    def of_campaign(self, campaign: CampaignCode) -> Iterator[Click]:
        return (c for c in list(self._clicks.values()) if c.campaign == campaign)

    def _insert(self, click: Click) -> None:
        self._clicks[_click_key(click)] = click
        self.inserted.append(click)


def _click_key(click: Click) -> _Key:
    return ledger_key(click.workspace, click.recipient), f"{rfc3339(click.time)}#{click.id}"


class MemoryDomains:
    """``waypost.repositories.domains.DomainStore``."""

    def __init__(self) -> None:
        self._domains: dict[tuple[WorkspaceCode, str], Item] = {}
        self._claims: dict[str, Item] = {}
        self._lock = Lock()

    def add(self, domain: TrackingDomain) -> None:
        with self._lock:
            if domain.host in self._claims or _domain_key(domain) in self._domains:
                raise Clash("tracking domain", domain.host, "is taken already")
            self._put(domain)

    def get(self, workspace: WorkspaceCode, host: str) -> TrackingDomain | None:
        kept = self._domains.get((workspace, host))
        return read_domain(kept) if kept else None

    def stage(self, workspace: WorkspaceCode, host: str) -> Stage | None:
        kept = self._domains.get((workspace, host))
        return read_stage(kept) if kept else None

    def by_host(self, host: str) -> TrackingDomain | None:
        claim = self._claims.get(host)
        return self.get(read_owner(claim), host) if claim else None

    def of_workspace(self, workspace: WorkspaceCode) -> list[TrackingDomain]:
        return oldest_first([kept for key, kept in self._domains.items() if key[0] == workspace])

    def save(self, domain: TrackingDomain) -> TrackingDomain:
        with self._lock:
            self._unchanged(domain)
            saved = replace(domain, version=domain.version + 1)
            self._put(saved)
            return saved

    def delete(self, domain: TrackingDomain) -> None:
        with self._lock:
            self._unchanged(domain)
            del self._domains[_domain_key(domain)]
            self._claims.pop(domain.host, None)

    def due(self, now: datetime, limit: int) -> list[tuple[WorkspaceCode, str]]:
        return due_first(list(self._claims.values()), now, limit)

    def _put(self, domain: TrackingDomain) -> None:
        self._domains[_domain_key(domain)] = item_mapping.to_item(domain)
        self._claims[domain.host] = item_mapping.to_claim(domain)

    def _unchanged(self, domain: TrackingDomain) -> None:
        kept = self._domains.get(_domain_key(domain), {})
        if kept.get("version") != attributes.attribute(domain.version):
            raise Conflict(f"domain {domain.host} changed")


def _domain_key(domain: TrackingDomain) -> tuple[WorkspaceCode, str]:
    return domain.workspace, domain.host


class MemoryMessages:
    """``waypost.repositories.messages.MessageStore``. ``clock`` gives seconds since 1970."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._messages: dict[CampaignCode, SentMessage] = {}

    def keep(self, message: SentMessage) -> bool:
        if message.campaign in self._messages or message.to_item() is None:
            return False
        self._messages[message.campaign] = message
        return True

    def message(self, campaign: CampaignCode) -> SentMessage | None:
        message = self._messages.get(campaign)
        return message if message and message.expires > self._clock() else None

    def forget(self, campaign: CampaignCode) -> None:
        self._messages.pop(campaign, None)

    def forget_rendered(self, workspace: WorkspaceCode) -> int:
        campaigns = [code for code in self._messages if workspace_of(code) == workspace]
        return self.forget_rendered_of(campaigns)

    def forget_rendered_of(self, campaigns: Collection[CampaignCode]) -> int:
        found = [self._messages.get(campaign) for campaign in campaigns]
        rendered = [message.campaign for message in found if message and message.rendered]
        for campaign in rendered:
            self.forget(campaign)
        return len(rendered)


class MemoryObjects:
    """``waypost.repositories.objects.ObjectStore``."""

    def __init__(self) -> None:
        self._objects: dict[ObjectUrl, SmallObject] = {}
        self._uploads: dict[str, dict[int, SmallObject]] = {}
        self._names = count()

    def state(self, url: ObjectUrl) -> ObjectState:
        found = self._found(url)
        return ObjectState(found.version, len(found.data))

    def stream(self, url: ObjectUrl, version: str, start: int) -> Iterator[bytes]:
        size = len(self._found(url).data)
        step = max(7, size // 10_000)  # lines end anywhere in what is read at once
        for at in range(start, size, step):
            now = self._found(url)
            if now.version != version:
                raise Conflict(f"{url} has changed")
            yield now.data[at : at + step]

    def read(self, url: ObjectUrl) -> SmallObject | None:
        return self._objects.get(url)

    def write(self, url: ObjectUrl, data: bytes) -> None:
        self._objects[url] = _object(data)

    def replace(self, url: ObjectUrl, data: bytes, version: str | None) -> str:
        now = self._objects.get(url)
        if version != (now.version if now else None):
            raise Conflict(f"{url} has changed")
        self._objects[url] = _object(data)
        return self._objects[url].version

    def delete(self, url: ObjectUrl) -> None:
        self._objects.pop(url, None)

    def begin(self, url: ObjectUrl) -> str:
        upload = f"{url}#{next(self._names)}"
        self._uploads[upload] = {}
        return upload

    def put_part(self, url: ObjectUrl, upload: str, number: int, data: bytes) -> str:
        part = self._upload(url, upload)[number] = _object(data)
        return part.version

    def complete(self, url: ObjectUrl, upload: str, parts: Sequence[Part]) -> None:
        written = self._upload(url, upload)
        if any(written[number].version != tag for number, tag in parts):
            raise StoreUnavailable(f"{url}: InvalidPart")
        self.write(url, b"".join(written[number].data for number, _ in parts))
        del self._uploads[upload]

    def _upload(self, url: ObjectUrl, upload: str) -> dict[int, SmallObject]:
        if upload not in self._uploads:
            raise NotFound("upload to", str(url))
        return self._uploads[upload]

    def _found(self, url: ObjectUrl) -> SmallObject:
        if url not in self._objects:
            raise NotFound("object", str(url))
        return self._objects[url]


def _object(data: bytes) -> SmallObject:
    return SmallObject(data, md5(data, usedforsecurity=False).hexdigest())


class MemoryRecipients:
    """``waypost.repositories.recipients.RecipientStore``; counters go to ``campaigns``."""

    def __init__(self, campaigns: MemoryCampaigns) -> None:
        self._campaigns = campaigns
        self._records: dict[RowKey, Row | Sheet] = {}
        self._notices: dict[tuple[CampaignCode, int], frozenset[bytes]] = {}

    def rows(self, keys: Collection[RowKey]) -> dict[RowKey, Row]:
        found = {key: self._records.get(key) for key in keys}
        return {key: row if isinstance(row, Row) else Row(key) for key, row in found.items()}

    def sheets(self, keys: Collection[RowKey]) -> dict[RowKey, Sheet]:
        found = {key: self._records.get(key) for key in keys}
        return {key: sheet for key, sheet in found.items() if isinstance(sheet, Sheet)}

    def sheets_of(self, key: RowKey) -> list[Sheet]:
        records = self._records.values()
        return [r for r in records if isinstance(r, Sheet) and r.key[:2] == key[:2]]

    def commit(self, commit: Commit) -> None:
        if not commit.fits:
            raise StoreUnavailable("DynamoDB takes no such transaction")
        written: list[Row | Sheet] = [*commit.rows, *commit.sheets]
        expected = {record.key: record.version - 1 for record in written}
        expected |= {record.key: record.version for record in commit.removed}
        for key, version in expected.items():
            stored = self._records.get(key)
            if (stored.version if stored else 0) != version:
                raise Conflict("a row was written since it was read")
        self._records |= {record.key: record for record in written}
        for record in commit.removed:
            self._records.pop(record.key, None)
        self._campaigns.add(commit.campaign, commit.increments)
        if commit.notice is not None:
            self._notices[commit.campaign, commit.notice.batch] = commit.notice.clicks

    def notices(
        self, campaign: CampaignCode, batches: Collection[int]
    ) -> Mapping[int, frozenset[bytes]]:
        found = {batch: self._notices.get((campaign, batch)) for batch in batches}
        return {batch: clicks for batch, clicks in found.items() if clicks}

    def told(self, campaign: CampaignCode, batch: int, left: frozenset[bytes]) -> None:
        if left:
            self._notices[campaign, batch] = left
        else:
            self._notices.pop((campaign, batch), None)

    def of_link(self, link: LinkCode, *, cursor: str | None, limit: int) -> Page[LinkVisitor]:
        after = "" if cursor is None else _read(cursor)
        rows = [
            record
            for key, record in sorted(self._records.items(), key=lambda pair: pair[0][:2])
            if isinstance(record, Row) and key.campaign == campaign_of(link)
            if link in record.links and key.recipient > after
        ]
        visitors = [row.visitor(link) for row in rows[:limit]]
        last = f"#{rows[limit - 1].key.recipient}" if len(rows) > limit else None
        return Page(visitors, write_cursor(last) if last else None)

    def campaigns_of(self, workspace: WorkspaceCode, recipient: str) -> set[CampaignCode]:
        return {
            key.campaign
            for key in self._records
            if key.recipient == recipient and workspace_of(key.campaign) == workspace
        }

    def of_campaign(self, campaign: CampaignCode) -> Iterator[Row | Sheet]:
        return (record for key, record in list(self._records.items()) if key.campaign == campaign)


def _read(cursor: str) -> str:
    mark, _, after = read_cursor(cursor).partition("#")
    if mark or not is_key(after):
        raise made_up()
    return after


class MemoryShortLinks:
    """``waypost.repositories.short_links.ShortLinkStore``."""

    def __init__(self) -> None:
        self._links: dict[str, ShortLink] = {}
        self._destinations: dict[tuple[WorkspaceCode, str], str] = {}

    def add(self, links: Sequence[ShortLink]) -> frozenset[str]:
        taken = set()
        for link in links:
            if self._links.setdefault(link.code, link) is not link:
                taken.add(link.code)
        return frozenset(taken)

    def keep(self, destinations: Collection[StoredDestination]) -> None:
        for kept in destinations:
            self._destinations[kept.workspace, kept.digest] = kept.href

    def find(self, code: str) -> ShortLink | None:
        return self._links.get(code)

    def destination(self, workspace: WorkspaceCode, digest: str) -> str | None:
        return self._destinations.get((workspace, digest))


class MemoryWorkspaces:
    """``waypost.repositories.workspaces.WorkspaceStore``."""

    def __init__(self) -> None:
        self._settings: dict[WorkspaceCode, tuple[str, str, int]] = {}
        self._opt_outs: dict[Person, OptOut] = {}

    def settings(self, workspace: WorkspaceCode) -> WorkspaceSettings:
        stored = self._settings.get(workspace)
        return read_settings(workspace, stored[1]) if stored else WorkspaceSettings()

    def versioned(self, workspace: WorkspaceCode) -> Versioned:
        stored = self._settings.get(workspace)
        return read_versioned(*stored[1:]) if stored else Versioned(WorkspaceSettings(), 0)

    def save(self, workspace: str, settings: WorkspaceSettings, *, over: int | None = None) -> None:
        code = workspace_code(workspace)
        name, _, version = self._settings.get(code, (workspace, "", 0))
        if name != workspace:
            raise Clash("workspace", workspace, "its code belongs to another name")
        if over not in (None, version):
            raise Conflict("settings were saved since they were read")
        self._settings[code] = (workspace, write_settings(settings), version + 1)

    def opt_out(self, workspace: WorkspaceCode, person: str, now: datetime) -> OptOut:
        wish = OptOut(
            workspace=workspace,
            person_hash=person_hash(workspace, person),
            salt=secrets.token_hex(16),
            since=now,
        )
        return self._opt_outs.setdefault((workspace, wish.person_hash), wish)

    def opt_in(self, workspace: WorkspaceCode, person: str) -> None:
        self._opt_outs.pop((workspace, person_hash(workspace, person)), None)

    def opted_out(self, people: Collection[Person]) -> Mapping[Person, OptOut]:
        found = {
            (workspace, person): self._opt_outs.get((workspace, person_hash(workspace, person)))
            for workspace, person in people
        }
        return {person: wish for person, wish in found.items() if wish is not None}
