"""Campaigns, links and figures in DynamoDB."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final

from waypost.codes import (
    CampaignCode,
    LinkCode,
    WorkspaceCode,
    campaign_code,
    link_code,
    workspace_of,
)
from waypost.errors import Clash, Conflict
from waypost.model import item
from waypost.model.campaign import SORT, Campaign, campaign_partition
from waypost.model.counters import SENT, CampaignCounts, sent_figures
from waypost.model.item import Item
from waypost.model.link import PREFIX, Link, LinkDefinition, link_key
from waypost.store.dynamodb.client import (
    DynamoClient,
    batch_get,
    cancellations,
    pages,
    translated,
)
from waypost.store.dynamodb.listing import put_on_list, read_headlines, read_list, unlisted
from waypost.store.dynamodb.spread import CounterShards, add_figures, read_counts, read_signed
from waypost.store.paging import Page

IDEMPOTENCY_SECONDS: Final = 7 * 86_400
"""How long a key is remembered: longer than any pipeline retries a batch."""
_REMEMBERED: Final = 20_000
_ATTEMPTS: Final = 5


class DynamoCampaigns:
    """``waypost.store.campaigns.CampaignStore``. Remembers what it has seen stored, so that a
    mailing's batches neither read nor write its campaign and links again.
    """

    def __init__(self, client: DynamoClient, table: str) -> None:
        self._client = client
        self._table = table
        self._shards = CounterShards(client, table)
        self._links: dict[tuple[CampaignCode, str], LinkCode] = {}

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
        return Campaign.from_item(stored) if "campaign" in stored else None

    def define_links(
        self, campaign: CampaignCode, links: Sequence[LinkDefinition], now: datetime
    ) -> list[LinkCode]:
        if len(self._links) > _REMEMBERED:
            self._links.clear()
        waiting = {
            link.identity: link for link in links if (campaign, link.identity) not in self._links
        }
        attempt = 0
        while waiting:
            waiting = self._define(campaign, waiting, attempt, now)
            attempt += 1
        return [self._links[campaign, link.identity] for link in links]

    def add_sent(
        self,
        campaign: CampaignCode,
        deliveries: int,
        idempotency_key: str | None,
        signed: Mapping[str, int] | None = None,
    ) -> bool:
        figures = sent_figures(deliveries, signed)
        for attempt in range(_ATTEMPTS):
            try:
                self._add_sent(campaign, figures, idempotency_key)
            except Conflict as conflict:
                if "ConditionalCheckFailed" in cancellations(conflict):
                    return False
                if attempt == _ATTEMPTS - 1:
                    raise
                self._shards.move(campaign)
            else:
                break
        return True

    def links(self, campaign: CampaignCode) -> list[Link]:
        stored = pages(
            self._client,
            self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :links)",
            ExpressionAttributeValues={
                ":pk": {"S": campaign_partition(campaign)},
                ":links": {"S": PREFIX},
            },
        )
        return [Link.from_item(link) for link in stored]

    def find_links(self, codes: Collection[LinkCode]) -> dict[LinkCode, Link]:
        keys = [link_key(code) for code in set(codes)]
        stored = batch_get(self._client, self._table, keys, consistent=False)
        return {link.code: link for link in map(Link.from_item, stored)}

    def counts(self, campaign: CampaignCode) -> CampaignCounts:
        spread = "spread" in self._item(campaign)
        return read_counts(self._client, self._table, campaign, spread=spread)

    def signed(self, fingerprint: str) -> dict[CampaignCode, int]:
        return read_signed(self._client, self._table, fingerprint)

    def of_workspace(
        self, workspace: WorkspaceCode, *, cursor: str | None, limit: int
    ) -> Page[Campaign]:
        return read_list(self._client, self._table, workspace, cursor, limit)

    def headlines(self, campaigns: Collection[CampaignCode]) -> dict[CampaignCode, CampaignCounts]:
        return read_headlines(self._client, self._table, campaigns)

    def list_known(self) -> int:
        found = list(unlisted(self._client, self._table))
        for campaign in found:
            put_on_list(self._client, self._table, campaign)
        return len(found)

    def _item(self, campaign: CampaignCode) -> Item:
        key = item.item({"pk": campaign_partition(campaign), "sk": SORT})
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
                    Key=item.item({"pk": campaign_partition(campaign.code), "sk": SORT}),
                    UpdateExpression="SET " + ", ".join(f"#{n} = :{n}" for n in values),
                    ConditionExpression="attribute_not_exists(#campaign)",
                    ExpressionAttributeNames={f"#{n}": n for n in values},
                    ExpressionAttributeValues={f":{n}": v for n, v in values.items()},
                )
        except Conflict:
            return self.campaign(campaign.code) or campaign
        return campaign

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
        stored = map(Link.from_item, batch_get(self._client, self._table, keys, consistent=False))
        owners = {link.code: link.definition.identity for link in stored}
        left = {}
        for identity, definition in waiting.items():
            code = codes[identity]
            owner = owners.get(code) or self._put_link(Link(code, definition, now))
            owners[code] = owner
            if owner == identity:
                self._links[campaign, identity] = code
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
            return next(Link.from_item(stored).definition.identity for stored in found)
        return link.definition.identity

    def _add_sent(
        self, campaign: CampaignCode, figures: Mapping[str, int], idempotency_key: str | None
    ) -> None:
        partition = self._shards.partition(campaign)
        update = add_figures(self._table, partition, SENT, figures)
        if idempotency_key is None:
            with translated():
                self._client.update_item(**update)
            return
        put = {
            "TableName": self._table,
            "Item": _idempotency_item(campaign, idempotency_key, int(time.time())),
            "ConditionExpression": "attribute_not_exists(pk)",
        }
        with translated():
            self._client.transact_write_items(TransactItems=[{"Put": put}, {"Update": update}])


def _idempotency_item(campaign: CampaignCode, key: str, now: int) -> Item:
    digest = sha256(f"{campaign}\n{key}".encode()).hexdigest()
    partition = f"I#{workspace_of(campaign)}#{digest}"
    return item.item({"pk": partition, "sk": "I", "expires": now + IDEMPOTENCY_SECONDS})
