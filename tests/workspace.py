"""A workspace in memory with everything that reports read, for tests of the API and of pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from tests.clicks import NOON, click
from tests.fakes import (
    MemoryCampaigns,
    MemoryClicks,
    MemoryDomains,
    MemoryMessages,
    MemoryRecipients,
    MemoryWorkspaces,
)
from waypost.api.dependencies import Services
from waypost.api.workspace_settings import Configuration
from waypost.domains.events import Nobody
from waypost.domains.model import Targets
from waypost.domains.service import Manager
from waypost.ids import CampaignCode, LinkCode
from waypost.models.campaign import LinkDefinition, SentMessage
from waypost.models.click import Click
from waypost.privacy.erasure import Erasing
from waypost.privacy.requests import Forgetting
from waypost.reports.campaigns import CampaignReports
from waypost.reports.people import PeopleReports
from waypost.reports.share_links import Scope, Sharer, Sharing
from waypost.tally.service import Tally
from waypost.tokens.signer import Keyring
from waypost.web.app import Visits
from waypost.web.views import Reports

PAGES_URL = "https://pages.example.com"


def definition(url: str, tag: str | None = None, position: int = 1) -> LinkDefinition:
    """A link as a message defines it."""
    return LinkDefinition(f"tag:{tag}" if tag else f"url:{url}", url, tag, position)


class Workspace:
    """Stores, what is done to them, and the use cases that read them. ``now`` may be moved."""

    def __init__(self, name: str = "acme") -> None:
        self.name = name
        self.now = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
        self.monotonic: Callable[[], float] = lambda: 0.0
        self.keyring = Keyring((b"k" * 32,))
        self.ledger = MemoryClicks()
        self.campaigns = MemoryCampaigns()
        self.recipients = MemoryRecipients(self.campaigns)
        self.settings = MemoryWorkspaces()
        self.messages = MemoryMessages(self.clock)
        self.domains = MemoryDomains()

    def clock(self) -> float:
        """Give ``now`` in seconds since 1970."""
        return self.now.timestamp()

    def send(
        self,
        campaign: str,
        links: Sequence[LinkDefinition],
        deliveries: int = 10,
        now: datetime = NOON,
    ) -> list[LinkCode]:
        """Note a campaign as rewritten; gives the codes of its links."""
        code = self.campaigns.open(self.name, campaign, kind="newsletter", channel="email", now=now)
        self.campaigns.add_sent(code, deliveries, None)
        return self.campaigns.define_links(code, links, NOON)

    def keep(self, campaign: CampaignCode, html: str, *, rendered: bool = False) -> None:
        """Keep the message of a campaign."""
        self.messages.keep(
            SentMessage(campaign=campaign, html=html, rendered=rendered, expires=2**31)
        )

    def click(self, link: LinkCode, id_: str, **changes: Any) -> Click:
        """A counted click on a link."""
        made = replace(click(id_, **changes), link=link)
        self.ledger.record(made)
        tally = Tally(
            ledger=self.ledger, recipients=self.recipients, workspaces=self.settings, bus=None
        )
        tally.count([made])
        return made

    def sharer(self) -> Sharer:
        return Sharer(self.keyring, lambda: self.now)

    def token(self, campaign: str | None = None, *, people: bool = False, hours: int = 24) -> str:
        """A share's token."""
        return self.sharer().token(Scope(self.name, campaign, people), hours)

    def services(self) -> Services:
        """The use cases on these stores instead of a stack's."""
        made = Services(self.clock)
        made.campaigns = CampaignReports(self.campaigns)
        made.people = PeopleReports(self.campaigns, self.recipients, self.ledger, self.clock)
        made.configuration = Configuration(self.settings)
        made.domains = Manager(
            self.domains, Targets("edge.example.net"), Nobody(), lambda: self.now
        )
        made.forgetting = Forgetting(
            self.settings,
            Erasing(self.ledger, self.recipients, self.settings, self.messages, self.campaigns),
            now=lambda: self.now,
            monotonic=lambda: self.monotonic(),
        )
        made.sharing = Sharing(self.campaigns, self.sharer, PAGES_URL)
        return made

    def visits(self) -> Visits:
        """The pages of these stores."""
        made = self.services()
        reports = Reports(
            campaigns=made.campaigns,
            people=made.people,
            messages=self.messages,
            configuration=made.configuration,
            domains=made.domains,
        )
        return Visits(reports, lambda token: self.sharer().opened(token), self.clock)
