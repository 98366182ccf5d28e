"""Rewrite one message and read the result."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from tests.fakes import (
    InMemoryCampaignRepository,
    InMemoryMessageRepository,
    InMemoryPersonalRecordRepository,
    InMemoryShortLinkRepository,
    InMemoryWorkspaceRepository,
)
from tests.rewrite_harness import NOW, create_rewrite_service
from waypost.ids import derive_workspace_id
from waypost.rewrite.message_archive import MessageArchive
from waypost.rewrite.schemas import validate_rewrite_request
from waypost.rewrite.service import RewriteResponse
from waypost.tokens import Keyring, TokenSealer

BASE = "https://e.example.com"
LINK = re.compile(re.escape(BASE) + r"/e/c/([\w\-]+/[\w\-]+)")
SEALER = TokenSealer(Keyring((b"a test key of thirty-two bytes !",)))


@dataclass
class MessageHarness:
    """A workspace without open tracking and person parameter, and its rewrite service."""

    campaigns: InMemoryCampaignRepository = field(init=False)
    workspaces: InMemoryWorkspaceRepository = field(default_factory=InMemoryWorkspaceRepository)
    short_links: InMemoryShortLinkRepository = field(default_factory=InMemoryShortLinkRepository)
    personal_records: InMemoryPersonalRecordRepository = field(
        default_factory=InMemoryPersonalRecordRepository
    )
    messages: InMemoryMessageRepository = field(
        default_factory=lambda: InMemoryMessageRepository(NOW.timestamp)
    )

    def __post_init__(self) -> None:
        self.campaigns = InMemoryCampaignRepository(self.personal_records, NOW.timestamp)

    @property
    def now(self) -> int:
        """The time of every message, in seconds since 1970."""
        return int(NOW.timestamp())

    def save_settings(self, **changes: Any) -> None:
        now = self.workspaces.get_settings(derive_workspace_id("acme"))
        self.workspaces.save_settings("acme", replace(now, **changes))

    def rewrite(self, **body: Any) -> RewriteResponse:
        sending = create_rewrite_service(
            campaigns=self.campaigns,
            workspaces=self.workspaces,
            short_links=self.short_links,
            personal_records=self.personal_records,
            get_sealer=lambda: SEALER,
            message_archive=MessageArchive(self.messages),
        )
        recipients = [{"delivery": "d1", "person": "p1"}]
        return sending.rewrite(
            validate_rewrite_request(
                {"workspace": "acme", "campaign": "sale", "recipients": recipients, **body}
            )
        )

    def rewrite_content(self, content_key: str, source: object, **body: Any) -> Any:
        """Return one form of content as the first recipient gets it."""
        answer = self.rewrite(content={content_key: source}, **body)
        assert not answer["failed"]
        return answer["deliveries"][0]["content"][content_key]


def decode_links(text: str, show: Callable[[str], str] = lambda href: f"[{href}]") -> str:
    """Replace the tracking links of a text by their destinations in brackets."""
    return LINK.sub(lambda link: show(SEALER.open(link[1]).href), text)
