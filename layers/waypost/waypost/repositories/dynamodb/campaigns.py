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

from waypost.errors import Clash, Conflict, MalformedItem
from waypost.ids import CampaignCode, LinkCode, WorkspaceCode, campaign_code, link_code
from waypost.models import attributes
from waypost.models.attributes import Item
from waypost.models.campaign import (
    PREFIX,
    SORT,
    Campaign,
    Link,
    LinkDefinition,
    campaign_of_partition,
    campaign_partition,
    code_of_item,
    code_of_place,
    link_key,
    list_partition,
)
from waypost.models.campaign import SORT as CAMPAIGN
from waypost.models.counters import SENT, TOTAL, CampaignCounts, sent_figures
from waypost.repositories.campaigns import PLACES
from waypost.repositories.corrupt_items import readable, tell_damaged, telling
from waypost.repositories.dynamodb.client import DynamoClient, batch_get, pages, scan, translated
from waypost.repositories.dynamodb.counters import (
    SHARD_PREFIX,
    SHARDS,
    SentCounter,
    figures_of,
    read_counts,
    read_signed,
)
from waypost.repositories.pagination import Page, read_place, write_cursor

_REMEMBERED: Final = 20_000
_NOBODYS: Final = "nobody's"
"""No identity: those begin with what they are of, and a colon."""


class DynamoLinks:
    """Links. Remembers those that it has seen stored, so that a mailing's batches neither read nor
    write them again.
    """

    def __init__(self, client: DynamoClient, table: str) -> None:
        self._client = client
        self._table = table
        self._known: dict[tuple[CampaignCode, str], LinkCode] = {}

    def define(
        self, campaign: CampaignCode, links: Sequence[LinkDefinition], now: datetime
    ) -> list[LinkCode]:
        if len(self._known) > _REMEMBERED:
            self._known.clear()
        waiting = {
            link.identity: link for link in links if (campaign, link.identity) not in self._known
        }
        attempt = 0
        while waiting:
            waiting = self._define(campaign, waiting, attempt, now)
            attempt += 1
        return [self._known[campaign, link.identity] for link in links]

    def of_campaign(self, campaign: CampaignCode) -> list[Link]:
        stored = pages(
            self._client,
            self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :links)",
            ExpressionAttributeValues={
                ":pk": {"S": campaign_partition(campaign)},
                ":links": {"S": PREFIX},
            },
        )
        return list(readable("link", Link.from_item, stored, campaign=campaign))

    def find(self, codes: Collection[LinkCode]) -> dict[LinkCode, Link]:
        keys = [link_key(code) for code in set(codes)]
        stored = batch_get(self._client, self._table, keys, consistent=False)
        return {link.code: link for link in readable("link", Link.from_item, stored)}

    def _define(
        self,
        campaign: CampaignCode,
        waiting: dict[str, LinkDefinition],
        attempt: int,
        now: datetime,
    ) -> dict[str, LinkDefinition]:
        """Note links under their next codes; those whose code is another identity's are left."""
        codes = {identity: link_code(campaign, identity, attempt) for identity in waiting}
        keys = [link_key(code) for code in set(codes.values())]
        stored = batch_get(self._client, self._table, keys, consistent=False)
        owners = {code_of_item(link): _owner(link) for link in stored}
        left = {}
        for identity, definition in waiting.items():
            code = codes[identity]
            owner = owners.get(code) or self._put_link(Link(code, definition, now))
            owners[code] = owner
            if owner == identity:
                self._known[campaign, identity] = code
            else:
                left[identity] = definition
        return left

    def _put_link(self, link: Link) -> str:
        """Store a link unless its code is taken; the identity that owns the code."""
        try:
            with translated():
                self._client.put_item(
                    TableName=self._table,
                    Item=link.to_item(),
                    ConditionExpression="attribute_not_exists(pk)",
                )
        except Conflict:
            found = batch_get(self._client, self._table, [link_key(link.code)])
            return next(map(_owner, found))
        return link.definition.identity


