"""A workspace in memory with everything that reports read, for tests of the API and of pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from tests.clicks import NOON, make_click
from tests.fakes import (
    InMemoryCampaignRepository,
    InMemoryClickRepository,
    InMemoryDomainRepository,
    InMemoryMessageRepository,
    InMemoryRecipientRepository,
    InMemoryWorkspaceRepository,
)
from waypost.api.dependencies import Services
from waypost.api.workspace_settings import WorkspaceSettingsService
from waypost.domains.events import DomainEventPublisher
from waypost.domains.model import Targets
from waypost.domains.service import DomainService
from waypost.ids import CampaignId, LinkId
from waypost.models.campaign import LinkDefinition, SentMessage
from waypost.models.click import Click
from waypost.privacy.erasure import Erasure
from waypost.privacy.requests import PrivacyRequests
from waypost.reports.campaigns import CampaignReportService
from waypost.reports.people import PeopleReportService
from waypost.reports.share_links import ShareLinkService, ShareScope, ShareSigner
from waypost.tally.service import TallyService
from waypost.tokens.signer import Keyring
from waypost.web.app import PageService
from waypost.web.views import PageDependencies

PAGES_URL = "https://pages.example.com"


def build_link_definition(url: str, tag: str | None = None, position: int = 1) -> LinkDefinition:
    """A link as a message defines it."""
    return LinkDefinition(f"tag:{tag}" if tag else f"url:{url}", url, tag, position)


class WorkspaceHarness:
    """Stores, what is done to them, and the use cases that read them. ``now`` may be moved."""

    def __init__(self, name: str = "acme") -> None:
        self.name = name
        self.now = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
        self.monotonic: Callable[[], float] = lambda: 0.0
        self.keyring = Keyring((b"k" * 32,))
        self.clicks = InMemoryClickRepository()
        self.campaigns = InMemoryCampaignRepository()
        self.recipients = InMemoryRecipientRepository(self.campaigns)
        self.settings = InMemoryWorkspaceRepository()
        self.messages = InMemoryMessageRepository(self.clock)
        self.domains = InMemoryDomainRepository()

    def clock(self) -> float:
        """Give ``now`` in seconds since 1970."""
        return self.now.timestamp()

    def register_campaign(
        self,
        campaign: str,
        links: Sequence[LinkDefinition],
        deliveries: int = 10,
        now: datetime = NOON,
    ) -> list[LinkId]:
        """Note a campaign as rewritten; gives the codes of its links."""
        code = self.campaigns.get_or_create(
            self.name, campaign, kind="newsletter", channel="email", now=now
        )
        self.campaigns.add_deliveries(code, deliveries, None)
        return self.campaigns.define_links(code, links, NOON)

    def archive_message(self, campaign: CampaignId, html: str, *, rendered: bool = False) -> None:
        """Keep the message of a campaign."""
        self.messages.add(
            SentMessage(campaign=campaign, html=html, rendered=rendered, expires=2**31)
        )

    def record_click(self, link: LinkId, id_: str, **changes: Any) -> Click:
        """A counted click on a link."""
        made = replace(make_click(id_, **changes), link=link)
        self.clicks.record(made)
        tally = TallyService(
            clicks=self.clicks, recipients=self.recipients, workspaces=self.settings, event_bus=None
        )
        tally.count_clicks([made])
        return made

    def create_share_signer(self) -> ShareSigner:
        return ShareSigner(self.keyring, lambda: self.now)

    def create_share_token(
        self, campaign: str | None = None, *, people: bool = False, hours: int = 24
    ) -> str:
        """A share's token."""
        return self.create_share_signer().create_token(
            ShareScope(self.name, campaign, people), hours
        )

    def create_services(self) -> Services:
        """The use cases on these stores instead of a stack's."""
        made = Services(self.clock)
        made.campaign_reports = CampaignReportService(self.campaigns)
        made.people_reports = PeopleReportService(
            self.campaigns, self.recipients, self.clicks, self.clock
        )
        made.workspace_settings = WorkspaceSettingsService(self.settings)
        made.domain_service = DomainService(
            self.domains, Targets("edge.example.net"), DomainEventPublisher(), lambda: self.now
        )
        made.privacy_requests = PrivacyRequests(
            self.settings,
            Erasure(self.clicks, self.recipients, self.settings, self.messages, self.campaigns),
            now=lambda: self.now,
            monotonic=lambda: self.monotonic(),
        )
        made.share_links = ShareLinkService(self.campaigns, self.create_share_signer, PAGES_URL)
        return made

    def create_page_service(self) -> PageService:
        """The pages of these stores."""
        made = self.create_services()
        reports = PageDependencies(
            campaigns=made.campaign_reports,
            people=made.people_reports,
            messages=self.messages,
            workspace_settings=made.workspace_settings,
            domains=made.domain_service,
        )
        return PageService(
            reports, lambda token: self.create_share_signer().verify_token(token), self.clock
        )
