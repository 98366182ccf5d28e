"""What is stored of one recipient keeps nobody else from being counted, where it cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.clicks import CAMPAIGN, NOON, click, link
from tests.contract.conftest import Stores, Tables
from tests.fakes import MemoryMessages
from tests.tallies import tally_over
from waypost.errors import MalformedItem, MalformedRows
from waypost.ids import campaign_code, workspace_code
from waypost.maintenance.recount import Recounting
from waypost.models.recipient import INLINE_MARKS, MARK_BYTES, RowKey
from waypost.privacy.erasure import Erasing
from waypost.tally.event_publisher import Told

ACME = workspace_code("acme")
OTHER = campaign_code("globex", "autumn")
KEY = RowKey(CAMPAIGN, "p:p1")

FAR = b"\xff" * 8


@pytest.fixture
def stores(dynamodb_stores: Stores) -> Stores:
    """The twin in memory keeps rows as they are: nothing can be put there that is none."""
    return dynamodb_stores


def change(tables: Tables, table: str, key: Any, **attributes: Any) -> None:
    """Put attributes of an item otherwise; None of them: it is missing."""
    asked = {"TableName": table, "Key": key}
    stored = tables.client.get_item(**asked)["Item"] | attributes
    item = {name: value for name, value in stored.items() if value is not None}
    tables.client.put_item(TableName=table, Item=item)


ROWS: list[dict[str, Any]] = [
    {"marks": {"S": "x"}},
    {"marks": {"B": b"cut"}},
    {"marks": {"B": b"\x01" * 12 + FAR + b"\x01" * (MARK_BYTES - 20)}},
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
def test_a_recipient_whose_row_cannot_be_read_keeps_no_other_from_being_counted(
    stores: Stores, tables: Tables, damage: dict[str, Any],
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    tally = tally_over(stores)
    tally.count([click("a")])
    change(tables, tables.campaigns, KEY.item(), **damage)
    made = [click("b", after=60), click("c", person="p2"), click("d", campaign=OTHER)]
    counted = tally.count(made)
    assert (counted.fresh, counted.failed, counted.conflicts) == (2, {"b"}, 0)
    assert stores.campaigns.counts(CAMPAIGN).total.people == 2
    assert stores.campaigns.counts(OTHER).total.people == 1
    told = vars(caplog.records[0])
    assert (told["row"], told["campaign"]) == ("recipient", CAMPAIGN)
    assert "p:p1" not in str([vars(record) for record in caplog.records])
    assert '"RowDamaged":1' in capsys.readouterr().out


def test_its_clicks_count_once_it_is_mended(stores: Stores, tables: Tables) -> None:
    tally = tally_over(stores)
    tally.count([click("a")])
    whole = tables.client.get_item(TableName=tables.campaigns, Key=KEY.item())["Item"]
    change(tables, tables.campaigns, KEY.item(), marks=None)
    assert tally.count([click("b", after=60)]).failed == {"b"}
    tables.client.put_item(TableName=tables.campaigns, Item=whole)
    assert tally.count([click("a"), click("b", after=60)]).fresh == 1
    assert stores.campaigns.counts(CAMPAIGN).total.total == 2


def test_nor_does_a_sheet_that_cannot_be_read(stores: Stores, tables: Tables) -> None:
    tally = tally_over(stores)
    tally.count([click(f"c{n}", after=n * 0.1) for n in range(INLINE_MARKS + 5)])
    [sheet] = stores.recipients.sheets_of(KEY)
    change(tables, tables.campaigns, sheet.key.item(), marks={"B": b"cut"})
    counted = tally.count([click("late", after=4), click("other", person="p2")])
    assert (counted.fresh, counted.failed) == (1, {"late"})


def test_whoever_asks_for_rows_is_told_which_cannot_be_read(stores: Stores, tables: Tables) -> None:
    tally_over(stores).count([click("a"), click("b", person="p2")])
    change(tables, tables.campaigns, KEY.item(), marks=None)
    with pytest.raises(MalformedRows, match="1 rows") as refused:
        stores.recipients.rows([KEY, RowKey(CAMPAIGN, "p:p2"), RowKey(CAMPAIGN, "p:p3")])
    assert refused.value.keys == {KEY}
    assert "p1" not in str(refused.value)


def test_who_else_clicked_a_link_is_still_told(stores: Stores, tables: Tables) -> None:
    tally_over(stores).count([click(person, person=person) for person in ("p1", "p2", "p3")])
    change(tables, tables.campaigns, KEY.item(), links={"B": b"cut"})
    page = stores.recipients.of_link(link("home"), cursor=None, limit=10)
    assert {visitor.person for visitor in page.items} == {"p2", "p3"}


def test_no_recount_adds_up_what_it_cannot_read(stores: Stores, tables: Tables) -> None:
    """It would take from the counters what the row has."""
    tally = tally_over(stores)
    stores.clicks.record(click("a"))
    tally.count([click("a")])
    change(tables, tables.campaigns, KEY.item(), marks=None)
    recounting = Recounting(stores.clicks, stores.campaigns, stores.recipients, stores.workspaces)
    with pytest.raises(MalformedItem):
        recounting.repair(CAMPAIGN, tally)
    assert stores.campaigns.counts(CAMPAIGN).total.total == 1


class Bus:
    def __init__(self) -> None:
        self.down = True
        self.told: set[str] = set()

    def tell(self, clicks: Sequence[Told]) -> set[str]:
        ids = {made.id for made, _ in clicks}
        self.told |= set() if self.down else ids
        return set() if self.down else ids


def test_a_notice_that_cannot_be_read_keeps_no_event_from_being_told(
    stores: Stores, tables: Tables, caplog: pytest.LogCaptureFixture
) -> None:
    bus = Bus()
    tally = tally_over(stores, bus)
    for made in (click("a"), click("b", person="p2")):
        assert tally.count([made]).failed == {made.id}
    stored = tables.client.scan(TableName=tables.campaigns)["Items"]
    notice = next(item for item in stored if item["sk"]["S"].startswith("!"))
    tables.client.put_item(
        TableName=tables.campaigns, Item=notice | {"clicks": {"S": "all of them"}}
    )
    bus.down = False
    assert tally.count([click("a"), click("b", person="p2")]).failed == set()
    assert len(bus.told) == 1
    assert vars(caplog.records[0])["row"] == "notice"


OPT_OUTS: list[dict[str, Any]] = [
    {"salt": None},
    {"salt": {"N": "7"}},
    {"since": {"S": "yesterday"}},
    {"since": None},
]


def opt_out(stores: Stores, tables: Tables, damage: dict[str, Any]) -> None:
    wish = stores.workspaces.opt_out(ACME, "p1", NOON)
    key = {name: wish.to_item()[name] for name in ("pk", "sk")}
    change(tables, tables.workspaces, key, **damage)


@pytest.mark.parametrize("damage", OPT_OUTS)
def test_an_opt_out_that_cannot_be_read_keeps_nobody_else_from_being_counted(
    stores: Stores, tables: Tables, damage: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    opt_out(stores, tables, damage)
    stores.workspaces.opt_out(ACME, "p3", NOON)
    made = [click("a"), click("b", person="p2"), click("c", person="p3"), click("d", person=None)]
    made.append(click("e", campaign=OTHER))
    for each in made:
        stores.clicks.record(each)
    counted = tally_over(stores).count(made)
    assert (counted.fresh, counted.failed) == (4, {"a"})  # neither as p1 nor as nobody known
    people = {one.person for one in stores.clicks.of_campaign(CAMPAIGN)}
    assert people == {"p1", "p2", None}
    told = vars(caplog.records[0])
    assert (told["row"], told["workspace"]) == ("opt_out", ACME)


@pytest.mark.parametrize("damage", OPT_OUTS)
def test_opting_out_again_mends_it(stores: Stores, tables: Tables, damage: dict[str, Any]) -> None:
    opt_out(stores, tables, damage)
    with pytest.raises(MalformedRows):
        stores.workspaces.opted_out([(ACME, "p1")])
    wish = stores.workspaces.opt_out(ACME, "p1", NOON)
    assert stores.workspaces.opted_out([(ACME, "p1")]) == {(ACME, "p1"): wish}
    assert stores.workspaces.opt_out(ACME, "p1", NOON) == wish
    stores.clicks.record(click("a"))
    assert tally_over(stores).count([click("a")]).fresh == 1
    assert [one.person for one in stores.clicks.of_campaign(CAMPAIGN)] == [None]


def test_an_erasure_mends_it_too(stores: Stores, tables: Tables) -> None:
    opt_out(stores, tables, {"salt": None})
    stores.clicks.record(click("a"))
    erasing = Erasing(stores.clicks, stores.recipients, stores.workspaces, MemoryMessages())
    erased = erasing.erase(ACME, "p1", NOON)
    assert (erased.clicks, erased.clean) == (1, True)


def test_a_damaged_row_of_who_opted_out_keeps_nobody_else_from_being_counted(
    stores: Stores, tables: Tables
) -> None:
    tally = tally_over(stores)
    tally.count([click("a")])
    stores.workspaces.opt_out(ACME, "p1", NOON)
    change(tables, tables.campaigns, KEY.item(), marks=None)
    for made in (click("a"), click("b", person="p2")):
        stores.clicks.record(made)
    counted = tally.count([click("a"), click("b", person="p2")])
    assert (counted.fresh, counted.failed) == (1, {"a"})
