"""The tables of template.yaml in moto with a meter before them, and what runs on them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3

from bench.metered_stack import CapacityMeter
from local.template import load_template
from waypost.bot_detection.scoring import BotVerdict
from waypost.ids import derive_campaign_id, derive_link_id
from waypost.models.click import Click
from waypost.repositories.dynamodb.campaigns import DynamoCampaignRepository
from waypost.repositories.dynamodb.clicks import DynamoClickRepository
from waypost.repositories.dynamodb.client import DynamoClient
from waypost.repositories.dynamodb.messages import DynamoMessageRepository
from waypost.repositories.dynamodb.recipients import DynamoRecipientRepository
from waypost.repositories.dynamodb.short_links import DynamoShortLinkRepository
from waypost.repositories.dynamodb.workspaces import DynamoWorkspaceRepository
from waypost.rewrite.message_archive import MessageArchive
from waypost.rewrite.service import FixedBaseUrl, RewriteService
from waypost.tally.service import TallyService
from waypost.tokens import Keyring, TokenSealer

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
AGENT = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1"
)
HREF = "https://shop.example.com/sale/{n}?utm_source=newsletter&utm_medium=email&utm_campaign=s"


class MeteredStack:
    """The tables, a meter, and what runs on them."""

    def __init__(self) -> None:
        self.client = boto3.client("dynamodb", region_name="us-east-1")
        names = ("Clicks", "Campaigns", "Workspaces", "ShortLinks")
        clicks, campaigns, workspaces, short_links = (_create_table(self.client, n) for n in names)
        self.meter = CapacityMeter(self.client)
        self.clicks = DynamoClickRepository(self.meter, clicks)
        self.tally = self.build_tally(self.meter)
        sealer = TokenSealer(Keyring((b"k" * 32,)))
        self.rewrite_service = RewriteService(
            campaigns=DynamoCampaignRepository(self.meter, campaigns),
            workspaces=DynamoWorkspaceRepository(self.meter, workspaces),
            base_urls=FixedBaseUrl("https://e.example.com"),
            short_links=DynamoShortLinkRepository(self.meter, short_links),
            get_sealer=lambda: sealer,
            now=lambda: NOON,
            message_archive=MessageArchive(DynamoMessageRepository(self.meter, campaigns), 400),
        )

    def build_tally(self, client: DynamoClient) -> TallyService:
        """A tally that counts through a client."""
        return TallyService(
            clicks=DynamoClickRepository(client, "Clicks"),
            recipients=DynamoRecipientRepository(client, "Campaigns"),
            workspaces=DynamoWorkspaceRepository(client, "Workspaces"),
            event_bus=self,
        )

    def publish(self, clicks: Sequence[tuple[Click, BotVerdict]]) -> set[str]:
        """The event bus: takes all."""
        return {click.id for click, _ in clicks}


def _create_table(client: Any, name: str) -> str:  # noqa: ANN401 - clients have no common type
    properties = load_template(Path("template.yaml")).resources[f"{name}Table"].properties
    schema = {key: properties[key] for key in ("KeySchema", "AttributeDefinitions", "BillingMode")}
    client.create_table(TableName=name, **schema)
    return name


def generate_clicks(people_count: int, click_count: int, link_count: int) -> list[Click]:
    """Clicks in the order that they come: who and where by chance, links less and less often."""
    chance = random.Random(1)
    campaign = derive_campaign_id("acme", "spring-sale")
    codes = [derive_link_id(campaign, HREF.format(n=n)) for n in range(link_count)]
    weights = [1 / (n + 1) for n in range(link_count)]
    who = (
        chance.sample(range(people_count), click_count)
        if click_count <= people_count
        else [0] * click_count
    )
    return [
        Click(
            id=f"{number:08d}kBq9ruJVSBFHmSKGvV9BVFyPxWHb8ZLZJMSbFGS_l9wbRgqSb2",
            time=NOON + timedelta(milliseconds=10 * number),
            link=chance.choices(codes, weights)[0],
            position=1,
            delivery=f"7c9e6679-7425-40de-944b-{person:012d}",
            person=str(person),
            href=HREF.format(n=1),
            agent=AGENT,
            ip="203.0.113.0",
            country="DE",
            asn=3320,
            sent=int(NOON.timestamp()) - 3_600,
            expires=int(NOON.timestamp()) + 400 * 86_400,
        )
        for number, person in enumerate(who)
    ]
