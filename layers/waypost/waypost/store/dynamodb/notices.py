"""Events that are not told yet, beside the rows that they were counted in, in DynamoDB."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from waypost.errors import MalformedItem
from waypost.ids import CampaignCode
from waypost.model.row_key import SHARDS, recipient_partition
from waypost.models import attributes
from waypost.models.attributes import Item
from waypost.repositories.corrupt_items import tell_damaged
from waypost.repositories.dynamodb.client import DynamoClient, batch_get, translated
from waypost.repositories.recipients import Notice

_HASH_BYTES: Final = 8


def read_notices(
    client: DynamoClient, table: str, campaign: CampaignCode, batches: Collection[int]
) -> Mapping[int, frozenset[bytes]]:
    """Of these batches, the clicks whose events are not told yet."""
    keys = [_key(campaign, batch) for batch in set(batches)]
    found = {}
    for stored in batch_get(client, table, keys):
        try:
            found[int(attributes.text(stored, "sk")[1:])] = _clicks(
                attributes.data(stored, "clicks", None)
            )
        except MalformedItem as why:
            tell_damaged("notice", why, campaign=campaign)
    return found


def write_notice(client: DynamoClient, table: str, notice: Notice) -> None:
    """Keep what is left to tell; nothing left: the notice goes."""
    with translated():
        if notice.clicks:
            client.put_item(TableName=table, Item=notice_item(notice))
        else:
            client.delete_item(TableName=table, Key=_key(notice.campaign, notice.batch))


def notice_item(notice: Notice) -> Item:
    packed = b"".join(sorted(notice.clicks))
    return _key(notice.campaign, notice.batch) | attributes.item({"clicks": packed})


def _clicks(packed: bytes) -> frozenset[bytes]:
    if len(packed) % _HASH_BYTES:
        raise MalformedItem("the clicks of a notice are cut")
    return frozenset(packed[i : i + _HASH_BYTES] for i in range(0, len(packed), _HASH_BYTES))


def _key(campaign: CampaignCode, batch: int) -> Item:
    shard = batch % SHARDS
    return attributes.item({"pk": recipient_partition(campaign, shard), "sk": f"!{batch}"})
