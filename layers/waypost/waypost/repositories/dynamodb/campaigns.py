"""Campaigns, links and figures in DynamoDB.

Links of campaigns in DynamoDB.

The list of a workspace's campaigns in DynamoDB, and their headline figures.

A campaign is listed by an item of its own, then marked as listed. What breaks off between the two,
or was noted before there was a list, is listed when it is next sent to: the item is the same
whoever writes it, since its key holds the time that the campaign was first seen.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from waypost.cache import Cache
from waypost.errors import AlreadyExists, CorruptItem, WriteConflict
from waypost.ids import CampaignId, LinkId, WorkspaceId, derive_campaign_id, derive_link_id
from waypost.models import attributes
from waypost.models.attributes import Item
from waypost.models.campaign import (
    CAMPAIGN_SORT_KEY,
    LINK_SORT_KEY_PREFIX,
    Campaign,
    Link,
    LinkDefinition,
    campaign_list_partition,
    campaign_partition,
    link_key,
    parse_campaign_partition,
    parse_link_id,
    parse_list_key,
)
from waypost.models.campaign import CAMPAIGN_SORT_KEY as CAMPAIGN
from waypost.models.counters import SENT_COUNTER, TOTAL_COUNTER, CampaignCounts, delivery_figures
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
    load_counts,
    parse_counter,
    scan_links_by_key,
)
from waypost.repositories.pagination import Page, encode_cursor, parse_cursor

_MAX_CACHED_LINKS: Final = 20_000
_UNREADABLE_IDENTITY: Final = "nobody's"
"""No identity: those begin with what they are of, and a colon."""


class DynamoLinkRepository:
    """Links. Remembers those that it has seen stored, so that a mailing's batches neither read nor
    write them again.
    """

    def __init__(self, client: DynamoClient, table: str) -> None:
        self._client = client
        self._table = table
        self._link_ids = Cache[tuple[CampaignId, str], LinkId](_MAX_CACHED_LINKS)

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
        keys = [link_key(code) for code in set(link_ids)]
        stored = batch_get(self._client, self._table, keys, consistent=False)
        return {link.id: link for link in skip_corrupt_items("link", Link.from_item, stored)}

    def _assign_ids(
        self,
        campaign: CampaignId,
        pending: Mapping[str, LinkDefinition],
        attempt: int,
        now: datetime,
    ) -> dict[str, LinkId]:
        """Store links under the ids of this attempt. Return those that no other identity owns."""
        ids = {identity: derive_link_id(campaign, identity, attempt) for identity in pending}
        keys = [link_key(link_id) for link_id in set(ids.values())]
        stored = batch_get(self._client, self._table, keys, consistent=False)
        owners = {parse_link_id(link): _get_owner_identity(link) for link in stored}
        assigned = {}
        for identity, definition in pending.items():
            link_id = ids[identity]
            owner = owners.get(link_id) or self._put_link(Link(link_id, definition, now))
            owners[link_id] = owner
            if owner == identity:
                assigned[identity] = link_id
                self._link_ids.set((campaign, identity), link_id)
        return assigned

    def _put_link(self, link: Link) -> str:
        """Store a link unless its code is taken; the identity that owns the code."""
        try:
            with translate_dynamo_errors():
                self._client.put_item(
                    TableName=self._table,
                    Item=link.to_item(),
                    ConditionExpression="attribute_not_exists(pk)",
                )
        except WriteConflict:
            found = batch_get(self._client, self._table, [link_key(link.id)])
            return next(map(_get_owner_identity, found))
        return link.definition.identity


def _get_owner_identity(stored: Item) -> str:
    """The identity that a stored link has. One that cannot be read has the code all the same, so
    that messages go on under the next.
    """
    try:
        return attributes.get_text(stored, "identity")
    except CorruptItem as why:
        log_corrupt_item("link", why, link=parse_link_id(stored))
        return _UNREADABLE_IDENTITY


_HEADLINE_SORT_KEYS: Final = (
    f"{COUNTER_SORT_KEY_PREFIX}{SENT_COUNTER}",
    f"{COUNTER_SORT_KEY_PREFIX}{TOTAL_COUNTER}",
)


def add_to_list(client: DynamoClient, table: str, campaign: Campaign) -> None:
    """List a campaign, and mark it as listed. Safe to repeat."""
    with translate_dynamo_errors():
        client.put_item(TableName=table, Item=campaign.to_list_item())
        client.update_item(
            TableName=table,
            Key=attributes.build_item({"pk": campaign_partition(campaign.id), "sk": CAMPAIGN}),
            UpdateExpression="SET listed = :true",
            ExpressionAttributeValues={":true": {"BOOL": True}},
        )


def load_campaign_page(
    client: DynamoClient, table: str, workspace: WorkspaceId, cursor: str | None, limit: int
) -> Page[Campaign]:
    """A page of a workspace's campaigns that can be read, newest first."""
    listed = _query_list_page(client, table, workspace, cursor, limit)
    read = skip_corrupt_items("campaign", Campaign.from_item, listed.items, workspace=workspace)
    return Page(list(read), listed.cursor)


