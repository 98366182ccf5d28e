"""The list of a workspace's campaigns in DynamoDB, and their headline figures.

A campaign is listed by an item of its own, then marked as listed. What breaks off between the two,
or was noted before there was a list, is listed when it is next sent to: the item is the same
whoever writes it, since its key holds the time that the campaign was first seen.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from waypost.errors import MalformedItem
from waypost.ids import CampaignCode, WorkspaceCode
from waypost.models import attributes
from waypost.models.attributes import Item
from waypost.models.campaign import SORT as CAMPAIGN
from waypost.models.campaign import (
    Campaign,
    campaign_of_partition,
    campaign_partition,
    code_of_place,
    list_partition,
)
from waypost.models.counters import SENT, TOTAL, CampaignCounts
from waypost.repositories.campaigns import PLACES
from waypost.repositories.corrupt_items import readable
from waypost.repositories.dynamodb.client import DynamoClient, batch_get, scan, translated
from waypost.repositories.dynamodb.counters import SHARD_PREFIX, SHARDS, figures_of
from waypost.repositories.pagination import Page, read_place, write_cursor

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
