"""Corrupt items are left out of reports and erasures, and affect no others."""

from __future__ import annotations

from typing import Any

import pytest

from tests.click_factory import NOON, make_click
from tests.contract.item_changes import change_attributes
from tests.dynamodb_tables import TemporaryTables
from tests.tally_factory import create_tally
from tests.workspace_harness import build_link_definition
from waypost.composition import Repositories
from waypost.errors import CorruptItem
from waypost.ids import CampaignId, LinkId, derive_campaign_id, derive_workspace_id
from waypost.models.campaign import (
    MessageAbsence,
    SentMessage,
    campaign_list_partition,
    campaign_partition,
    link_key,
    message_key,
)
from waypost.models.recipient import RecipientKey
from waypost.privacy.erasure import Erasure
from waypost.reports.campaigns import CampaignReportService
from waypost.reports.people import PeopleReportService

ACME = derive_workspace_id("acme")
NAMES = ("spring", "summer", "autumn")
HOME = build_link_definition("https://example.com/home")
SHOP = build_link_definition("https://example.com/shop", position=2)


@pytest.fixture
def stores(dynamodb_stores: Repositories) -> Repositories:
    return dynamodb_stores


@pytest.fixture
def links(stores: Repositories) -> dict[str, list[LinkId]]:
    """Three campaigns of two links each, every one clicked by p1."""
    found = {}
    for name in NAMES:
        code = stores.campaigns.get_or_create(
            "acme", name, kind="campaign", channel="email", now=NOON
        )
        found[name] = stores.campaigns.define_links(code, [HOME, SHOP], NOON)
        stores.campaigns.add_deliveries(code, 5, None)
        made = [
            make_click(f"{name}-{n}", after=n * 60, link=one) for n, one in enumerate(found[name])
        ]
        for each in made:
            stores.clicks.record(each)
        create_tally(stores).count_clicks(made)
    return found


@pytest.fixture
def reports(stores: Repositories) -> CampaignReportService:
    return CampaignReportService(stores.campaigns, stores.workspaces)


@pytest.fixture
def people(stores: Repositories) -> PeopleReportService:
    return PeopleReportService(
        stores.campaigns, stores.recipients, stores.clicks, stores.workspaces, lambda: 0.0
    )


@pytest.fixture
def erasing(stores: Repositories) -> Erasure:
    return Erasure(stores)


def build_campaign_id(name: str) -> CampaignId:
    return derive_campaign_id("acme", name)


def item_key(partition: str, sort: str) -> dict[str, Any]:
    return {"pk": {"S": partition}, "sk": {"S": sort}}


def campaign_list_key(stores: Repositories, name: str) -> dict[str, Any]:
    campaign = stores.campaigns.get(build_campaign_id(name))
    assert campaign is not None
    return item_key(campaign_list_partition(ACME), campaign.list_key)


def collect_log_item_types(caplog: pytest.LogCaptureFixture) -> set[str]:
    return {vars(record)["row"] for record in caplog.records}