def load_campaign_id_page(
    client: DynamoClient, table: str, workspace: WorkspaceId, cursor: str | None, limit: int
) -> Page[CampaignId]:
    """The same of their codes, which their keys tell."""
    listed = _query_list_page(client, table, workspace, cursor, limit)
    return Page(
        [parse_list_key(attributes.get_text(one, "sk")) for one in listed.items], listed.cursor
    )


def _query_list_page(
    client: DynamoClient, table: str, workspace: WorkspaceId, cursor: str | None, limit: int
) -> Page[Item]:
    partition = campaign_list_partition(workspace)
    start = {}
    if cursor is not None:
        key = attributes.build_item(
            {"pk": partition, "sk": parse_cursor(cursor, CAMPAIGN_LIST_KEY_PATTERN)}
        )
        start = {"ExclusiveStartKey": key}
    with translate_dynamo_errors():
        answer = client.query(
            TableName=table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": partition}},
            ScanIndexForward=False,
            ConsistentRead=True,
            Limit=limit,
            **start,
        )
    last = answer.get("LastEvaluatedKey")
    return Page(answer["Items"], encode_cursor(attributes.get_text(last, "sk")) if last else None)


def scan_missing_from_list(client: DynamoClient, table: str) -> Iterator[Campaign]:
    """Campaigns without the mark that can be read. Reads the whole table."""
    stored = scan_all(
        client,
        table,
        FilterExpression="sk = :campaign AND attribute_exists(first_seen)"
        " AND attribute_not_exists(listed)",
        ExpressionAttributeValues={":campaign": {"S": CAMPAIGN}},
    )
    return skip_corrupt_items("campaign", Campaign.from_item, stored)


def load_headline_counts(
    client: DynamoClient, table: str, campaigns: Collection[CampaignId]
) -> dict[CampaignId, CampaignCounts]:
    """Three items a campaign, and 30 more of one whose counters are spread. Campaigns are left out
    of which a counter cannot be read.
    """
    sorts = (CAMPAIGN, *_HEADLINE_SORT_KEYS)
    keys = [
        _campaign_item_key(campaign_partition(code), sort) for code in campaigns for sort in sorts
    ]
    found = list(batch_get(client, table, keys, consistent=False))
    spread = {
        parse_campaign_partition(attributes.get_text(one, "pk")) for one in found if "spread" in one
    }
    further = [
        _campaign_item_key(campaign_partition(code, shard), sort)
        for code in spread
        for shard in range(1, COUNTER_SHARDS)
        for sort in _HEADLINE_SORT_KEYS
    ]
    found += batch_get(client, table, further, consistent=False)
    counters: dict[CampaignId, list[tuple[str, dict[str, int]]]] = {c: [] for c in campaigns}
    damaged: set[CampaignId] = set()
    for stored in found:
        code = parse_campaign_partition(attributes.get_text(stored, "pk"))
        if attributes.get_text(stored, "sk") == CAMPAIGN:
            continue
        try:
            counters[code].append(parse_counter(stored))
        except CorruptItem:  # told by then
            damaged.add(code)
    return {
        code: CampaignCounts.from_counters(n) for code, n in counters.items() if code not in damaged
    }


def _campaign_item_key(partition: str, sort: str) -> Item:
    return attributes.build_item({"pk": partition, "sk": sort})


