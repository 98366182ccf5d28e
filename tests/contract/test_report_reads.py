"""What a report reads: as much as it has links and hours, however many clicked. docs/reports.md."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.clicks import NOON, click
from tests.workspace import definition
from waypost.reports.campaigns import CampaignReports
from waypost.reports.people import PeopleReports
from waypost.repositories.dynamodb.campaigns import DynamoCampaigns
from waypost.repositories.dynamodb.clicks import DynamoClicks
from waypost.repositories.dynamodb.recipients import DynamoRecipients
from waypost.repositories.dynamodb.workspaces import DynamoWorkspaces
from waypost.tally.service import Tally


class Counting:
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


class Campaign:
    """A campaign of three links in DynamoDB."""

    def __init__(self, tables: Any) -> None:
        self.client = Counting(tables.client)
        self.campaigns = DynamoCampaigns(self.client, tables.campaigns)
        self.recipients = DynamoRecipients(self.client, tables.campaigns)
        self.ledger = DynamoClicks(self.client, tables.clicks)
        self.tally = Tally(
            ledger=self.ledger,
            recipients=self.recipients,
            workspaces=DynamoWorkspaces(self.client, tables.workspaces),
            bus=None,
        )
        code = self.code = self.campaigns.open(
            "acme", "spring-sale", kind="campaign", channel="email", now=NOON
        )
        links = [definition(f"https://example.com/{n}") for n in range(3)]
        self.links = self.campaigns.define_links(code, links, NOON)

    def click(self, people: int) -> None:
        """Each of so many people clicks the first link."""
        clicks = [click(f"{n}", person=f"p{n}", link=self.links[0]) for n in range(people)]
        for made in clicks:
            self.ledger.record(made)
        self.tally.count(clicks)
        self.client.items.clear()


@pytest.fixture
def campaign(tables: Any) -> Campaign:
    return Campaign(tables)


def test_a_report_of_many_clicks_reads_no_more_than_one_of_few(campaign):
    reads = []
    for people in (3, 60):
        campaign.click(people)
        reports = CampaignReports(campaign.campaigns)
        assert reports.report("acme", "spring-sale").clicks.unique == people
        assert reports.series("acme", "spring-sale", "hour", "UTC").points
        reads.append(sum(campaign.client.items.values()))
    assert (
        reads[0] == reads[1] <= 16
    )  # twice: campaign, mark of spread, total, a link, an hour; links


def test_a_page_of_activity_reads_its_clicks_and_a_row_a_campaign(campaign):
    campaign.click(1)
    for n in range(5):
        campaign.ledger.record(click(f"more{n}", person="p0", after=n, link=campaign.links[n % 3]))
    reports = PeopleReports(
        campaign.campaigns, campaign.recipients, campaign.ledger, NOON.timestamp
    )
    assert len(reports.activity("acme", "p0", None, 4).clicks) == 4
    assert +campaign.client.items == {"query": 4, "batch_get_item": 4, "get_item": 1}


def test_a_page_of_the_list_reads_four_items_a_campaign(campaign):
    campaign.click(3)
    for n in range(9):
        campaign.campaigns.open("acme", f"c{n}", kind="campaign", channel="email", now=NOON)
    campaign.client.items.clear()
    listed = CampaignReports(campaign.campaigns).listed("acme", None, 100)
    assert len(listed.campaigns) == 10
    assert {one.campaign: one.clicks for one in listed.campaigns}["spring-sale"] == 3
    # Each is on the list and has an item of its own; only one has counters, and none for sending.
    assert +campaign.client.items == {"query": 10, "batch_get_item": 11}


def test_a_spread_campaign_on_the_list_reads_the_counters_that_there_are(campaign):
    campaign.campaigns.add_sent(campaign.code, 5, None)
    campaign.campaigns._sent._shards.move(campaign.code)
    campaign.campaigns.add_sent(campaign.code, 2, None)
    campaign.client.items.clear()
    (listed,) = CampaignReports(campaign.campaigns).listed("acme", None, 100).campaigns
    assert listed.deliveries == 7
    assert +campaign.client.items == {"query": 1, "batch_get_item": 3}
