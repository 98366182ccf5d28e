"""A workspace in memory, for tests of the API and of pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from tests.click_factory import NOON, make_click
from tests.fakes import create_in_memory_repositories
from tests.tally_factory import create_tally
from waypost.composition import ApiServices, build_page_service
from waypost.domains.events import DomainEventPublisher
from waypost.domains.service import DomainService
from waypost.ids import CampaignId, LinkId
from waypost.models.campaign import LinkDefinition, SentMessage
from waypost.models.click import Click
from waypost.models.tracking_domain import CnameTargets
from waypost.privacy.erasure import Erasure
from waypost.privacy.requests import PrivacyRequests
from waypost.reports.share_links import ShareLinkService, ShareScope, ShareSigner, ShareSignerSource
from waypost.tokens.signer import Keyring
from waypost.web.app import PageService

PAGES_URL = "https://pages.example.com"


def build_link_definition(url: str, tag: str | None = None, position: int = 1) -> LinkDefinition:
    """Build the definition of a link."""
    return LinkDefinition(f"tag:{tag}" if tag else f"url:{url}", url, tag, position)


class FixedKeyring:
    """A keyring source whose keyring never changes."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def get_keyring(self) -> Keyring:
        return self._keyring

    def reload_keyring(self) -> Keyring | None:
        return None


class WorkspaceHarness:
    """In-memory repositories and the services on them. Tests may change ``now``."""

    def __init__(self, name: str = "acme") -> None:
        self.name = name
        self.now = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
        self.monotonic: Callable[[], float] = lambda: 0.0
        self.keyring = Keyring((b"k" * 32,))
        self.repositories = create_in_memory_repositories(self.clock)
        self.clicks = self.repositories.clicks
        self.campaigns = self.repositories.campaigns
        self.recipients = self.repositories.recipients
        self.settings = self.repositories.workspaces
        self.messages = self.repositories.messages
        self.domains = self.repositories.domains

    def clock(self) -> float:
        """Return ``now`` in seconds since 1970."""
        return self.now.timestamp()

    def register_campaign(
        self,
        campaign: str,
        links: Sequence[LinkDefinition],
        deliveries: int = 10,
        now: datetime = NOON,
    ) -> list[LinkId]:
        """Store a rewritten campaign and return the ids of its links."""
        self.settings.claim_id(self.name)
        campaign_id = self.campaigns.get_or_create(
            self.name, campaign, kind="newsletter", channel="email", now=now
        )
        self.campaigns.add_deliveries(campaign_id, deliveries, None)
        return self.campaigns.define_links(campaign_id, links, NOON)

    def archive_message(self, campaign: CampaignId, html: str, *, rendered: bool = False) -> None:
        """Store the message of a campaign."""
        self.messages.add(
            SentMessage(campaign=campaign, html=html, rendered=rendered, expires=2**31)
        )

    def record_click(self, link: LinkId, id_: str, **changes: Any) -> Click:
        """Store and count a click on a link."""
        click = replace(make_click(id_, **changes), link=link)
        self.clicks.record(click)
        create_tally(self.repositories).count_clicks([click])
        return click

    def create_share_signer(self) -> ShareSigner:
        return ShareSigner(self.keyring, lambda: self.now)

    def create_share_token(
        self, campaign: str | None = None, *, people: bool = False, hours: int = 24
    ) -> str:
        """Create the token of a share link."""
        return self.create_share_signer().create_token(
            ShareScope(self.name, campaign, people), hours
        )

    def create_services(self) -> ApiServices:
        """Create the API's services on these repositories."""
        services = ApiServices(self.clock)
        services.repositories = self.repositories
        services.share_signers = ShareSignerSource(FixedKeyring(self.keyring), self.clock)
        services.domain_service = DomainService(
            self.domains,
            self.settings,
            CnameTargets("edge.example.net"),
            DomainEventPublisher(),
            lambda: self.now,
        )
        services.privacy_requests = PrivacyRequests(
            self.settings,
            Erasure(self.repositories),
            now=lambda: self.now,
            monotonic=lambda: self.monotonic(),
        )
        services.share_links = ShareLinkService(
            self.campaigns, self.settings, services.share_signers.get_signer, PAGES_URL
        )
        return services

    def create_page_service(self) -> PageService:
        """Create the page service on these repositories."""
        return build_page_service(self.create_services())
