"""Corrupt items of one recipient do not stop the counting of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.click_factory import CAMPAIGN, NOON, make_click, make_link_id
from tests.contract.item_changes import change_attributes
from tests.dynamodb_tables import TemporaryTables
from tests.tally_factory import create_tally
from waypost.composition import Repositories
from waypost.errors import CorruptItem, CorruptItemSet
from waypost.ids import derive_campaign_id, derive_workspace_id
from waypost.maintenance.recount import RecountService
from waypost.models.recipient import COUNTED_CLICK_BYTES, MAX_INLINE_CLICKS, RecipientKey
from waypost.privacy.erasure import Erasure
from waypost.tally.event_publisher import ClickWithVerdict

ACME = derive_workspace_id("acme")
OTHER = derive_campaign_id("globex", "autumn")
KEY = RecipientKey(CAMPAIGN, "p:p1")

FAR = b"\xff" * 8


@pytest.fixture
def stores(dynamodb_stores: Repositories) -> Repositories:
    """Use DynamoDB only: the repository in memory has no items that could be corrupt."""
    return dynamodb_stores


ROWS: list[dict[str, Any]] = [
    {"marks": {"S": "x"}},
    {"marks": {"B": b"cut"}},
    {"marks": {"B": b"\x01" * 12 + FAR + b"\x01" * (COUNTED_CLICK_BYTES - 20)}},
    {"marks": None},
    {"links": {"L": []}},
    {"links": {"B": b"\x01" * 12 + FAR * 2}},
    {"deliveries": None},
    {"version": {"S": "2"}},
    {"version": {"N": "0"}},
    {"version": {"BOOL": True}},
    {"human": None},
    {"first": {"NULL": True}},
]


@pytest.mark.parametrize("damage", ROWS)
def test_corrupt_row_does_not_stop_counting_of_other_recipients(
    stores: Repositories, tables: TemporaryTables, damage: dict[str, Any],
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    tally = create_tally(stores)
    tally.count_clicks([make_click("a")])
    change_attributes(tables, tables.campaigns, KEY.to_attributes(), **damage)
    made = [
        make_click("b", after=60),
        make_click("c", person="p2"),
        make_click("d", campaign=OTHER),
    ]
    counted = tally.count_clicks(made)
    assert (counted.new_count, counted.failed_ids, counted.conflict_count) == (2, {"b"}, 0)
    assert stores.campaigns.get_counts(CAMPAIGN).total.people == 2
    assert stores.campaigns.get_counts(OTHER).total.people == 1
    told = vars(caplog.records[0])
    assert (told["row"], told["campaign"]) == ("recipient", CAMPAIGN)
    assert "p:p1" not in str([vars(record) for record in caplog.records])
    assert '"RowDamaged":1' in capsys.readouterr().out


def test_clicks_of_a_corrupt_row_are_counted_after_its_repair(
    stores: Repositories, tables: TemporaryTables
) -> None:
    tally = create_tally(stores)
    tally.count_clicks([make_click("a")])
    whole = tables.client.get_item(TableName=tables.campaigns, Key=KEY.to_attributes())["Item"]
    change_attributes(tables, tables.campaigns, KEY.to_attributes(), marks=None)
    assert tally.count_clicks([make_click("b", after=60)]).failed_ids == {"b"}
    tables.client.put_item(TableName=tables.campaigns, Item=whole)
    assert tally.count_clicks([make_click("a"), make_click("b", after=60)]).new_count == 1
    assert stores.campaigns.get_counts(CAMPAIGN).total.total == 2


def test_corrupt_overflow_item_does_not_stop_counting_of_other_recipients(
    stores: Repositories, tables: TemporaryTables
) -> None:
    tally = create_tally(stores)
    tally.count_clicks([make_click(f"c{n}", after=n * 0.1) for n in range(MAX_INLINE_CLICKS + 5)])
    [sheet] = stores.recipients.list_overflow_items(KEY)
    change_attributes(tables, tables.campaigns, sheet.key.to_attributes(), marks={"B": b"cut"})
    counted = tally.count_clicks([make_click("late", after=4), make_click("other", person="p2")])
    assert (counted.new_count, counted.failed_ids) == (1, {"late"})


def test_error_names_the_keys_of_corrupt_rows(
    stores: Repositories, tables: TemporaryTables
) -> None:
    create_tally(stores).count_clicks([make_click("a"), make_click("b", person="p2")])
    change_attributes(tables, tables.campaigns, KEY.to_attributes(), marks=None)
    with pytest.raises(CorruptItemSet, match=r"recipient rows: corrupt items \(1\)") as refused:
        stores.recipients.get_rows(
            [KEY, RecipientKey(CAMPAIGN, "p:p2"), RecipientKey(CAMPAIGN, "p:p3")]
        )
    assert refused.value.keys == {KEY}
    assert "p1" not in str(refused.value)


def test_link_visitors_are_listed_without_a_corrupt_row(
    stores: Repositories, tables: TemporaryTables
) -> None:
    create_tally(stores).count_clicks(
        [make_click(person, person=person) for person in ("p1", "p2", "p3")]
    )
    change_attributes(tables, tables.campaigns, KEY.to_attributes(), links={"B": b"cut"})
    page = stores.recipients.list_link_visitors(make_link_id("home"), cursor=None, limit=10)
    assert {visitor.person for visitor in page.items} == {"p2", "p3"}


def test_recount_fails_on_a_corrupt_row(stores: Repositories, tables: TemporaryTables) -> None:
    """It would take from the counters what the row has."""
    tally = create_tally(stores)
    stores.clicks.record(make_click("a"))
    tally.count_clicks([make_click("a")])
    change_attributes(tables, tables.campaigns, KEY.to_attributes(), marks=None)
    recounting = RecountService(
        stores.clicks, stores.campaigns, stores.recipients, stores.workspaces
    )
    with pytest.raises(CorruptItem):
        recounting.repair(CAMPAIGN, tally)
    assert stores.campaigns.get_counts(CAMPAIGN).total.total == 1


class FakeEventPublisher:
    def __init__(self) -> None:
        self.down = True
        self.published_ids: set[str] = set()

    def publish(self, clicks: Sequence[ClickWithVerdict]) -> set[str]:
        ids = {made.id for made, _ in clicks}
        self.published_ids |= set() if self.down else ids
        return set() if self.down else ids


def test_corrupt_outbox_entry_does_not_stop_other_events(
    stores: Repositories, tables: TemporaryTables, caplog: pytest.LogCaptureFixture
) -> None:
    bus = FakeEventPublisher()
    tally = create_tally(stores, bus)
    for made in (make_click("a"), make_click("b", person="p2")):
        assert tally.count_clicks([made]).failed_ids == {made.id}
    stored = tables.client.scan(TableName=tables.campaigns)["Items"]
    notice = next(item for item in stored if item["sk"]["S"].startswith("!"))
    tables.client.put_item(
        TableName=tables.campaigns, Item=notice | {"clicks": {"S": "all of them"}}
    )
    bus.down = False
    assert tally.count_clicks([make_click("a"), make_click("b", person="p2")]).failed_ids == set()
    assert len(bus.published_ids) == 1
    assert vars(caplog.records[0])["row"] == "notice"


OPT_OUTS: list[dict[str, Any]] = [
    {"salt": None},
    {"salt": {"N": "7"}},
    {"since": {"S": "yesterday"}},
    {"since": None},
]


def opt_out(stores: Repositories, tables: TemporaryTables, damage: dict[str, Any]) -> None:
    wish = stores.workspaces.opt_out(ACME, "p1", NOON)
    key = {name: wish.to_item()[name] for name in ("pk", "sk")}
    change_attributes(tables, tables.workspaces, key, **damage)


@pytest.mark.parametrize("damage", OPT_OUTS)
def test_corrupt_opt_out_does_not_stop_counting_of_other_people(
    stores: Repositories,
    tables: TemporaryTables,
    damage: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    opt_out(stores, tables, damage)
    stores.workspaces.opt_out(ACME, "p3", NOON)
    made = [
        make_click("a"),
        make_click("b", person="p2"),
        make_click("c", person="p3"),
        make_click("d", person=None),
    ]
    made.append(make_click("e", campaign=OTHER))
    for each in made:
        stores.clicks.record(each)
    counted = create_tally(stores).count_clicks(made)
    assert (counted.new_count, counted.failed_ids) == (
        4,
        {"a"},
    )  # neither as p1 nor without a person
    people = {one.person for one in stores.clicks.scan_by_campaign(CAMPAIGN)}
    assert people == {"p1", "p2", None}
    told = vars(caplog.records[0])
    assert (told["row"], told["workspace"]) == ("opt_out", ACME)


@pytest.mark.parametrize("damage", OPT_OUTS)
def test_repeated_opt_out_replaces_a_corrupt_one(
    stores: Repositories, tables: TemporaryTables, damage: dict[str, Any]
) -> None:
    opt_out(stores, tables, damage)
    with pytest.raises(CorruptItemSet):
        stores.workspaces.get_opt_outs([(ACME, "p1")])
    wish = stores.workspaces.opt_out(ACME, "p1", NOON)
    assert stores.workspaces.get_opt_outs([(ACME, "p1")]) == {(ACME, "p1"): wish}
    assert stores.workspaces.opt_out(ACME, "p1", NOON) == wish
    stores.clicks.record(make_click("a"))
    assert create_tally(stores).count_clicks([make_click("a")]).new_count == 1
    assert [one.person for one in stores.clicks.scan_by_campaign(CAMPAIGN)] == [None]


def test_erasure_replaces_a_corrupt_opt_out(stores: Repositories, tables: TemporaryTables) -> None:
    opt_out(stores, tables, {"salt": None})
    stores.clicks.record(make_click("a"))
    erasing = Erasure(stores, scans_tables=True)
    erased = erasing.erase(ACME, "p1", NOON)
    assert (erased.clicks, erased.is_complete) == (1, True)


def test_corrupt_row_of_an_opted_out_person_does_not_stop_other_counting(
    stores: Repositories, tables: TemporaryTables
) -> None:
    tally = create_tally(stores)
    tally.count_clicks([make_click("a")])
    stores.workspaces.opt_out(ACME, "p1", NOON)
    change_attributes(tables, tables.campaigns, KEY.to_attributes(), marks=None)
    for made in (make_click("a"), make_click("b", person="p2")):
        stores.clicks.record(made)
    counted = tally.count_clicks([make_click("a"), make_click("b", person="p2")])
    assert (counted.new_count, counted.failed_ids) == (1, {"a"})
