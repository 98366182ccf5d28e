"""Campaigns, their links and their figures in DynamoDB.

A campaign is put on its workspace's list by a second item, then marked as listed. A campaign
without the mark is listed when it is next sent to. Repeating this is safe: the key of the list item
holds the time when the campaign was first seen.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from waypost.cache import Cache
from waypost.errors import AlreadyExists, CorruptItem, WriteConflict
from waypost.ids import (
    CampaignId,
    LinkId,
    WorkspaceId,
    derive_campaign_id,
    derive_link_id,
    extract_campaign_id,
)
from waypost.models import attributes
from waypost.models.attributes import Item
from waypost.models.campaign import (
    CAMPAIGN_SORT_KEY,
    ERASED_IDENTITY,
    LINK_SORT_KEY_PREFIX,
    Campaign,
    Link,
    LinkDefinition,
    PersonalRecord,
    campaign_list_partition,
    campaign_partition,
    link_key,
    parse_campaign_partition,
    parse_link_id,
    parse_list_key,
)
from waypost.models.counters import (
    SENT_COUNTER,
    TOTAL_COUNTER,
    CampaignCounts,
    delivery_figures,
    signing_key_figure,
)
from waypost.repositories.campaigns import CAMPAIGN_LIST_KEY_PATTERN
from waypost.repositories.corrupt_items import (
    log_corrupt_item,
    report_corrupt_item,
    skip_corrupt_items,
)
from waypost.repositories.dynamodb.client import (
    DynamoClient,
    batch_get,
    query_all,
    scan_all,
    translate_dynamo_errors,
)
from waypost.repositories.dynamodb.counters import (
    COUNTER_SHARDS,
    COUNTER_SORT_KEY_PREFIX,
    DeliveryCounter,
    parse_counter,
)
from waypost.repositories.dynamodb.personal_records import DynamoPersonalRecordRepository
from waypost.repositories.pagination import Page, encode_cursor, parse_cursor

_MAX_CACHED_LINKS: Final = 20_000
_UNREADABLE_IDENTITY: Final = "nobody's"
"""Equal to no identity: each begins with its kind and a colon."""
_SENT_SORT_KEY: Final = f"{COUNTER_SORT_KEY_PREFIX}{SENT_COUNTER}"
_HEADLINE_SORT_KEYS: Final = (_SENT_SORT_KEY, f"{COUNTER_SORT_KEY_PREFIX}{TOTAL_COUNTER}")


class DynamoCampaignRepository:
    """``waypost.repositories.campaigns.CampaignRepository``. ``clock`` gives seconds since 1970.

    Ids of stored links are cached, so that later batches of a mailing neither read nor write them.
    Links of one recipient are not: another recipient may have them next.
    """

    def __init__(
        self, client: DynamoClient, table: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._client = client
        self._table = table
        self._clock = clock
        self._delivery_counter = DeliveryCounter(client, table, clock)
        self._link_ids = Cache[tuple[CampaignId, str], LinkId](_MAX_CACHED_LINKS)
        self._personal_records = DynamoPersonalRecordRepository(client, table)

    def get_or_create(
        self, workspace: str, campaign: str, *, kind: str, channel: str, now: datetime
    ) -> CampaignId:
        campaign_id = derive_campaign_id(workspace, campaign)
        stored = self.get(campaign_id)
        if stored is None:
            new = Campaign(
                workspace=workspace, name=campaign, kind=kind, channel=channel, first_seen=now
            )
            stored = self._create(new)
        if (stored.workspace, stored.name) != (workspace, campaign):
            raise AlreadyExists("campaign", campaign, "its id belongs to another name")
        if not stored.is_listed:
            self._add_to_list(stored)
        return campaign_id

    def get(self, campaign: CampaignId) -> Campaign | None:
        stored = self._load_item(campaign)
        if "campaign" not in stored:  # the mark of a sharded one may be written first
            return None
        with report_corrupt_item("campaign", f"campaign {campaign}", campaign=campaign):
            return Campaign.from_item(stored)

    def define_links(
        self, campaign: CampaignId, links: Sequence[LinkDefinition], now: datetime
    ) -> list[LinkId]:
        ids = {
            link.identity: link_id
            for link in links
            if (link_id := self._link_ids.get((campaign, link.identity))) is not None
        }
        attempt = 0
        while pending := {link.identity: link for link in links if link.identity not in ids}:
            ids |= self._assign_ids(campaign, pending, attempt, now)
            attempt += 1
        return [ids[link.identity] for link in links]

    def erase_link(self, link: LinkId, recipient: str) -> bool:
        try:
            with translate_dynamo_errors():
                self._client.update_item(
                    TableName=self._table,
                    Key=link_key(link),
                    UpdateExpression="SET #identity = :erased, #url = :empty"
                    " REMOVE tag, recipient, expires",
                    ConditionExpression="recipient = :recipient",
                    ExpressionAttributeNames={"#identity": "identity", "#url": "url"},
                    ExpressionAttributeValues={
                        ":erased": {"S": ERASED_IDENTITY},
                        ":empty": {"S": ""},
                        ":recipient": {"S": recipient},
                    },
                )
        except WriteConflict:
            return False
        return True

    def list_links(self, campaign: CampaignId) -> list[Link]:
        stored = query_all(
            self._client,
            self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :links)",
            ExpressionAttributeValues={
                ":pk": {"S": campaign_partition(campaign)},
                ":links": {"S": LINK_SORT_KEY_PREFIX},
            },
        )
        return list(skip_corrupt_items("link", Link.from_item, stored, campaign=campaign))

    def find_links(self, link_ids: Collection[LinkId]) -> dict[LinkId, Link]:
        keys = [link_key(link_id) for link_id in set(link_ids)]
        stored = batch_get(self._client, self._table, keys, consistent=False)
        return {link.id: link for link in skip_corrupt_items("link", Link.from_item, stored)}

    def add_deliveries(
        self,
        campaign: CampaignId,
        deliveries: int,
        idempotency_key: str | None,
        links_by_key: Mapping[str, int] | None = None,
    ) -> bool:
        figures = delivery_figures(deliveries, links_by_key)
        return self._delivery_counter.add(campaign, figures, idempotency_key)

    def count_links_by_key(self, fingerprint: str) -> dict[CampaignId, int]:
        figure = signing_key_figure(fingerprint)
        counters = scan_all(
            self._client,
            self._table,
            FilterExpression="sk = :sent AND attribute_exists(#signed)",
            ProjectionExpression="pk, #signed",
            ExpressionAttributeNames={"#signed": figure},
            ExpressionAttributeValues={":sent": {"S": _SENT_SORT_KEY}},
        )
        signed: dict[CampaignId, int] = {}
        for counter in counters:
            campaign = _get_campaign_id(counter)
            signed[campaign] = signed.get(campaign, 0) + attributes.get_number(counter, figure)
        return signed

    def get_counts(self, campaign: CampaignId) -> CampaignCounts:
        is_sharded = "spread" in self._load_item(campaign)
        return CampaignCounts.from_counters(
            parse_counter(counter)
            for shard in range(COUNTER_SHARDS if is_sharded else 1)
            for counter in query_all(
                self._client,
                self._table,
                KeyConditionExpression="pk = :pk AND begins_with(sk, :counters)",
                ExpressionAttributeValues={
                    ":pk": {"S": campaign_partition(campaign, shard)},
                    ":counters": {"S": COUNTER_SORT_KEY_PREFIX},
                },
                ConsistentRead=True,
            )
        )

    def get_headline_counts(
        self, campaigns: Collection[CampaignId]
    ) -> dict[CampaignId, CampaignCounts]:
        """Read three items for each campaign, and 30 more for each sharded one."""
        items = self._get_items(
            (campaign_partition(campaign), sort_key)
            for campaign in campaigns
            for sort_key in (CAMPAIGN_SORT_KEY, *_HEADLINE_SORT_KEYS)
        )
        sharded = {_get_campaign_id(item) for item in items if "spread" in item}
        items += self._get_items(
            (campaign_partition(campaign, shard), sort_key)
            for campaign in sharded
            for shard in range(1, COUNTER_SHARDS)
            for sort_key in _HEADLINE_SORT_KEYS
        )
        counters: dict[CampaignId, list[tuple[str, dict[str, int]]]] = {c: [] for c in campaigns}
        corrupt: set[CampaignId] = set()
        for item in items:
            if attributes.get_text(item, "sk") == CAMPAIGN_SORT_KEY:
                continue
            campaign = _get_campaign_id(item)
            try:
                counters[campaign].append(parse_counter(item))
            except CorruptItem:  # parse_counter has logged it
                corrupt.add(campaign)
        return {
            campaign: CampaignCounts.from_counters(parsed)
            for campaign, parsed in counters.items()
            if campaign not in corrupt
        }

    def list_by_workspace(
        self, workspace: WorkspaceId, *, cursor: str | None, limit: int
    ) -> Page[Campaign]:
        items, next_cursor = self._query_list(workspace, cursor, limit)
        campaigns = skip_corrupt_items("campaign", Campaign.from_item, items, workspace=workspace)
        return Page(list(campaigns), next_cursor)

    def list_ids_by_workspace(
        self, workspace: WorkspaceId, *, cursor: str | None, limit: int
    ) -> Page[CampaignId]:
        items, next_cursor = self._query_list(workspace, cursor, limit)
        return Page(
            [parse_list_key(attributes.get_text(item, "sk")) for item in items], next_cursor
        )

    def backfill_list(self) -> int:
        stored = scan_all(
            self._client,
            self._table,
            FilterExpression="sk = :campaign AND attribute_exists(first_seen)"
            " AND attribute_not_exists(listed)",
            ExpressionAttributeValues={":campaign": {"S": CAMPAIGN_SORT_KEY}},
        )
        missing = list(skip_corrupt_items("campaign", Campaign.from_item, stored))
        for campaign in missing:
            self._add_to_list(campaign)
        return len(missing)

    def scan_all(self) -> Iterator[Campaign]:
        stored = scan_all(
            self._client,
            self._table,
            FilterExpression="sk = :campaign AND attribute_exists(first_seen)",
            ExpressionAttributeValues={":campaign": {"S": CAMPAIGN_SORT_KEY}},
        )
        return skip_corrupt_items("campaign", Campaign.from_item, stored)

    def _load_item(self, campaign: CampaignId) -> Item:
        """Return the campaign's own item, or an empty one."""
        with translate_dynamo_errors():
            response = self._client.get_item(
                TableName=self._table, Key=_campaign_key(campaign), ConsistentRead=True
            )
        item: Item = response.get("Item", {})
        return item

    def _get_items(self, keys: Iterable[tuple[str, str]]) -> list[Item]:
        """Return the items that exist of these partitions and sort keys."""
        item_keys = [attributes.build_item({"pk": pk, "sk": sk}) for pk, sk in keys]
        return list(batch_get(self._client, self._table, item_keys, consistent=False))

    def _create(self, campaign: Campaign) -> Campaign:
        """Store a campaign, or read the one that another writer stored first.

        An update, not a put: the item may carry the mark of a sharded campaign already.
        """
        values = {n: v for n, v in campaign.to_item().items() if n not in {"pk", "sk"}}
        try:
            with translate_dynamo_errors():
                self._client.update_item(
                    TableName=self._table,
                    Key=_campaign_key(campaign.id),
                    UpdateExpression="SET " + ", ".join(f"#{n} = :{n}" for n in values),
                    ConditionExpression="attribute_not_exists(#campaign)",
                    ExpressionAttributeNames={f"#{n}": n for n in values},
                    ExpressionAttributeValues={f":{n}": v for n, v in values.items()},
                )
        except WriteConflict:
            return self.get(campaign.id) or campaign
        return campaign

    def _add_to_list(self, campaign: Campaign) -> None:
        """Put a campaign on its workspace's list, then mark it as listed. Safe to repeat."""
        with translate_dynamo_errors():
            self._client.put_item(TableName=self._table, Item=campaign.to_list_item())
            self._client.update_item(
                TableName=self._table,
                Key=_campaign_key(campaign.id),
                UpdateExpression="SET listed = :true",
                ExpressionAttributeValues={":true": {"BOOL": True}},
            )

    def _query_list(
        self, workspace: WorkspaceId, cursor: str | None, limit: int
    ) -> tuple[list[Item], str | None]:
        """Return a page of list items, newest first, and the cursor of the next page."""
        partition = campaign_list_partition(workspace)
        start = {}
        if cursor is not None:
            sort_key = parse_cursor(cursor, CAMPAIGN_LIST_KEY_PATTERN)
            start = {"ExclusiveStartKey": attributes.build_item({"pk": partition, "sk": sort_key})}
        with translate_dynamo_errors():
            response = self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": {"S": partition}},
                ScanIndexForward=False,
                ConsistentRead=True,
                Limit=limit,
                **start,
            )
        last_key = response.get("LastEvaluatedKey")
        next_cursor = encode_cursor(attributes.get_text(last_key, "sk")) if last_key else None
        return response["Items"], next_cursor

    def _assign_ids(
        self,
        campaign: CampaignId,
        pending: Mapping[str, LinkDefinition],
        attempt: int,
        now: datetime,
    ) -> dict[str, LinkId]:
        """Store links under the ids of this attempt. Return those that no other identity owns."""
        links = [
            Link(derive_link_id(campaign, identity, attempt), definition, now)
            for identity, definition in pending.items()
        ]
        keys = [link_key(link_id) for link_id in {link.id for link in links}]
        loaded = batch_get(self._client, self._table, keys, consistent=False)
        stored = {parse_link_id(item): item for item in loaded}
        self._record_personal_links([link for link in links if link.id not in stored])
        assigned = {}
        for link in links:
            item = stored.get(link.id) or self._put_link(link)
            item = stored[link.id] = self._share_link(link, item)
            if _get_owner_identity(item) == link.definition.identity:
                assigned[link.definition.identity] = link.id
                if "recipient" not in item:
                    self._link_ids.set((campaign, link.definition.identity), link.id)
        return assigned

    def _record_personal_links(self, links: Iterable[Link]) -> None:
        """Record links of one person, before they are stored: an interruption must not leave a link
        that no erasure finds. Those of a recipient without a person expire.
        """
        by_recipient: defaultdict[tuple[CampaignId, str], list[LinkId]] = defaultdict(list)
        for link in links:
            mark = link.definition.only_for
            if mark is not None and mark.expires is None:
                by_recipient[extract_campaign_id(link.id), mark.hash].append(link.id)
        written = int(self._clock())
        self._personal_records.add(
            [
                PersonalRecord(campaign=campaign, recipient=recipient, written=written, links=ids)
                for (campaign, recipient), ids in by_recipient.items()
            ]
        )

    def _put_link(self, link: Link) -> Item:
        """Store a link unless its id is taken. Return the item that owns the id."""
        item = link.to_item()
        try:
            with translate_dynamo_errors():
                self._client.put_item(
                    TableName=self._table, Item=item, ConditionExpression="attribute_not_exists(pk)"
                )
        except WriteConflict:
            return next(iter(batch_get(self._client, self._table, [link_key(link.id)])))
        return item

    def _share_link(self, link: Link, stored: Item) -> Item:
        """Return the item of a link; if another recipient has it too, remove the mark of the first
        one from it. An item of another identity is returned unchanged.
        """
        while (merged := _merge_definition(link.definition, stored)) is not None:
            try:
                with translate_dynamo_errors():
                    self._client.update_item(
                        TableName=self._table,
                        Key=link_key(link.id),
                        UpdateExpression="SET #url = :url REMOVE recipient, expires",
                        ConditionExpression="recipient = :recipient",
                        ExpressionAttributeNames={"#url": "url"},
                        ExpressionAttributeValues={
                            ":url": {"S": merged.url},
                            ":recipient": stored["recipient"],
                        },
                    )
            except WriteConflict:  # another writer shared it, or it was erased or has expired
                loaded = list(batch_get(self._client, self._table, [link_key(link.id)]))
                stored = loaded[0] if loaded else self._put_link(link)
            else:
                return replace(link, definition=merged).to_item()
        return stored


def _merge_definition(definition: LinkDefinition, stored: Item) -> LinkDefinition | None:
    """Return the merged definition of a stored link; None if it stays as it is."""
    if "recipient" not in stored or _get_owner_identity(stored) != definition.identity:
        return None
    try:
        known = Link.from_item(stored).definition
    except CorruptItem:
        return None
    merged = known.merge(definition)
    return None if merged == known else merged


def _get_owner_identity(link: Item) -> str:
    """Return a stored link's identity. A corrupt link owns its id all the same, so that messages
    continue under the next id.
    """
    try:
        return attributes.get_text(link, "identity")
    except CorruptItem as e:
        log_corrupt_item("link", e, link=parse_link_id(link))
        return _UNREADABLE_IDENTITY


def _campaign_key(campaign: CampaignId) -> Item:
    return attributes.build_item({"pk": campaign_partition(campaign), "sk": CAMPAIGN_SORT_KEY})


def _get_campaign_id(item: Item) -> CampaignId:
    return parse_campaign_partition(attributes.get_text(item, "pk"))
