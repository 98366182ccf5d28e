"""Links of campaigns in DynamoDB."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from waypost.errors import Conflict, MalformedItem
from waypost.ids import CampaignCode, LinkCode, link_code
from waypost.model.link import PREFIX, Link, LinkDefinition, code_of_item, link_key
from waypost.models import attributes
from waypost.models.attributes import Item
from waypost.models.campaign import campaign_partition
from waypost.repositories.corrupt_items import readable, tell_damaged
from waypost.repositories.dynamodb.client import DynamoClient, batch_get, pages, translated

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