@pytest.mark.parametrize(
    "damage", [{"campaign": None}, {"kind": {"N": "1"}}, {"first_seen": {"S": "spring"}}]
)
def test_campaigns_are_listed_without_a_corrupt_one(
    stores: Repositories, tables: TemporaryTables, links: object, reports: CampaignReportService,
    damage: dict[str, Any], caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    change_attributes(tables, tables.campaigns, campaign_list_key(stores, "summer"), **damage)
    first = reports.list_campaigns("acme", None, 2)
    rest = reports.list_campaigns("acme", first.cursor, 2)
    names = [one.campaign for one in [*first.campaigns, *rest.campaigns]]
    assert sorted(names) == ["autumn", "spring"]
    assert collect_log_item_types(caplog) == {"campaign"}


@pytest.mark.parametrize("counter", ["total", "sent"])
def test_campaign_with_a_corrupt_counter_is_left_out_of_the_list(
    stores: Repositories,
    tables: TemporaryTables,
    links: object,
    reports: CampaignReportService,
    counter: str,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    place = item_key(campaign_partition(build_campaign_id("summer")), f"N#{counter}")
    change_attributes(tables, tables.campaigns, place, human={"S": "many"})
    assert sorted(one.campaign for one in reports.list_campaigns("acme", None, 9).campaigns) == [
        "autumn",
        "spring",
    ]
    with pytest.raises(CorruptItem, match=f"{counter} of campaign {build_campaign_id('summer')}"):
        reports.get_report("acme", "summer")
    assert reports.get_report("acme", "spring").clicks.total == 2
    assert collect_log_item_types(caplog) == {"counter"}


def test_campaign_with_negative_figures_is_left_out_of_the_list(
    tables: TemporaryTables,
    links: object,
    reports: CampaignReportService,
    caplog: pytest.LogCaptureFixture,
) -> None:
    place = item_key(campaign_partition(build_campaign_id("summer")), "N#total")
    change_attributes(tables, tables.campaigns, place, opened={"N": "-4"})
    listed = {one.campaign for one in reports.list_campaigns("acme", None, 9).campaigns}
    assert listed == {"autumn", "spring"}
    with pytest.raises(CorruptItem, match="negative figures"):
        reports.get_report("acme", "summer")
    with pytest.raises(CorruptItem, match="negative figures"):
        reports.get_series("acme", "summer", "hour", "UTC")
    assert collect_log_item_types(caplog) == {"counter"}


def test_corrupt_campaign_is_named_in_its_own_report_only(
    stores: Repositories,
    tables: TemporaryTables,
    links: object,
    reports: CampaignReportService,
    people: PeopleReportService,
) -> None:
    change_attributes(
        tables,
        tables.campaigns,
        item_key(campaign_partition(build_campaign_id("summer")), "C"),
        kind={"N": "1"},
    )
    with pytest.raises(CorruptItem, match=build_campaign_id("summer")):
        reports.get_report("acme", "summer")
    assert reports.get_report("acme", "spring").clicks.total == 2
    activity = people.get_activity("acme", "p1", None, 50)
    assert {one.campaign for one in activity.clicks} == {
        "spring",
        build_campaign_id("summer"),
        "autumn",
    }


LINKS: list[dict[str, Any]] = [{"url": None}, {"position": {"S": "1"}}, {"identity": {"N": "1"}}]


@pytest.mark.parametrize("damage", LINKS)
def test_reports_leave_out_a_corrupt_link_only(
    tables: TemporaryTables, links: dict[str, list[LinkId]], reports: CampaignReportService,
    people: PeopleReportService, damage: dict[str, Any], caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    change_attributes(tables, tables.campaigns, link_key(links["spring"][0]), **damage)
    report = reports.get_report("acme", "spring")
    assert [link.link for link in report.links] == [links["spring"][1]]
    assert report.clicks.total == 2
    activity = people.get_activity("acme", "p1", None, 50)
    assert len(activity.clicks) == 6
    assert collect_log_item_types(caplog) == {"link"}


@pytest.mark.parametrize("damage", LINKS)
def test_messages_are_rewritten_although_a_stored_link_is_corrupt(
    tables: TemporaryTables, links: dict[str, list[LinkId]], damage: dict[str, Any]
) -> None:
    change_attributes(tables, tables.campaigns, link_key(links["spring"][0]), **damage)
    found = []
    for _ in range(2):  # each a process that has met no link yet
        campaigns = Repositories(tables.client, tables.names).campaigns
        found.append(campaigns.define_links(build_campaign_id("spring"), [HOME, SHOP], NOON))
    assert found[0] == found[1]
    assert found[0][1] == links["spring"][1]
    assert (found[0][0] == links["spring"][0]) is ("identity" not in damage)


def test_backfill_lists_all_campaigns_but_a_corrupt_one(
    tables: TemporaryTables, links: object
) -> None:
    campaigns = Repositories(tables.client, tables.names).campaigns
    for name in NAMES:
        change_attributes(
            tables,
            tables.campaigns,
            item_key(campaign_partition(build_campaign_id(name)), "C"),
            listed=None,
        )
    change_attributes(
        tables,
        tables.campaigns,
        item_key(campaign_partition(build_campaign_id("summer")), "C"),
        kind={"N": "1"},
    )
    assert campaigns.backfill_list() == 2


def test_activity_leaves_out_a_corrupt_click_only(
    stores: Repositories, tables: TemporaryTables, links: object, people: PeopleReportService,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    damaged = make_click("spring-0", link=next(iter(links["spring"])))  # type: ignore[index]
    change_attributes(tables, tables.clicks, damaged.key, agent=None)
    page = stores.clicks.list_by_person(ACME, "p1", cursor=None, limit=50)
    assert (len(page.items), page.corrupt_count) == (5, 1)
    assert len(people.get_activity("acme", "p1", None, 50).clicks) == 5
    assert len(list(stores.clicks.scan_by_campaign(build_campaign_id("spring")))) == 1
    assert collect_log_item_types(caplog) == {"click"}
    assert "p1" not in str([vars(record) for record in caplog.records])


def test_verdict_is_computed_from_the_click_when_its_row_is_corrupt(
    tables: TemporaryTables, links: object, people: PeopleReportService
) -> None:
    row = RecipientKey(build_campaign_id("spring"), "p:p1")
    change_attributes(tables, tables.campaigns, row.to_attributes(), marks=None)
    activity = people.get_activity("acme", "p1", None, 50)
    assert [one.verdict for one in activity.clicks] == ["human"] * 6


def test_erasure_includes_corrupt_campaigns_of_the_list(
    stores: Repositories, tables: TemporaryTables, links: object, erasing: Erasure
) -> None:
    change_attributes(tables, tables.campaigns, campaign_list_key(stores, "summer"), kind=None)
    for made in stores.clicks.scan_by_campaign(build_campaign_id("summer")):
        tables.client.delete_item(TableName=tables.clicks, Key=made.key)  # they have expired
    erased = erasing.erase(ACME, "p1", NOON)
    assert (erased.campaigns, erased.is_complete) == (3, True)
    assert not stores.recipients.get_rows([RecipientKey(build_campaign_id("summer"), "p:p1")])[
        RecipientKey(build_campaign_id("summer"), "p:p1")
    ].version


def test_erasure_is_not_complete_while_a_click_is_corrupt(
    stores: Repositories, tables: TemporaryTables, links: dict[str, list[LinkId]], erasing: Erasure
) -> None:
    damaged = make_click("spring-0", link=links["spring"][0])
    change_attributes(tables, tables.clicks, damaged.key, agent=None)
    with pytest.raises(
        CorruptItem, match=rf"data of the person in workspace {ACME}: corrupt items \(1\)"
    ):
        erasing.erase(ACME, "p1", NOON)
    page = stores.clicks.list_by_person(ACME, "p1", cursor=None, limit=50)
    assert (list(page.items), page.corrupt_count) == ([], 1)
    tables.client.delete_item(TableName=tables.clicks, Key=damaged.key)
    assert erasing.erase(ACME, "p1", NOON).is_complete


def build_message(name: str, *, rendered: bool) -> SentMessage:
    return SentMessage(
        campaign=build_campaign_id(name), html="<p>Dear", rendered=rendered, expires=2**31
    )


@pytest.mark.parametrize(
    "damage", [{"html": {"S": "x"}}, {"html": {"B": b"x"}}, {"expires": None}, {"html": None}]
)
def test_corrupt_message_is_not_shown(
    tables: TemporaryTables, damage: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    messages = Repositories(tables.client, tables.names, NOON.timestamp).messages
    messages.add(build_message("spring", rendered=False))
    change_attributes(tables, tables.campaigns, message_key(build_campaign_id("spring")), **damage)
    assert messages.get(build_campaign_id("spring")) is MessageAbsence.CORRUPT
    assert collect_log_item_types(caplog) == {"message"}


@pytest.mark.parametrize("rendered", [None, {"S": "true"}, {"NULL": True}, {"L": []}])
def test_message_without_a_rendered_mark_is_treated_as_personal(
    tables: TemporaryTables, rendered: Any
) -> None:
    messages = Repositories(tables.client, tables.names, NOON.timestamp).messages
    for name in ("spring", "autumn"):
        messages.add(build_message(name, rendered=True))
    messages.add(build_message("summer", rendered=False))
    change_attributes(
        tables, tables.campaigns, message_key(build_campaign_id("spring")), rendered=rendered
    )
    shown = messages.get(build_campaign_id("spring"))
    assert isinstance(shown, SentMessage)
    assert shown.rendered
    campaigns = [build_campaign_id(name) for name in NAMES]
    assert messages.delete_personal_by_campaigns(campaigns, "0" * 32) == 2
    messages.add(build_message("spring", rendered=True))
    change_attributes(
        tables, tables.campaigns, message_key(build_campaign_id("spring")), rendered=rendered
    )
    assert messages.delete_personal_by_workspace(ACME, "0" * 32) == 1
    assert isinstance(messages.get(build_campaign_id("summer")), SentMessage)
