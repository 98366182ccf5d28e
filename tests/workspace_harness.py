"""A workspace in memory with everything that reports read, for tests of the API and of pages."""

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
    """A link as a message defines it."""
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
    """Stores, what is done to them, and the use cases that read them. ``now`` may be moved."""

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
        create_tally(self.repositories).count_clicks([made])
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

    def create_services(self) -> ApiServices:
        """The use cases on these stores instead of a stack's."""
        made = ApiServices(self.clock)
        made.repositories = self.repositories
        made.share_signers = ShareSignerSource(FixedKeyring(self.keyring), self.clock)
        made.domain_service = DomainService(
            self.domains, CnameTargets("edge.example.net"), DomainEventPublisher(), lambda: self.now
        )
        made.privacy_requests = PrivacyRequests(
            self.settings,
            Erasure(self.clicks, self.recipients, self.settings, self.messages, self.campaigns),
            now=lambda: self.now,
            monotonic=lambda: self.monotonic(),
        )
        made.share_links = ShareLinkService(
            self.campaigns, made.share_signers.get_signer, PAGES_URL
        )
        return made

    def create_page_service(self) -> PageService:
        """The pages of these stores."""
        return build_page_service(self.create_services())