def _owner(stored: Item) -> str:
    """The identity that a stored link has. One that cannot be read has the code all the same, so
    that messages go on under the next.
    """
    try:
        return attributes.text(stored, "identity")
    except MalformedItem as why:
        tell_damaged("link", why, link=code_of_item(stored))
        return _NOBODYS


_HEADLINES: Final = (f"{SHARD_PREFIX}{SENT}", f"{SHARD_PREFIX}{TOTAL}")


def put_on_list(client: DynamoClient, table: str, campaign: Campaign) -> None:
    """List a campaign, and mark it as listed. Safe to repeat."""
    with translated():
        client.put_item(TableName=table, Item=campaign.to_list_item())
        client.update_item(
            TableName=table,
            Key=attributes.item({"pk": campaign_partition(campaign.code), "sk": CAMPAIGN}),
            UpdateExpression="SET listed = :true",
            ExpressionAttributeValues={":true": {"BOOL": True}},
        )


def read_list(
    client: DynamoClient, table: str, workspace: WorkspaceCode, cursor: str | None, limit: int
) -> Page[Campaign]:
    """A page of a workspace's campaigns that can be read, newest first."""
    listed = _listed(client, table, workspace, cursor, limit)
    read = readable("campaign", Campaign.from_item, listed.items, workspace=workspace)
    return Page(list(read), listed.cursor)


def read_codes(
    client: DynamoClient, table: str, workspace: WorkspaceCode, cursor: str | None, limit: int
) -> Page[CampaignCode]:
    """The same of their codes, which their keys tell."""
    listed = _listed(client, table, workspace, cursor, limit)
    return Page([code_of_place(attributes.text(one, "sk")) for one in listed.items], listed.cursor)


def _listed(
    client: DynamoClient, table: str, workspace: WorkspaceCode, cursor: str | None, limit: int
) -> Page[Item]:
    partition = list_partition(workspace)
    start = {}
    if cursor is not None:
        key = attributes.item({"pk": partition, "sk": read_place(cursor, PLACES)})
        start = {"ExclusiveStartKey": key}
    with translated():
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
    return Page(answer["Items"], write_cursor(attributes.text(last, "sk")) if last else None)


def unlisted(client: DynamoClient, table: str) -> Iterator[Campaign]:
    """Campaigns without the mark that can be read. Reads the whole table."""
    stored = scan(
        client,
        table,
        FilterExpression="sk = :campaign AND attribute_exists(first_seen)"
        " AND attribute_not_exists(listed)",
        ExpressionAttributeValues={":campaign": {"S": CAMPAIGN}},
    )
    return readable("campaign", Campaign.from_item, stored)


def read_headlines(
    client: DynamoClient, table: str, campaigns: Collection[CampaignCode]
) -> dict[CampaignCode, CampaignCounts]:
    """Three items a campaign, and 30 more of one whose counters are spread. Campaigns are left out
    of which a counter cannot be read.
    """
    sorts = (CAMPAIGN, *_HEADLINES)
    keys = [_key(campaign_partition(code), sort) for code in campaigns for sort in sorts]
    found = list(batch_get(client, table, keys, consistent=False))
    spread = {campaign_of_partition(attributes.text(one, "pk")) for one in found if "spread" in one}
    further = [
        _key(campaign_partition(code, shard), sort)
        for code in spread
        for shard in range(1, SHARDS)
        for sort in _HEADLINES
    ]
    found += batch_get(client, table, further, consistent=False)
    counters: dict[CampaignCode, list[tuple[str, dict[str, int]]]] = {c: [] for c in campaigns}
    damaged: set[CampaignCode] = set()
    for stored in found:
        code = campaign_of_partition(attributes.text(stored, "pk"))
        if attributes.text(stored, "sk") == CAMPAIGN:
            continue
        try:
            counters[code].append(figures_of(stored))
        except MalformedItem:  # told by then
            damaged.add(code)
    return {code: CampaignCounts.of(n) for code, n in counters.items() if code not in damaged}


def _key(partition: str, sort: str) -> Item:
    return attributes.item({"pk": partition, "sk": sort})


