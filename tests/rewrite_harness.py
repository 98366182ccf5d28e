"""Rewrite messages over in-memory fakes, and resolve their links."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from tests.fakes import (
    InMemoryCampaignRepository,
    InMemoryDomainRepository,
    InMemoryPersonalRecordRepository,
    InMemoryShortLinkRepository,
    InMemoryWorkspaceRepository,
)
from waypost.domains.base_url import BaseUrl, DomainBaseUrlResolver
from waypost.ids import WorkspaceId, derive_workspace_id
from waypost.redirect.service import LinkResolver
from waypost.rewrite.schemas import validate_rewrite_request
from waypost.rewrite.service import RewriteResponse, RewriteService
from waypost.tokens import Keyring, TokenSealer

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
BASE = "https://e.example.com"
SHORT = "https://l.acme.com"
SHORT_LINK = re.compile(re.escape(SHORT) + r"/s/([0-9A-Za-z]+)")


class FakeBaseUrls(DomainBaseUrlResolver):
    """Resolves every message to the same hosts: one for links, one for short links."""

    def __init__(self) -> None:
        super().__init__(InMemoryDomainRepository(), BASE)

    def resolve_base(self, workspace: WorkspaceId, sender: str | None) -> BaseUrl:
        return BaseUrl(BASE)

    def resolve_short_base(self, workspace: WorkspaceId, sender: str | None) -> str:
        return SHORT


def create_rewrite_service(**parts: Any) -> RewriteService:
    """Create a service over empty repositories in memory; ``parts`` replace its fields."""
    service = RewriteService(
        campaigns=InMemoryCampaignRepository(),
        workspaces=InMemoryWorkspaceRepository(),
        base_urls=FakeBaseUrls(),
        short_links=InMemoryShortLinkRepository(),
        personal_records=InMemoryPersonalRecordRepository(),
        get_sealer=lambda: TokenSealer(Keyring((b"a test key of thirty-two bytes !",))),
        retention_days=400,
        now=lambda: NOW,
    )
    return replace(service, **parts)


@dataclass
class RewriteHarness:
    """A rewrite service over in-memory repositories."""

    short_links: Any = field(default_factory=InMemoryShortLinkRepository)
    workspaces: InMemoryWorkspaceRepository = field(default_factory=InMemoryWorkspaceRepository)
    sealer: TokenSealer = field(
        default_factory=lambda: TokenSealer(Keyring((b"a test key of thirty-two bytes !",)))
    )

    def save_settings(self, **changes: Any) -> None:
        settings = self.workspaces.get_settings(derive_workspace_id("acme"))
        self.workspaces.save_settings("acme", replace(settings, **changes))

    def rewrite(self, *, recipient_count: int = 1, **body: Any) -> RewriteResponse:
        service = create_rewrite_service(
            workspaces=self.workspaces, short_links=self.short_links, get_sealer=lambda: self.sealer
        )
        recipients = [{"delivery": f"d{n}", "person": f"p{n}"} for n in range(recipient_count)]
        request = {"workspace": "acme", "campaign": "sale", "recipients": recipients, **body}
        return service.rewrite(validate_rewrite_request(request))

    def resolve_short_link(self, code: str) -> str:
        """Resolve a short link to its destination."""
        lookup = LinkResolver(self.short_links, clock=NOW.timestamp)
        return lookup.resolve_destination(self.sealer.open(lookup.resolve_short_link(code)))


def list_texts(answer: RewriteResponse, content_key: str = "text") -> list[str]:
    return [str(delivery["content"][content_key]) for delivery in answer["deliveries"]]
