"""Test the repositories of personal records, over DynamoDB and in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.click_factory import CAMPAIGN, make_link_id
from tests.dynamodb_tables import TemporaryTables
from waypost.composition import Repositories
from waypost.errors import CorruptItem, InvalidRequest, StoreUnavailable
from waypost.ids import derive_campaign_id, extract_workspace_id
from waypost.models.attributes import Item
from waypost.models.campaign import PersonalRecord
from waypost.repositories.dynamodb.client import batch_put
from waypost.repositories.pagination import encode_cursor

ACME = extract_workspace_id(CAMPAIGN)
ADA, BEN = "a" * 32, "b" * 32
RECORD = PersonalRecord(
    campaign=CAMPAIGN,
    recipient=ADA,
    written=1_795_000_000,
    links=[make_link_id("home"), make_link_id("shop")],
    destinations=["0" * 32],
    codes=["BCDFGHJKLMNP"],
)


def list_records(stores: Repositories, recipient: str = ADA) -> list[PersonalRecord]:
    page = stores.personal_records.list_by_recipient(ACME, recipient, cursor=None, limit=100)
    assert (page.cursor, page.corrupt_count) == (None, 0)
    return list(page.items)


def test_record_is_read_as_it_was_stored(stores: Repositories) -> None:
    empty = PersonalRecord(campaign=CAMPAIGN, recipient=BEN, written=1)
    stores.personal_records.add([RECORD, empty])
    assert list_records(stores) == [RECORD]
    assert [list(record.links) for record in list_records(stores, BEN)] == [[]]


def test_records_are_those_of_the_recipient_in_the_workspace(stores: Repositories) -> None:
    autumn = replace(RECORD, campaign=derive_campaign_id("acme", "autumn"))
    foreign = replace(RECORD, campaign=derive_campaign_id("globex", "spring-sale"))
    stores.personal_records.add([RECORD, autumn, foreign, replace(RECORD, recipient=BEN)])
    assert {record.campaign for record in list_records(stores)} == {CAMPAIGN, autumn.campaign}
    assert len(list_records(stores, BEN)) == 1
    assert list_records(stores, "c" * 32) == []


def test_record_with_the_same_content_replaces_itself(stores: Repositories) -> None:
    later = replace(RECORD, written=RECORD.written + 60)
    for record in (RECORD, later, replace(RECORD, links=[make_link_id("home")])):
        stores.personal_records.add([record])
    assert sorted((len(r.links), r.written) for r in list_records(stores)) == [
        (1, RECORD.written),
        (2, later.written),
    ]


def test_more_records_than_a_batch_are_stored_and_listed_page_by_page(stores: Repositories) -> None:
    records = [replace(RECORD, codes=[f"code-{n}"]) for n in range(60)]
    stores.personal_records.add([*records, records[0]])
    found: list[PersonalRecord] = []
    cursor = None
    while True:
        page = stores.personal_records.list_by_recipient(ACME, ADA, cursor=cursor, limit=25)
        found += page.items
        cursor = page.cursor
        if cursor is None:
            break
    assert sorted(str(record.codes) for record in found) == sorted(str(r.codes) for r in records)


def test_deleted_record_is_gone(stores: Repositories) -> None:
    stores.personal_records.add([RECORD])
    for _ in range(2):
        stores.personal_records.delete(RECORD)
    assert list_records(stores) == []


@pytest.mark.parametrize("cursor", ["!", encode_cursor("C"), encode_cursor("P#x")])
def test_invalid_cursor_is_rejected(stores: Repositories, cursor: str) -> None:
    with pytest.raises(InvalidRequest):
        stores.personal_records.list_by_recipient(ACME, ADA, cursor=cursor, limit=10)


@pytest.mark.parametrize(
    "change",
    [{"written": {"S": "x"}}, {"links": {"S": "x"}}, {"codes": {"L": [{"N": "1"}]}}],
)
def test_corrupt_record_is_counted(
    dynamodb_stores: Repositories, tables: TemporaryTables, change: dict[str, Any]
) -> None:
    tables.client.put_item(TableName=tables.campaigns, Item=RECORD.to_item() | change)
    page = dynamodb_stores.personal_records.list_by_recipient(ACME, ADA, cursor=None, limit=10)
    assert (list(page.items), page.corrupt_count) == ([], 1)
    with pytest.raises(CorruptItem):
        PersonalRecord.from_item(RECORD.to_item() | change)


class UnprocessedClient:
    """Leaves the last item of each request unprocessed, ``times`` times."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.stored: list[Any] = []

    def batch_write_item(self, *, RequestItems: Any) -> Any:  # noqa: N803
        (requests,) = RequestItems.values()
        self.times -= 1
        left = requests[-1:] if self.times >= 0 else []
        self.stored += [r["PutRequest"]["Item"] for r in requests if r not in left]
        return {"UnprocessedItems": {"t": left} if left else {}}


def test_unprocessed_items_are_put_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    items: list[Item] = [{"pk": {"S": str(n)}} for n in range(60)]
    client: Any = UnprocessedClient(times=4)
    batch_put(client, "t", items)
    assert sorted(str(item) for item in client.stored) == sorted(map(str, items))
    with pytest.raises(StoreUnavailable, match="unprocessed items"):
        batch_put(UnprocessedClient(times=1_000), "t", items)  # type: ignore[arg-type]