class DynamoCampaigns:
    """``waypost.repositories.campaigns.CampaignStore``. ``clock`` gives seconds since 1970."""

    def __init__(
        self, client: DynamoClient, table: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._client = client
        self._table = table
        self._sent = SentCounter(client, table, clock)
        self._links = DynamoLinks(client, table)

    def open(
        self, workspace: str, campaign: str, *, kind: str, channel: str, now: datetime
    ) -> CampaignCode:
        code = campaign_code(workspace, campaign)
        stored = self.campaign(code)
        if stored is None:
            new = Campaign(
                workspace=workspace, name=campaign, kind=kind, channel=channel, first_seen=now
            )
            stored = self._note(new)
        if (stored.workspace, stored.name) != (workspace, campaign):
            raise Clash("campaign", campaign, "its code belongs to another name")
        if not stored.listed:
            put_on_list(self._client, self._table, stored)
        return code

    def campaign(self, campaign: CampaignCode) -> Campaign | None:
        stored = self._item(campaign)
        if "campaign" not in stored:  # the mark of a spread one may be there before it
            return None
        with telling("campaign", f"campaign {campaign}", campaign=campaign):
            return Campaign.from_item(stored)

    def define_links(
        self, campaign: CampaignCode, links: Sequence[LinkDefinition], now: datetime
    ) -> list[LinkCode]:
        return self._links.define(campaign, links, now)

    def add_sent(
        self,
        campaign: CampaignCode,
        deliveries: int,
        idempotency_key: str | None,
        signed: Mapping[str, int] | None = None,
    ) -> bool:
        figures = sent_figures(deliveries, signed)
        return self._sent.count(campaign, figures, idempotency_key)

    def links(self, campaign: CampaignCode) -> list[Link]:
        return self._links.of_campaign(campaign)

    def find_links(self, codes: Collection[LinkCode]) -> dict[LinkCode, Link]:
        return self._links.find(codes)

    def counts(self, campaign: CampaignCode) -> CampaignCounts:
        spread = "spread" in self._item(campaign)
        return read_counts(self._client, self._table, campaign, spread=spread)

    def signed(self, fingerprint: str) -> dict[CampaignCode, int]:
        return read_signed(self._client, self._table, fingerprint)

    def of_workspace(
        self, workspace: WorkspaceCode, *, cursor: str | None, limit: int
    ) -> Page[Campaign]:
        return read_list(self._client, self._table, workspace, cursor, limit)

    def codes_of_workspace(
        self, workspace: WorkspaceCode, *, cursor: str | None, limit: int
    ) -> Page[CampaignCode]:
        return read_codes(self._client, self._table, workspace, cursor, limit)

    def headlines(self, campaigns: Collection[CampaignCode]) -> dict[CampaignCode, CampaignCounts]:
        return read_headlines(self._client, self._table, campaigns)

    def list_known(self) -> int:
        found = list(unlisted(self._client, self._table))
        for campaign in found:
            put_on_list(self._client, self._table, campaign)
        return len(found)

    def _item(self, campaign: CampaignCode) -> Item:
        key = attributes.item({"pk": campaign_partition(campaign), "sk": SORT})
        with translated():
            answer = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        stored: Item = answer.get("Item", {})
        return stored

    def _note(self, campaign: Campaign) -> Campaign:
        """Store a campaign, or read the one that another writer stored first.

        An update, not a put: the item may carry the mark of a spread campaign already.
        """
        values = {n: v for n, v in campaign.to_item().items() if n not in {"pk", "sk"}}
        try:
            with translated():
                self._client.update_item(
                    TableName=self._table,
                    Key=attributes.item({"pk": campaign_partition(campaign.code), "sk": SORT}),
                    UpdateExpression="SET " + ", ".join(f"#{n} = :{n}" for n in values),
                    ConditionExpression="attribute_not_exists(#campaign)",
                    ExpressionAttributeNames={f"#{n}": n for n in values},
                    ExpressionAttributeValues={f":{n}": v for n, v in values.items()},
                )
        except Conflict:
            return self.campaign(campaign.code) or campaign
        return campaign
