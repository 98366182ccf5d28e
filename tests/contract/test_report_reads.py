"""Reads of a report depend on its links and hours, not on its clicks (docs/reports.md)."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.click_factory import NOON, make_click
from tests.workspace_harness import build_link_definition
from waypost.composition import Repositories, build_tally_service
from waypost.reports.campaigns import CampaignReportService
from waypost.reports.people import PeopleReportService


class CountingDynamoClient:
    """A DynamoDB client that counts the items it reads, by call."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.items: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)

        def counted(**request: Any) -> Any:
            answer = call(**request)
            found = answer.get("ScannedCount")
            if found is None:
                found = sum(map(len, answer.get("Responses", {}).values())) or ("Item" in answer)
            self.items[name] += int(found)
            return answer

        return counted


class CampaignFixture:
    """A campaign of three links in DynamoDB."""

    def __init__(self, tables: Any) -> None:
        self.client = CountingDynamoClient(tables.client)
        repositories = Repositories(self.client, tables.names)
        self.campaigns = repositories.campaigns
        self.recipients = repositories.recipients
        self.ledger = repositories.clicks
        self.workspaces = repositories.workspaces
        self.workspaces.claim_id("acme")  # a process reads a claim once
        self.reports = CampaignReportService(self.campaigns, self.workspaces)
        self.tally = build_tally_service(repositories, None)
        code = self.code = self.campaigns.get_or_create(
            "acme", "spring-sale", kind="campaign", channel="email", now=NOON
        )
        links = [build_link_definition(f"https://example.com/{n}") for n in range(3)]
        self.links = self.campaigns.define_links(code, links, NOON)

    def click(self, people: int) -> None:
        """Each of so many people clicks the first link."""
        clicks = [make_click(f"{n}", person=f"p{n}", link=self.links[0]) for n in range(people)]
        for made in clicks:
            self.ledger.record(made)
        self.tally.count_clicks(clicks)
        self.client.items.clear()


@pytest.fixture
def campaign(tables: Any) -> CampaignFixture:
    return CampaignFixture(tables)


def test_report_of_many_clicks_reads_as_few_items_as_one_of_few(campaign):
    reads = []
    for people in (3, 60):
        campaign.click(people)
        assert campaign.reports.get_report("acme", "spring-sale").clicks.unique == people
        assert campaign.reports.get_series("acme", "spring-sale", "hour", "UTC").points
        reads.append(sum(campaign.client.items.values()))
    assert (
        reads[0] == reads[1] <= 16
    )  # twice: campaign, mark of spread, total, a link, an hour; links


def test_activity_page_reads_its_clicks_and_one_row_per_campaign(campaign):
    campaign.click(1)
    for n in range(5):
        campaign.ledger.record(
            make_click(f"more{n}", person="p0", after=n, link=campaign.links[n % 3])
        )
    reports = PeopleReportService(
        campaign.campaigns,
        campaign.recipients,
        campaign.ledger,
        campaign.workspaces,
        NOON.timestamp,
    )
    assert len(reports.get_activity("acme", "p0", None, 4).clicks) == 4
    assert +campaign.client.items == {"query": 4, "batch_get_item": 4, "get_item": 1}


def test_campaign_list_page_reads_four_items_per_campaign(campaign):
    campaign.click(3)
    for n in range(9):
        campaign.campaigns.get_or_create(
            "acme", f"c{n}", kind="campaign", channel="email", now=NOON
        )
    campaign.client.items.clear()
    listed = campaign.reports.list_campaigns("acme", None, 100)
    assert len(listed.campaigns) == 10
    assert {one.campaign: one.clicks for one in listed.campaigns}["spring-sale"] == 3
    # Each is in the list and has its item; only one has counters, and none has sending counters.
    assert +campaign.client.items == {"query": 10, "batch_get_item": 11}


def test_sharded_campaign_on_the_list_reads_only_existing_counters(campaign):
    campaign.campaigns.add_deliveries(campaign.code, 5, None)
    campaign.campaigns._delivery_counter._counter_shards.switch_shard(campaign.code)
    campaign.campaigns.add_deliveries(campaign.code, 2, None)
    campaign.client.items.clear()
    (listed,) = campaign.reports.list_campaigns("acme", None, 100).campaigns
    assert listed.deliveries == 7
    assert +campaign.client.items == {"query": 1, "batch_get_item": 3}