class DynamoCampaignRepository:
    """``waypost.repositories.campaigns.CampaignStore``. ``clock`` gives seconds since 1970."""

    def __init__(
        self, client: DynamoClient, table: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._client = client
        self._table = table
        self._delivery_counter = DeliveryCounter(client, table, clock)
        self._link_repository = DynamoLinkRepository(client, table)

    def get_or_create(
        self, workspace: str, campaign: str, *, kind: str, channel: str, now: datetime
    ) -> CampaignId:
        code = derive_campaign_id(workspace, campaign)
        stored = self.get(code)
        if stored is None:
            new = Campaign(
                workspace=workspace, name=campaign, kind=kind, channel=channel, first_seen=now
            )
            stored = self._create(new)
        if (stored.workspace, stored.name) != (workspace, campaign):
            raise AlreadyExists("campaign", campaign, "its code belongs to another name")
        if not stored.is_listed:
            add_to_list(self._client, self._table, stored)
        return code

    def get(self, campaign: CampaignId) -> Campaign | None:
        stored = self._load_item(campaign)
        if "campaign" not in stored:  # the mark of a spread one may be there before it
            return None
        with report_corrupt_item("campaign", f"campaign {campaign}", campaign=campaign):
            return Campaign.from_item(stored)

    def define_links(
        self, campaign: CampaignId, links: Sequence[LinkDefinition], now: datetime
    ) -> list[LinkId]:
        return self._link_repository.define_links(campaign, links, now)

    def add_deliveries(
        self,
        campaign: CampaignId,
        deliveries: int,
        idempotency_key: str | None,
        links_by_key: Mapping[str, int] | None = None,
    ) -> bool:
        figures = delivery_figures(deliveries, links_by_key)
        return self._delivery_counter.add(campaign, figures, idempotency_key)

    def list_links(self, campaign: CampaignId) -> list[Link]:
        return self._link_repository.list_links(campaign)

    def find_links(self, link_ids: Collection[LinkId]) -> dict[LinkId, Link]:
        return self._link_repository.find_links(link_ids)

    def get_counts(self, campaign: CampaignId) -> CampaignCounts:
        spread = "spread" in self._load_item(campaign)
        return load_counts(self._client, self._table, campaign, is_sharded=spread)

    def count_links_by_key(self, fingerprint: str) -> dict[CampaignId, int]:
        return scan_links_by_key(self._client, self._table, fingerprint)

    def list_by_workspace(
        self, workspace: WorkspaceId, *, cursor: str | None, limit: int
    ) -> Page[Campaign]:
        return load_campaign_page(self._client, self._table, workspace, cursor, limit)

    def list_ids_by_workspace(
        self, workspace: WorkspaceId, *, cursor: str | None, limit: int
    ) -> Page[CampaignId]:
        return load_campaign_id_page(self._client, self._table, workspace, cursor, limit)

    def get_headline_counts(
        self, campaigns: Collection[CampaignId]
    ) -> dict[CampaignId, CampaignCounts]:
        return load_headline_counts(self._client, self._table, campaigns)

    def backfill_list(self) -> int:
        found = list(scan_missing_from_list(self._client, self._table))
        for campaign in found:
            add_to_list(self._client, self._table, campaign)
        return len(found)

    def _load_item(self, campaign: CampaignId) -> Item:
        key = attributes.build_item({"pk": campaign_partition(campaign), "sk": CAMPAIGN_SORT_KEY})
        with translate_dynamo_errors():
            answer = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        stored: Item = answer.get("Item", {})
        return stored

    def _create(self, campaign: Campaign) -> Campaign:
        """Store a campaign, or read the one that another writer stored first.

        An update, not a put: the item may carry the mark of a spread campaign already.
        """
        values = {n: v for n, v in campaign.to_item().items() if n not in {"pk", "sk"}}
        try:
            with translate_dynamo_errors():
                self._client.update_item(
                    TableName=self._table,
                    Key=attributes.build_item(
                        {"pk": campaign_partition(campaign.id), "sk": CAMPAIGN_SORT_KEY}
                    ),
                    UpdateExpression="SET " + ", ".join(f"#{n} = :{n}" for n in values),
                    ConditionExpression="attribute_not_exists(#campaign)",
                    ExpressionAttributeNames={f"#{n}": n for n in values},
                    ExpressionAttributeValues={f":{n}": v for n, v in values.items()},
                )
        except WriteConflict:
            return self.get(campaign.id) or campaign
        return campaign
