"""Campaigns, links and figures in DynamoDB."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from waypost.errors import Clash, Conflict
from waypost.ids import CampaignCode, LinkCode, WorkspaceCode, campaign_code
from waypost.model.link import Link, LinkDefinition
from waypost.models import attributes
from waypost.models.attributes import Item
from waypost.models.campaign import SORT, Campaign, campaign_partition
from waypost.models.counters import CampaignCounts, sent_figures
from waypost.repositories.corrupt_items import telling
from waypost.repositories.dynamodb.client import DynamoClient, translated
from waypost.repositories.dynamodb.counters import read_counts, read_signed
from waypost.repositories.pagination import Page
from waypost.store.dynamodb.links import DynamoLinks
from waypost.store.dynamodb.listing import (
    put_on_list,
    read_codes,
    read_headlines,
    read_list,
    unlisted,
)
from waypost.store.dynamodb.sent import SentCounter


class DynamoCampaigns:
    """``waypost.store.campaigns.CampaignStore``. ``clock`` gives seconds since 1970."""

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
