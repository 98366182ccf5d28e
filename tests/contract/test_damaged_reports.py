"""A row that cannot be read is missing from what reports and erasures show and do, and is all that
is missing.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.clicks import NOON, click
from tests.contract.conftest import Stores, Tables
from tests.contract.test_damaged_counting import change
from tests.fakes import MemoryMessages
from tests.tallies import tally_over
from tests.workspace import definition
from waypost.errors import MalformedItem
from waypost.ids import CampaignCode, LinkCode, campaign_code, workspace_code
from waypost.models.campaign import (
    SentMessage,
    campaign_partition,
    link_key,
    list_partition,
    message_key,
)
from waypost.models.recipient import RowKey
from waypost.privacy.erasure import Erasing
from waypost.reports.campaigns import CampaignReports
from waypost.reports.people import PeopleReports
from waypost.repositories.dynamodb.campaigns import DynamoCampaigns
from waypost.repositories.dynamodb.messages import DynamoMessages

ACME = workspace_code("acme")
NAMES = ("spring", "summer", "autumn")
HOME = definition("https://example.com/home")
SHOP = definition("https://example.com/shop", position=2)


@pytest.fixture
def stores(dynamodb_stores: Stores) -> Stores:
    return dynamodb_stores


@pytest.fixture
def links(stores: Stores) -> dict[str, list[LinkCode]]:
    """Three campaigns of two links each, every one clicked by p1."""
    found = {}
    for name in NAMES:
        code = stores.campaigns.open("acme", name, kind="campaign", channel="email", now=NOON)
        found[name] = stores.campaigns.define_links(code, [HOME, SHOP], NOON)
        stores.campaigns.add_sent(code, 5, None)
        made = [click(f"{name}-{n}", after=n * 60, link=one) for n, one in enumerate(found[name])]
        for each in made:
            stores.clicks.record(each)
        tally_over(stores).count(made)
    return found


@pytest.fixture
def reports(stores: Stores) -> CampaignReports:
    return CampaignReports(stores.campaigns)


@pytest.fixture
def people(stores: Stores) -> PeopleReports:
    return PeopleReports(stores.campaigns, stores.recipients, stores.clicks, lambda: 0.0)


@pytest.fixture
def erasing(stores: Stores) -> Erasing:
    return Erasing(
        stores.clicks, stores.recipients, stores.workspaces, MemoryMessages(), stores.campaigns
    )


def code_of(name: str) -> CampaignCode:
    return campaign_code("acme", name)


def key(partition: str, sort: str) -> dict[str, Any]:
    return {"pk": {"S": partition}, "sk": {"S": sort}}


def listing(stores: Stores, name: str) -> dict[str, Any]:
    campaign = stores.campaigns.campaign(code_of(name))
    assert campaign is not None
    return key(list_partition(ACME), campaign.place)


def told(caplog: pytest.LogCaptureFixture) -> set[str]:
    return {vars(record)["row"] for record in caplog.records}


@pytest.mark.parametrize(
    "damage", [{"campaign": None}, {"kind": {"N": "1"}}, {"first_seen": {"S": "spring"}}]
)
def test_the_list_of_campaigns_goes_on_without_one(
    stores: Stores, tables: Tables, links: object, reports: CampaignReports,
    damage: dict[str, Any], caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    change(tables, tables.campaigns, listing(stores, "summer"), **damage)
    first = reports.listed("acme", None, 2)
    rest = reports.listed("acme", first.cursor, 2)
    names = [one.campaign for one in [*first.campaigns, *rest.campaigns]]
    assert sorted(names) == ["autumn", "spring"]
    assert told(caplog) == {"campaign"}


@pytest.mark.parametrize("counter", ["total", "sent"])
def test_a_campaign_whose_figures_cannot_be_read_is_missing_and_no_other(
    stores: Stores, tables: Tables, links: object, reports: CampaignReports, counter: str,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    place = key(campaign_partition(code_of("summer")), f"N#{counter}")
    change(tables, tables.campaigns, place, human={"S": "many"})
    assert sorted(one.campaign for one in reports.listed("acme", None, 9).campaigns) == [
        "autumn",
        "spring",
    ]
    with pytest.raises(MalformedItem, match=f"{counter} of campaign {code_of('summer')}"):
        reports.report("acme", "summer")
    assert reports.report("acme", "spring").clicks.total == 2
    assert told(caplog) == {"counter"}


def test_figures_below_nothing_are_missing_and_no_other(
    tables: Tables, links: object, reports: CampaignReports, caplog: pytest.LogCaptureFixture
) -> None:
    place = key(campaign_partition(code_of("summer")), "N#total")
    change(tables, tables.campaigns, place, opened={"N": "-4"})
    listed = {one.campaign for one in reports.listed("acme", None, 9).campaigns}
    assert listed == {"autumn", "spring"}
    with pytest.raises(MalformedItem, match="below 0"):
        reports.report("acme", "summer")
    with pytest.raises(MalformedItem, match="below 0"):
        reports.series("acme", "summer", "hour", "UTC")
    assert told(caplog) == {"counter"}


def test_a_campaign_that_cannot_be_read_is_named_and_no_other_is_refused(
    stores: Stores, tables: Tables, links: object, reports: CampaignReports, people: PeopleReports
) -> None:
    change(
        tables, tables.campaigns, key(campaign_partition(code_of("summer")), "C"), kind={"N": "1"}
    )
    with pytest.raises(MalformedItem, match=code_of("summer")):
        reports.report("acme", "summer")
    assert reports.report("acme", "spring").clicks.total == 2
    activity = people.activity("acme", "p1", None, 50)
    assert {one.campaign for one in activity.clicks} == {"spring", code_of("summer"), "autumn"}


LINKS: list[dict[str, Any]] = [{"url": None}, {"position": {"S": "1"}}, {"identity": {"N": "1"}}]


@pytest.mark.parametrize("damage", LINKS)
def test_a_link_that_cannot_be_read_is_missing_from_reports_and_no_other(
    tables: Tables, links: dict[str, list[LinkCode]], reports: CampaignReports,
    people: PeopleReports, damage: dict[str, Any], caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    change(tables, tables.campaigns, link_key(links["spring"][0]), **damage)
    report = reports.report("acme", "spring")
    assert [link.link for link in report.links] == [links["spring"][1]]
    assert report.clicks.total == 2
    activity = people.activity("acme", "p1", None, 50)
    assert len(activity.clicks) == 6
    assert told(caplog) == {"link"}


@pytest.mark.parametrize("damage", LINKS)
def test_messages_go_on_where_a_link_of_theirs_cannot_be_read(
    tables: Tables, links: dict[str, list[LinkCode]], damage: dict[str, Any]
) -> None:
    change(tables, tables.campaigns, link_key(links["spring"][0]), **damage)
    found = []
    for _ in range(2):  # each a process that has met no link yet
        campaigns = DynamoCampaigns(tables.client, tables.campaigns)
        found.append(campaigns.define_links(code_of("spring"), [HOME, SHOP], NOON))
    assert found[0] == found[1]
    assert found[0][1] == links["spring"][1]
    assert (found[0][0] == links["spring"][0]) is ("identity" not in damage)


def test_campaigns_of_before_are_listed_all_but_one(tables: Tables, links: object) -> None:
    campaigns = DynamoCampaigns(tables.client, tables.campaigns)
    for name in NAMES:
        change(tables, tables.campaigns, key(campaign_partition(code_of(name)), "C"), listed=None)
    change(
        tables, tables.campaigns, key(campaign_partition(code_of("summer")), "C"), kind={"N": "1"}
    )
    assert campaigns.list_known() == 2


def test_a_persons_other_clicks_are_told(
    stores: Stores, tables: Tables, links: object, people: PeopleReports,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    damaged = click("spring-0", link=next(iter(links["spring"])))  # type: ignore[index]
    change(tables, tables.clicks, damaged.key, agent=None)
    page = stores.clicks.of_person(ACME, "p1", cursor=None, limit=50)
    assert (len(page.items), page.unread) == (5, 1)
    assert len(people.activity("acme", "p1", None, 50).clicks) == 5
    assert len(list(stores.clicks.of_campaign(code_of("spring")))) == 1
    assert told(caplog) == {"click"}
    assert "p1" not in str([vars(record) for record in caplog.records])


def test_how_a_click_was_judged_is_told_of_the_click_itself_where_its_row_cannot_be_read(
    tables: Tables, links: object, people: PeopleReports
) -> None:
    row = RowKey(code_of("spring"), "p:p1")
    change(tables, tables.campaigns, row.item(), marks=None)
    activity = people.activity("acme", "p1", None, 50)
    assert [one.verdict for one in activity.clicks] == ["human"] * 6


def test_an_erasure_looks_into_campaigns_that_the_list_cannot_read(
    stores: Stores, tables: Tables, links: object, erasing: Erasing
) -> None:
    change(tables, tables.campaigns, listing(stores, "summer"), kind=None)
    for made in stores.clicks.of_campaign(code_of("summer")):
        tables.client.delete_item(TableName=tables.clicks, Key=made.key)  # they have expired
    erased = erasing.erase(ACME, "p1", NOON)
    assert (erased.campaigns, erased.clean) == (3, True)
    assert not stores.recipients.rows([RowKey(code_of("summer"), "p:p1")])[
        RowKey(code_of("summer"), "p:p1")
    ].version


def test_an_erasure_does_what_it_can_and_is_not_done_while_a_click_cannot_be_read(
    stores: Stores, tables: Tables, links: dict[str, list[LinkCode]], erasing: Erasing
) -> None:
    damaged = click("spring-0", link=links["spring"][0])
    change(tables, tables.clicks, damaged.key, agent=None)
    with pytest.raises(MalformedItem, match=f"1 of the person's clicks in workspace {ACME}"):
        erasing.erase(ACME, "p1", NOON)
    page = stores.clicks.of_person(ACME, "p1", cursor=None, limit=50)
    assert (list(page.items), page.unread) == ([], 1)
    tables.client.delete_item(TableName=tables.clicks, Key=damaged.key)
    assert erasing.erase(ACME, "p1", NOON).clean


def sent(name: str, *, rendered: bool) -> SentMessage:
    return SentMessage(campaign=code_of(name), html="<p>Dear", rendered=rendered, expires=2**31)


@pytest.mark.parametrize(
    "damage", [{"html": {"S": "x"}}, {"html": {"B": b"x"}}, {"expires": None}, {"html": None}]
)
def test_a_message_that_cannot_be_read_is_shown_as_none(
    tables: Tables, damage: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    messages = DynamoMessages(tables.client, tables.campaigns, NOON.timestamp)
    messages.keep(sent("spring", rendered=False))
    change(tables, tables.campaigns, message_key(code_of("spring")), **damage)
    assert messages.message(code_of("spring")) is None
    assert told(caplog) == {"message"}


@pytest.mark.parametrize("rendered", [None, {"S": "true"}, {"NULL": True}, {"L": []}])
def test_a_message_that_does_not_say_whether_it_names_somebody_is_taken_for_one_that_does(
    tables: Tables, rendered: Any
) -> None:
    messages = DynamoMessages(tables.client, tables.campaigns, NOON.timestamp)
    for name in ("spring", "autumn"):
        messages.keep(sent(name, rendered=True))
    messages.keep(sent("summer", rendered=False))
    change(tables, tables.campaigns, message_key(code_of("spring")), rendered=rendered)
    shown = messages.message(code_of("spring"))
    assert shown is not None
    assert shown.rendered
    assert messages.forget_rendered_of([code_of(name) for name in NAMES]) == 2
    messages.keep(sent("spring", rendered=True))
    change(tables, tables.campaigns, message_key(code_of("spring")), rendered=rendered)
    assert messages.forget_rendered(ACME) == 1
    assert messages.message(code_of("summer")) is not None
